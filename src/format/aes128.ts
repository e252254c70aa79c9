// Format: AES-128 in plain JavaScript, encryption only; promises speed, not constant time: for keys that are public, as diagnosis keys are.

const BLOCK_BYTES = 16
const ROUNDS = 10

/** Multiplication by x in the field of FIPS 197, section 4.2. */
function double(byte: number): number {
  return ((byte << 1) ^ (byte & 0x80 ? 0x11b : 0)) & 0xff
}

/** The S-box (FIPS 197, section 5.1.1): inverses in the field, then an affine map. */
function makeBox(): Uint8Array {
  const box = new Uint8Array(256)
  let value = 1
  let inverse = 1
  do {
    // Times 3, and the inverse divided by 3.
    value ^= double(value)
    inverse ^= inverse << 1
    inverse ^= inverse << 2
    inverse ^= inverse << 4
    inverse &= 0xff
    if (inverse & 0x80) inverse ^= 0x09
    const twice = inverse | (inverse << 8)
    box[value] = inverse ^ (twice >> 4) ^ (twice >> 5) ^ (twice >> 6) ^ (twice >> 7) ^ 0x63
  } while (value !== 1)
  box[0] = 0x63
  return box
}

const BOX = makeBox()

// SubBytes, ShiftRows and MixColumns of one byte at once, a table for each row.
const [T0, T1, T2, T3] = [24, 16, 8, 0].map((shift) =>
  Int32Array.from(BOX, (byte) => {
    const column = [double(byte), byte, byte, double(byte) ^ byte]
    return column.reduce((word, part, row) => word | (part << ((shift - 8 * row + 32) % 32)), 0)
  }),
) as [Int32Array, Int32Array, Int32Array, Int32Array]

/** The round keys of a key (FIPS 197, section 5.2). */
function expandKey(key: Uint8Array): Int32Array {
  const words = new Int32Array(4 * (ROUNDS + 1))
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  for (let index = 0; index < 4; index++) words[index] = view.getInt32(index * 4)
  let constant = 1
  for (let index = 4; index < words.length; index++) {
    let word = words[index - 1] as number
    if (index % 4 === 0) {
      word = substitute((word << 8) | (word >>> 24)) ^ (constant << 24)
      constant = double(constant)
    }
    words[index] = (words[index - 4] as number) ^ word
  }
  return words
}

function substitute(word: number): number {
  return (
    ((BOX[word >>> 24] as number) << 24) |
    ((BOX[(word >>> 16) & 0xff] as number) << 16) |
    ((BOX[(word >>> 8) & 0xff] as number) << 8) |
    (BOX[word & 0xff] as number)
  )
}

/**
 * Encrypts blocks of 16 bytes one by one (ECB).
 *
 * @param key 16 bytes
 * @param output as long as `blocks`
 */
export function encryptBlocks(key: Uint8Array, blocks: Uint8Array, output: Uint8Array): void {
  if (key.length !== 16 || blocks.length % BLOCK_BYTES !== 0 || output.length < blocks.length)
    throw new RangeError('AES-128 takes a key of 16 bytes and whole blocks')
  const keys = expandKey(key)
  const from = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength)
  const to = new DataView(output.buffer, output.byteOffset, output.byteLength)
  for (let offset = 0; offset < blocks.length; offset += BLOCK_BYTES)
    encryptBlock(keys, from, to, offset)
}

function encryptBlock(keys: Int32Array, from: DataView, to: DataView, offset: number): void {
  let a = from.getInt32(offset) ^ (keys[0] as number)
  let b = from.getInt32(offset + 4) ^ (keys[1] as number)
  let c = from.getInt32(offset + 8) ^ (keys[2] as number)
  let d = from.getInt32(offset + 12) ^ (keys[3] as number)
  for (let k = 4; k < 4 * ROUNDS; k += 4) {
    const a1 = mix(a, b, c, d) ^ (keys[k] as number)
    const b1 = mix(b, c, d, a) ^ (keys[k + 1] as number)
    const c1 = mix(c, d, a, b) ^ (keys[k + 2] as number)
    d = mix(d, a, b, c) ^ (keys[k + 3] as number)
    a = a1
    b = b1
    c = c1
  }
  to.setInt32(offset, last(a, b, c, d) ^ (keys[40] as number))
  to.setInt32(offset + 4, last(b, c, d, a) ^ (keys[41] as number))
  to.setInt32(offset + 8, last(c, d, a, b) ^ (keys[42] as number))
  to.setInt32(offset + 12, last(d, a, b, c) ^ (keys[43] as number))
}

function mix(a: number, b: number, c: number, d: number): number {
  return (
    (T0[a >>> 24] as number) ^
    (T1[(b >>> 16) & 0xff] as number) ^
    (T2[(c >>> 8) & 0xff] as number) ^
    (T3[d & 0xff] as number)
  )
}

/** The last round has no MixColumns. */
function last(a: number, b: number, c: number, d: number): number {
  return (
    ((BOX[a >>> 24] as number) << 24) |
    ((BOX[(b >>> 16) & 0xff] as number) << 16) |
    ((BOX[(c >>> 8) & 0xff] as number) << 8) |
    (BOX[d & 0xff] as number)
  )
}
