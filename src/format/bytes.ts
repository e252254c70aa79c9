// Format: bytes as text and back; promises to read base64 as leniently as existing key servers do, and to write it in one way.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Bytes as lower-case hex digits. */
export function encodeHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** Bytes from hex digits; undefined when the text is none. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(index * 2, index * 2 + 2), 16),
  )
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

// The value of each character, both alphabets at once; 64 for line breaks, which are skipped; 255 for what is none.
const VALUES = new Uint8Array(128).fill(255)
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value
VALUES['-'.charCodeAt(0)] = 62
VALUES['_'.charCodeAt(0)] = 63
VALUES['\r'.charCodeAt(0)] = 64
VALUES['\n'.charCodeAt(0)] = 64

/** Bytes in standard base64, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let offset = 0; offset < bytes.length; offset += 3) {
    const left = bytes.length - offset
    const group =
      ((bytes[offset] ?? 0) << 16) | ((bytes[offset + 1] ?? 0) << 8) | (bytes[offset + 2] ?? 0)
    text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63)
    text += left > 1 ? ALPHABET.charAt((group >> 6) & 63) : '='
    text += left > 2 ? ALPHABET.charAt(group & 63) : '='
  }
  return text
}

/**
 * Bytes from base64 of either alphabet (RFC 4648, sections 4 and 5), with padding, without it or with some of it, line breaks
 * skipped, whatever the unused last bits are.
 *
 * @returns undefined when the text is none
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  return decodeUsual(text) ?? decodeAny(text)
}

/** What nearly every sender writes, at a fourth of the work: whole groups of four, padded; undefined for anything else. */
function decodeUsual(text: string): Uint8Array | undefined {
  if (text.length === 0 || text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  const characters = text.length - padding
  let bits = 0
  let length = 0
  for (let index = 0; index < characters; index++) {
    const code = text.charCodeAt(index)
    const value = code < 128 ? (VALUES[code] as number) : 255
    if (value > 63) return undefined
    bits = (bits << 6) | value
    if ((index & 3) === 0) continue
    bytes[length++] = bits >> (6 - 2 * (index & 3))
  }
  return bytes
}

function decodeAny(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let length = 0
  let bits = 0
  let count = 0
  let end = text.length
  while (end > 0 && isPaddingOrBreak(text.charCodeAt(end - 1))) end--
  for (let index = 0; index < end; index++) {
    const code = text.charCodeAt(index)
    const value = code < 128 ? (VALUES[code] ?? 255) : 255
    if (value === 64) continue
    if (value === 255) return undefined
    bits = ((bits << 6) | value) & 0xffff
    count++
    if (count % 4 !== 1) bytes[length++] = (bits >> (6 - 2 * ((count - 1) % 4))) & 0xff
  }
  // One character alone says nothing.
  return count % 4 === 1 ? undefined : bytes.slice(0, length)
}

function isPaddingOrBreak(code: number): boolean {
  return code === 0x3d || code === 0x0d || code === 0x0a
}

/** Several pieces as one. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += piece.length
  }
  return whole
}

/** Whether two are the same. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** Below 0 when `a` comes before `b` in the order of bytes, 0 when they are the same, else above. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const difference = (a[index] as number) - (b[index] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
