// Format: the symbols of deflate for lengths and distances, and the fixed codes; promises the tables of RFC 1951.

import { assignCodes } from './huffman.ts'

/** The symbols of the first code: bytes, the end of a block, lengths. Two more take room in the fixed code, and are not used. */
export const LITERALS = 286
const FIXED_LITERALS = 288
/** Those of the second code. */
export const DISTANCES = 30
/** Those of the code that says the lengths of both. */
export const CODE_LENGTHS = 19
export const END_OF_BLOCK = 256
export const FIRST_LENGTH = 257

/** The order in which the code lengths' own are sent (section 3.2.7). */
export const CODE_LENGTH_ORDER = [
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
] as const
/** The extra bits of the code lengths' symbols. */
export const REPEAT_BITS = Uint8Array.from(
  { length: CODE_LENGTHS },
  (_, symbol) => [2, 3, 7][symbol - 16] ?? 0,
)

/** Extra bits and first length, by symbol from 257 on (section 3.2.5). */
export const LENGTH_BITS = Uint8Array.from({ length: 29 }, (_, index) =>
  index < 4 || index === 28 ? 0 : (index >> 2) - 1,
)
export const LENGTH_STARTS = startsOf(LENGTH_BITS, 3)
LENGTH_STARTS[28] = 258

/** Extra bits and first distance, by symbol. */
export const DISTANCE_BITS = Uint8Array.from({ length: DISTANCES }, (_, index) =>
  index < 2 ? 0 : (index >> 1) - 1,
)
export const DISTANCE_STARTS = startsOf(DISTANCE_BITS, 1)

/** The symbol of each length. */
export const LENGTH_SYMBOLS = Uint16Array.from(
  { length: 259 },
  (_, length) => FIRST_LENGTH + LENGTH_STARTS.findLastIndex((start) => start <= length),
)

// Above 256, symbols begin at multiples of 128, plus 1.
const NEAR_SYMBOLS = Uint8Array.from({ length: 257 }, (_, distance) => symbolOf(distance))
const FAR_SYMBOLS = Uint8Array.from({ length: 256 }, (_, index) => symbolOf((index << 7) + 1))

/** The symbol of a distance. */
export function distanceSymbol(distance: number): number {
  return (distance <= 256 ? NEAR_SYMBOLS[distance] : FAR_SYMBOLS[(distance - 1) >> 7]) as number
}

function symbolOf(distance: number): number {
  return DISTANCE_STARTS.findLastIndex((start) => start <= distance)
}

/** The first value of each symbol: each begins where the one before ends. */
function startsOf(bits: Uint8Array, first: number): Uint16Array {
  const starts = new Uint16Array(bits.length)
  for (let index = 0, start = first; index < bits.length; index++) {
    starts[index] = start
    start += 2 ** (bits[index] as number)
  }
  return starts
}

/** Both codes of a block: the lengths, and what `assignCodes` makes of them. */
export interface BlockCodes {
  readonly literalLengths: Uint8Array
  readonly distanceLengths: Uint8Array
  readonly literals: Uint32Array
  readonly distances: Uint32Array
}

export function makeCodes(literals = LITERALS): BlockCodes {
  return {
    literalLengths: new Uint8Array(literals),
    distanceLengths: new Uint8Array(DISTANCES),
    literals: new Uint32Array(literals),
    distances: new Uint32Array(DISTANCES),
  }
}

/** Section 3.2.6. */
export const FIXED: BlockCodes = makeCodes(FIXED_LITERALS)
FIXED.literalLengths.fill(8).fill(9, 144).fill(7, 256).fill(8, 280)
FIXED.distanceLengths.fill(5)
assignCodes(FIXED.literalLengths, FIXED.literals)
assignCodes(FIXED.distanceLengths, FIXED.distances)
