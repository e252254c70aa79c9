// Publish: which release corrected a key last; promises memory that follows the corrections, and no object a key.

/** Bytes of a key. */
const KEY = 16

/** How many keys there is room for at first. */
const FIRST_ROOM = 1_024

/** Keys with a number each, packed: 36 bytes a key at the most. */
export class CorrectedKeys {
  #keys = new Uint8Array(FIRST_ROOM * KEY)
  #numbers = new Int32Array(FIRST_ROOM)
  /** Which key, from 1 on, has a place; 0 where none has. Twice as many places as there is room for keys. */
  #places = new Int32Array(FIRST_ROOM * 2)
  #size = 0

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Gives the key at `offset` a number, in the place of an earlier one. */
  set(bytes: Uint8Array, offset: number, number: number): void {
    const place = this.#find(bytes, offset)
    const found = this.#places[place] as number
    if (found > 0) {
      this.#numbers[found - 1] = number
      return
    }
    this.#keys.set(bytes.subarray(offset, offset + KEY), this.#size * KEY)
    this.#numbers[this.#size] = number
    this.#size += 1
    this.#places[place] = this.#size
    if (this.#size === this.#numbers.length) this.#grow()
  }

  /** The number of the key at `offset`; -1 when it has none. */
  get(bytes: Uint8Array, offset: number): number {
    if (this.#size === 0) return -1
    const found = this.#places[this.#find(bytes, offset)] as number
    return found === 0 ? -1 : (this.#numbers[found - 1] as number)
  }

  /** The place of a key, or the empty one where it would be. */
  #find(bytes: Uint8Array, offset: number): number {
    const mask = this.#places.length - 1
    let place = hash(bytes, offset) & mask
    for (;;) {
      const found = this.#places[place] as number
      if (found === 0 || this.#isKey(found - 1, bytes, offset)) return place
      place = (place + 1) & mask
    }
  }

  #isKey(index: number, bytes: Uint8Array, offset: number): boolean {
    const from = index * KEY
    for (let byte = 0; byte < KEY; byte++)
      if (this.#keys[from + byte] !== bytes[offset + byte]) return false
    return true
  }

  #grow(): void {
    const room = this.#numbers.length * 2
    this.#keys = enlarge(this.#keys, new Uint8Array(room * KEY))
    this.#numbers = enlarge(this.#numbers, new Int32Array(room))
    this.#places = new Int32Array(room * 2)
    for (let index = 0; index < this.#size; index++)
      this.#places[this.#find(this.#keys, index * KEY)] = index + 1
  }
}

function enlarge<Numbers extends Uint8Array | Int32Array>(
  before: Numbers,
  larger: Numbers,
): Numbers {
  larger.set(before)
  return larger
}

/** Keys are random bytes, but who uploads them may choose some: all four words count. */
function hash(bytes: Uint8Array, offset: number): number {
  let value = 0
  for (let at = offset; at < offset + KEY; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    value = Math.imul(value ^ word, 0x9e3779b1)
    value ^= value >>> 15
  }
  return value
}
