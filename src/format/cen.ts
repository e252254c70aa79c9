// Format: contact event numbers, as phones upload them; promises one order for the same numbers however they were sent, each once.

import { concatBytes, decodeBase64, decodeHex } from './bytes.ts'

/** Length of a contact event number in bytes. */
export const CEN_BYTES = 16

/** Numbers of one report at the most: 9,072 are those of 21 days, at 3 phones nearby every 5 minutes of 12 hours. */
export const MOST_CENS = 20_000

/** Characters of a cell at the most: the smallest one is 39 km by 20 km at the equator. */
export const LONGEST_CELL = 4

/** Stands before the numbers in what a certificate's HMAC covers: no text over diagnosis keys begins like it. */
const MACED_PREFIX = new TextEncoder().encode('cen:')

/**
 * What the HMAC-SHA256 in a certificate over contact event numbers covers: `cen:` in ASCII, then the numbers in ascending order, each
 * once, without anything between them.
 *
 * @param sorted as {@link sortCens} gives them
 */
export function macedCens(sorted: Uint8Array): Uint8Array {
  return concatBytes([MACED_PREFIX, sorted])
}

/**
 * Numbers in ascending order of their bytes, each once.
 *
 * @param packed 16 bytes each, whole numbers only, {@link MOST_CENS} at the most
 */
export function sortCens(packed: Uint8Array): Uint8Array {
  const numbers = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const count = packed.length / CEN_BYTES
  const order = orderByBeginning(numbers, count)
  sortRuns(numbers, order)
  const sorted = new Uint8Array(packed.length)
  let length = 0
  let before = -1
  for (const index of order) {
    if (before >= 0 && compareCens(numbers, before, index) === 0) continue
    sorted.set(packed.subarray(index * CEN_BYTES, (index + 1) * CEN_BYTES), length)
    length += CEN_BYTES
    before = index
  }
  return sorted.subarray(0, length)
}

// A double holds 53 bits: the first 38 of a number, and in the others its place. Sorting doubles takes a tenth of the time.
const PLACES = 2 ** 15
const beginningOf = (numbers: DataView, index: number) =>
  numbers.getUint32(index * CEN_BYTES) * 64 + (numbers.getUint8(index * CEN_BYTES + 4) >> 2)

/** The places of the numbers, ordered by their first 38 bits. */
function orderByBeginning(numbers: DataView, count: number): Uint16Array {
  const keys = Float64Array.from(
    { length: count },
    (_, index) => beginningOf(numbers, index) * PLACES + index,
  ).sort()
  return Uint16Array.from(keys, (key) => key % PLACES)
}

/** Orders those that begin alike: of random ones hardly any do, and of others nobody shall make us work for long. */
function sortRuns(numbers: DataView, order: Uint16Array): void {
  for (let from = 0; from < order.length;) {
    const beginning = beginningOf(numbers, order[from] as number)
    let until = from + 1
    while (until < order.length && beginningOf(numbers, order[until] as number) === beginning)
      until++
    if (until - from > 1)
      order.subarray(from, until).sort((a, b) => compareCens(numbers, a, b) || a - b)
    from = until
  }
}

function compareCens(numbers: DataView, a: number, b: number): number {
  for (let offset = 0; offset < CEN_BYTES; offset += 4) {
    const difference =
      numbers.getUint32(a * CEN_BYTES + offset) - numbers.getUint32(b * CEN_BYTES + offset)
    if (difference !== 0) return difference
  }
  return 0
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A number from 32 hex digits, or from a UUID with its hyphens; undefined when the text is none. */
export function parseHexCen(text: string): Uint8Array | undefined {
  const digits = UUID.test(text) ? text.replaceAll('-', '') : text
  return digits.length === CEN_BYTES * 2 ? decodeHex(digits) : undefined
}

/** The same, or from base64; undefined when the text is none. */
export function parseCen(text: string): Uint8Array | undefined {
  const hex = parseHexCen(text)
  if (hex !== undefined) return hex
  // Without white space, which a decoder may pass over: 22 characters, and 2 of padding or none.
  if (!/^[\w+/-]{22}(==)?$/.test(text)) return undefined
  const bytes = decodeBase64(text)
  return bytes?.length === CEN_BYTES ? bytes : undefined
}

/** The digits of geohashes. */
const CELL = /^[0-9b-hjkmnp-z]{1,4}$/i

/** A cell of low resolution, in lower case, from a geohash of 1 to {@link LONGEST_CELL} characters; undefined when the text is none. */
export function parseCell(text: string): string | undefined {
  return CELL.test(text) ? text.toLowerCase() : undefined
}
