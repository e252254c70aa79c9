// Format: SHA-256 and what is built on it, in plain JavaScript; promises the same bytes as any other, in browsers too.

import { concatBytes } from './bytes.ts'

const BLOCK_BYTES = 64

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0
}

const PRIMES: number[] = []
for (let number = 2; PRIMES.length < 64; number++)
  if (PRIMES.every((prime) => number % prime !== 0)) PRIMES.push(number)

// FIPS 180-4, sections 5.3.3 and 4.2.2: roots of the first primes. A double has 15 bits more than are needed.
const INITIAL = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))
const ROUND = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)))

// Used within one call only: allocating them anew would take longer than hashing a short message.
const WORDS = new Int32Array(64)
const STATE = new Int32Array(8)
const BLOCK = new DataView(new ArrayBuffer(BLOCK_BYTES))
const BLOCK_AS_BYTES = new Uint8Array(BLOCK.buffer)
const INNER = new Uint8Array(32)

/** SHA-256 (FIPS 180-4): 32 bytes. */
export function sha256(message: Uint8Array): Uint8Array {
  return finish(INITIAL, message, 0, new Uint8Array(32))
}

/** A digest of pieces, one behind the other. */
export interface Sha256 {
  update(piece: Uint8Array): void
  /** 32 bytes. To be called once, at the end. */
  digest(): Uint8Array
}

/** SHA-256 of what comes in pieces: nothing but the last few bytes is held. */
export function startSha256(): Sha256 {
  const state = Int32Array.from(INITIAL)
  const rest = new Uint8Array(BLOCK_BYTES)
  let filled = 0
  let before = 0
  return {
    update(piece) {
      for (let offset = 0; offset < piece.length;) {
        const length = Math.min(BLOCK_BYTES - filled, piece.length - offset)
        for (let index = 0; index < length; index++)
          rest[filled + index] = piece[offset + index] as number
        offset += length
        filled += length
        if (filled < BLOCK_BYTES) return
        BLOCK_AS_BYTES.set(rest)
        compress(state)
        before += BLOCK_BYTES
        filled = 0
      }
    },
    digest: () => finish(state, rest.subarray(0, filled), before, new Uint8Array(32)),
  }
}

/** HMAC-SHA256 (RFC 2104): 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return authenticate(prepare(key), message)
}

// A salt that is left out is zeros.
const NO_SALT = prepare(new Uint8Array(32))
const FIRST = Uint8Array.of(1)

/** HKDF with SHA-256 and no salt (RFC 5869), up to 32 bytes. */
export function hkdfSha256(secret: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length > 32) throw new RangeError('more than 32 bytes were asked for')
  const extracted = authenticate(NO_SALT, secret)
  return authenticate(prepare(extracted), concatBytes([info, FIRST])).slice(0, length)
}

/** The states behind the two padded keys of an HMAC. */
interface HmacKey {
  readonly inner: Int32Array
  readonly outer: Int32Array
}

function prepare(key: Uint8Array): HmacKey {
  const short = key.length > BLOCK_BYTES ? sha256(key) : key
  return { inner: padded(short, 0x36), outer: padded(short, 0x5c) }
}

function padded(key: Uint8Array, pad: number): Int32Array {
  for (let index = 0; index < BLOCK_BYTES; index++) BLOCK.setUint8(index, pad ^ (key[index] ?? 0))
  const state = Int32Array.from(INITIAL)
  compress(state)
  return state
}

function authenticate(key: HmacKey, message: Uint8Array): Uint8Array {
  finish(key.inner, message, BLOCK_BYTES, INNER)
  return finish(key.outer, INNER, BLOCK_BYTES, new Uint8Array(32))
}

/** The digest of a message of which `before` bytes, whole blocks, made the state at the start. */
function finish(
  start: Int32Array,
  message: Uint8Array,
  before: number,
  output: Uint8Array,
): Uint8Array {
  for (let index = 0; index < 8; index++) STATE[index] = start[index] as number
  let filled = 0
  for (let index = 0; index < message.length; index++) {
    BLOCK.setUint8(filled++, message[index] as number)
    if (filled === BLOCK_BYTES) {
      compress(STATE)
      filled = 0
    }
  }
  // A bit that is 1, zeros, and the length in bits.
  BLOCK.setUint8(filled++, 0x80)
  if (filled > BLOCK_BYTES - 8) {
    while (filled < BLOCK_BYTES) BLOCK.setUint8(filled++, 0)
    compress(STATE)
    filled = 0
  }
  while (filled < BLOCK_BYTES - 8) BLOCK.setUint8(filled++, 0)
  const length = before + message.length
  BLOCK.setUint32(BLOCK_BYTES - 8, Math.floor(length / 2 ** 29))
  BLOCK.setUint32(BLOCK_BYTES - 4, (length * 8) >>> 0)
  compress(STATE)
  for (let index = 0; index < 32; index++)
    output[index] = (STATE[index >> 2] as number) >>> (24 - 8 * (index & 3))
  return output
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** Takes the block into a state (FIPS 180-4, section 6.2.2). */
function compress(state: Int32Array): void {
  const w = schedule()
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  let f = state[5] as number
  let g = state[6] as number
  let h = state[7] as number
  for (let t = 0; t < 64; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const choice = (e & f) ^ (~e & g)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    const t1 = (h + sum1 + choice + (ROUND[t] as number) + (w[t] as number)) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + sum0 + majority) | 0
  }
  state[0] = ((state[0] as number) + a) | 0
  state[1] = ((state[1] as number) + b) | 0
  state[2] = ((state[2] as number) + c) | 0
  state[3] = ((state[3] as number) + d) | 0
  state[4] = ((state[4] as number) + e) | 0
  state[5] = ((state[5] as number) + f) | 0
  state[6] = ((state[6] as number) + g) | 0
  state[7] = ((state[7] as number) + h) | 0
}

/** The 64 words of the block. */
function schedule(): Int32Array {
  const w = WORDS
  for (let t = 0; t < 16; t++) w[t] = BLOCK.getInt32(t * 4)
  for (let t = 16; t < 64; t++) {
    const early = w[t - 15] as number
    const late = w[t - 2] as number
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3)
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10)
    w[t] = ((w[t - 16] as number) + s0 + (w[t - 7] as number) + s1) | 0
  }
  return w
}
