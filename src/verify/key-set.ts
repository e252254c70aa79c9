// Verify: which keys have come before; promises 10 bytes a key, a bound to their number, and no false answer that anybody could provoke.

import { releaseBytes } from './release-bytes.ts'

const SMALL_PLACES = 2 ** 14
const LARGE_PLACES = 2 ** 21
/** How full a table may be: look-ups go on from place to place. */
const MAX_LOAD = 0.75

/** The most keys that a set holds. */
export const MAX_SET_KEYS: number = LARGE_PLACES * MAX_LOAD

/**
 * Keys, each with a mark. It holds a fingerprint of 64 bits for each, a keyed hash whose secret is drawn anew for each set, so that
 * nobody can prepare two keys with the same one. By chance, one of 10^7 sets of a million keys has two.
 */
export class KeySet {
  #places = SMALL_PLACES
  // Two words and a mark for each place; a mark of 0 is an empty place.
  #words = new Uint32Array(2 * SMALL_PLACES)
  #marks = new Uint16Array(SMALL_PLACES)
  readonly #fingerprint = createFingerprint()
  readonly #found = new Uint32Array(2)
  size = 0

  /** Whether another key still has room. */
  get hasRoom(): boolean {
    return this.size < MAX_SET_KEYS
  }

  /** The mark of a key; 0 when it isn't in the set. @param keyData 16 bytes */
  markOf(keyData: Uint8Array): number {
    return this.#marks[this.#find(keyData)] as number
  }

  /** Adds a key, unless it is in the set. @param mark 1 to 65,535 @returns the mark that it had, 0 when it is new */
  add(keyData: Uint8Array, mark: number): number {
    let place = this.#find(keyData)
    const before = this.#marks[place] as number
    if (before !== 0) return before
    if (!this.hasRoom) throw new RangeError('the set is full')
    if (this.size >= this.#places * MAX_LOAD) {
      this.#grow()
      place = this.#find(keyData)
    }
    this.#words.set(this.#found, 2 * place)
    this.#marks[place] = mark
    this.size++
    return 0
  }

  /** The place of a key, or the empty one where it belongs; its fingerprint is left in `#found`. */
  #find(keyData: Uint8Array): number {
    this.#fingerprint(keyData, this.#found, 0)
    return this.#placeOf(this.#found[0] as number, this.#found[1] as number)
  }

  #placeOf(low: number, high: number): number {
    const mask = this.#places - 1
    let place = low & mask
    while (
      this.#marks[place] !== 0 &&
      (this.#words[2 * place] !== low || this.#words[2 * place + 1] !== high)
    )
      place = (place + 1) & mask
    return place
  }

  /** In one step to the last size: two large tables at once would take too much. */
  #grow(): void {
    const [words, marks] = [this.#words, this.#marks]
    this.#places = LARGE_PLACES
    this.#words = new Uint32Array(2 * LARGE_PLACES)
    this.#marks = new Uint16Array(LARGE_PLACES)
    for (const [from, mark] of marks.entries()) {
      if (mark === 0) continue
      const [low, high] = [words[2 * from] as number, words[2 * from + 1] as number]
      const place = this.#placeOf(low, high)
      this.#words[2 * place] = low
      this.#words[2 * place + 1] = high
      this.#marks[place] = mark
    }
    releaseBytes(words)
    releaseBytes(marks)
  }
}

/** How many of a list's keys come more than once, whatever their order: 8 bytes a key. */
export function countRepeats(keys: Iterable<Uint8Array>, count: number): number {
  const words = new Uint32Array(2 * count)
  const fingerprint = createFingerprint()
  let at = 0
  for (const keyData of keys) {
    fingerprint(keyData, words, at)
    at += 2
  }
  // Without a function that compares, it is sorted in place.
  new BigUint64Array(words.buffer).sort()
  let repeats = 0
  for (let index = 2; index < at; index += 2)
    if (words[index] === words[index - 2] && words[index + 1] === words[index - 1]) repeats++
  releaseBytes(words)
  return repeats
}

/**
 * A keyed hash of 64 bits, with a secret of its own: HalfSipHash-2-4 (Aumasson and Bernstein, "SipHash", with words of 32 bits) without
 * the length, which is always 16 bytes.
 */
function createFingerprint() {
  const secret = globalThis.crypto.getRandomValues(new Int32Array(2))
  const [first, second] = secret as unknown as [number, number]
  const state = new Int32Array(4)
  return (keyData: Uint8Array, output: Uint32Array, index: number): void => {
    state[0] = first
    state[1] = second
    state[2] = first ^ 0x6c796765
    state[3] = second ^ 0x74656462
    for (let at = 0; at < 16; at += 4) {
      const word =
        (keyData[at] as number) |
        ((keyData[at + 1] as number) << 8) |
        ((keyData[at + 2] as number) << 16) |
        ((keyData[at + 3] as number) << 24)
      state[3] ^= word
      scramble(state, 2)
      state[0] ^= word
    }
    state[2] ^= 0xee
    scramble(state, 4)
    output[index] = state[1] ^ state[3]
    state[1] ^= 0xdd
    scramble(state, 4)
    output[index + 1] = state[1] ^ state[3]
  }
}

/** Its rounds. */
function scramble(state: Int32Array, rounds: number): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number]
  for (let round = 0; round < rounds; round++) {
    a = (a + b) | 0
    b = rotate(b, 5) ^ a
    a = rotate(a, 16)
    c = (c + d) | 0
    d = rotate(d, 8) ^ c
    a = (a + d) | 0
    d = rotate(d, 7) ^ a
    c = (c + b) | 0
    b = rotate(b, 13) ^ c
    c = rotate(c, 16)
  }
  state[0] = a
  state[1] = b
  state[2] = c
  state[3] = d
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
