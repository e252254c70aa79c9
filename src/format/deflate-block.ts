// Format: a block of deflate, from literals and matches to bits; promises the shortest of the forms that a block can have.

import {
  CODE_LENGTH_ORDER,
  CODE_LENGTHS,
  DISTANCE_BITS,
  DISTANCE_STARTS,
  DISTANCES,
  distanceSymbol,
  END_OF_BLOCK,
  FIRST_LENGTH,
  FIXED,
  LENGTH_BITS,
  LENGTH_STARTS,
  LENGTH_SYMBOLS,
  LITERALS,
  makeCodes,
  REPEAT_BITS,
  type BlockCodes,
} from './deflate-symbols.ts'
import { assignCodes, HuffmanBuilder } from './huffman.ts'

/** The most bytes that a stored block can hold (RFC 1951, section 3.2.4): so each block can be stored. */
export const MAX_BLOCK_BYTES = 65_535
/** The shortest match that is used. */
export const MIN_MATCH = 4

// Section 3.2.7: limits of the codes of bytes, lengths and distances, and of the code for their lengths.
const MAX_CODE_BITS = 15
const MAX_CODE_LENGTH_BITS = 7

const MAX_MATCHES = Math.ceil(MAX_BLOCK_BYTES / MIN_MATCH)

/** The matches of a block; between them, and behind the last, are literals. */
export class Matches {
  count = 0
  /** For each: how many literals come before it; its length; its distance. */
  readonly literals = new Uint16Array(MAX_MATCHES)
  readonly lengths = new Uint16Array(MAX_MATCHES)
  readonly distances = new Uint16Array(MAX_MATCHES)

  add(literals: number, length: number, distance: number): void {
    const index = this.count++
    this.literals[index] = literals
    this.lengths[index] = length
    this.distances[index] = distance
  }
}

/** What comes before the symbols of a dynamic block. */
interface BlockHeader {
  /** How many lengths of each code are sent, and how many symbols say them. */
  readonly literals: number
  readonly distances: number
  readonly size: number
  /** How many lengths of those symbols' own code. */
  readonly sent: number
  readonly bits: number
}

/** Writes blocks one behind the other. */
export class BlockWriter {
  readonly #huffman = new HuffmanBuilder()
  readonly #literalCounts = new Uint32Array(LITERALS)
  readonly #distanceCounts = new Uint32Array(DISTANCES)
  readonly #codes = makeCodes()
  /** The code lengths of a block, runs shortened: symbol + extra bits * 32. */
  readonly #lengthSymbols = new Uint16Array(LITERALS + DISTANCES)
  readonly #lengthCounts = new Uint32Array(CODE_LENGTHS)
  readonly #lengthLengths = new Uint8Array(CODE_LENGTHS)
  readonly #lengthCodes = new Uint32Array(CODE_LENGTHS)
  // No block takes more than it would stored.
  readonly #output = new Uint8Array(MAX_BLOCK_BYTES + 16)
  readonly #view = new DataView(this.#output.buffer)
  #at = 0
  // Up to 15 bits that wait for others, the first lowest.
  #hold = 0
  #count = 0

  /**
   * Writes a block.
   *
   * @param bytes at most MAX_BLOCK_BYTES
   * @param matches within `bytes`; they may reach back to earlier ones
   * @returns the bytes that are complete; the last block completes the last byte
   */
  write(bytes: Uint8Array, matches: Matches, isLast: boolean): Uint8Array {
    const codes = this.#codes
    const extraBits = this.#countSymbols(bytes, matches)
    this.#huffman.findLengths(this.#literalCounts, MAX_CODE_BITS, codes.literalLengths)
    this.#huffman.findLengths(this.#distanceCounts, MAX_CODE_BITS, codes.distanceLengths)
    const header = this.#makeHeader(codes)
    const dynamicBits = header.bits + this.#symbolBits(codes) + extraBits
    const fixedBits = this.#symbolBits(FIXED) + extraBits
    const storedBits = ((5 - this.#count) & 7) + 32 + 8 * bytes.length
    this.#put(isLast ? 1 : 0, 1)
    if (storedBits < Math.min(fixedBits, dynamicBits)) this.#putStored(bytes)
    else if (fixedBits <= dynamicBits) {
      this.#put(1, 2)
      this.#putSymbols(bytes, matches, FIXED)
    } else {
      this.#put(2, 2)
      this.#putHeader(header)
      assignCodes(codes.literalLengths, codes.literals)
      assignCodes(codes.distanceLengths, codes.distances)
      this.#putSymbols(bytes, matches, codes)
    }
    if (isLast) this.#put(0, -this.#count & 7)
    return this.#takeBytes()
  }

  /** Counts the symbols of a block. Returns how many extra bits they have. */
  #countSymbols(bytes: Uint8Array, matches: Matches): number {
    const literals = this.#literalCounts.fill(0)
    const distances = this.#distanceCounts.fill(0)
    let extraBits = 0
    let at = 0
    for (let index = 0; index < matches.count; index++) {
      for (const end = at + (matches.literals[index] as number); at < end; at++)
        literals[bytes[at] as number]!++
      const length = matches.lengths[index] as number
      at += length
      const symbol = LENGTH_SYMBOLS[length] as number
      literals[symbol]!++
      const way = distanceSymbol(matches.distances[index] as number)
      distances[way]!++
      extraBits += (LENGTH_BITS[symbol - FIRST_LENGTH] as number) + (DISTANCE_BITS[way] as number)
    }
    for (; at < bytes.length; at++) literals[bytes[at] as number]!++
    literals[END_OF_BLOCK] = 1
    return extraBits
  }

  /** What the symbols take without their extra bits. */
  #symbolBits({ literalLengths, distanceLengths }: BlockCodes): number {
    let bits = 0
    for (let symbol = 0; symbol < LITERALS; symbol++)
      bits += (this.#literalCounts[symbol] as number) * (literalLengths[symbol] as number)
    for (let symbol = 0; symbol < DISTANCES; symbol++)
      bits += (this.#distanceCounts[symbol] as number) * (distanceLengths[symbol] as number)
    return bits
  }

  /** Prepares what says the lengths of a block's codes (section 3.2.7). */
  #makeHeader({ literalLengths, distanceLengths }: BlockCodes): BlockHeader {
    const literals = usedOf(literalLengths, FIRST_LENGTH)
    const distances = usedOf(distanceLengths, 1)
    const lengths = new Uint8Array(literals + distances)
    lengths.set(literalLengths.subarray(0, literals))
    lengths.set(distanceLengths.subarray(0, distances), literals)
    const size = this.#shortenRuns(lengths)
    const counts = this.#lengthCounts.fill(0)
    for (let index = 0; index < size; index++)
      counts[(this.#lengthSymbols[index] as number) & 31]!++
    this.#huffman.findLengths(counts, MAX_CODE_LENGTH_BITS, this.#lengthLengths)
    let sent = CODE_LENGTHS
    while (sent > 4 && this.#lengthLengths[CODE_LENGTH_ORDER[sent - 1] as number] === 0) sent--
    let bits = 14 + 3 * sent
    for (let symbol = 0; symbol < CODE_LENGTHS; symbol++)
      bits +=
        (counts[symbol] as number) *
        ((this.#lengthLengths[symbol] as number) + (REPEAT_BITS[symbol] as number))
    return { literals, distances, size, sent, bits }
  }

  /** Makes symbols of code lengths. Returns how many. */
  #shortenRuns(lengths: Uint8Array): number {
    let size = 0
    for (let index = 0; index < lengths.length;) {
      const length = lengths[index] as number
      const start = index++
      while (lengths[index] === length) index++
      let run = index - start
      if (length > 0) {
        this.#lengthSymbols[size++] = length
        run--
      }
      for (; run >= 3; size++) {
        const times = Math.min(run, length > 0 ? 6 : 138)
        this.#lengthSymbols[size] =
          length > 0
            ? 16 | ((times - 3) << 5)
            : times <= 10
              ? 17 | ((times - 3) << 5)
              : 18 | ((times - 11) << 5)
        run -= times
      }
      for (; run > 0; run--) this.#lengthSymbols[size++] = length
    }
    return size
  }

  #putHeader({ literals, distances, size, sent }: BlockHeader): void {
    this.#put(literals - FIRST_LENGTH, 5)
    this.#put(distances - 1, 5)
    this.#put(sent - 4, 4)
    for (const symbol of CODE_LENGTH_ORDER.slice(0, sent))
      this.#put(this.#lengthLengths[symbol] as number, 3)
    assignCodes(this.#lengthLengths, this.#lengthCodes)
    for (let index = 0; index < size; index++) {
      const symbol = this.#lengthSymbols[index] as number
      this.#putCode(this.#lengthCodes[symbol & 31] as number)
      this.#put(symbol >> 5, REPEAT_BITS[symbol & 31] as number)
    }
  }

  #putSymbols(bytes: Uint8Array, matches: Matches, { literals, distances }: BlockCodes): void {
    let at = 0
    for (let index = 0; index < matches.count; index++) {
      const start = at + (matches.literals[index] as number)
      this.#putLiterals(bytes, at, start, literals)
      const length = matches.lengths[index] as number
      at = start + length
      const symbol = LENGTH_SYMBOLS[length] as number
      const kind = symbol - FIRST_LENGTH
      this.#putCode(literals[symbol] as number)
      this.#put(length - (LENGTH_STARTS[kind] as number), LENGTH_BITS[kind] as number)
      const distance = matches.distances[index] as number
      const way = distanceSymbol(distance)
      this.#putCode(distances[way] as number)
      this.#put(distance - (DISTANCE_STARTS[way] as number), DISTANCE_BITS[way] as number)
    }
    this.#putLiterals(bytes, at, bytes.length, literals)
    this.#putCode(literals[END_OF_BLOCK] as number)
  }

  /** Most of the time goes here, so the bits are kept in variables. */
  #putLiterals(bytes: Uint8Array, start: number, end: number, codes: Uint32Array): void {
    const view = this.#view
    let at = this.#at
    let hold = this.#hold
    let count = this.#count
    for (let index = start; index < end; index++) {
      const code = codes[bytes[index] as number] as number
      hold |= (code >> 4) << count
      count += code & 15
      if (count < 16) continue
      view.setUint16(at, hold, true)
      at += 2
      hold >>>= 16
      count -= 16
    }
    this.#at = at
    this.#hold = hold
    this.#count = count
  }

  #putStored(bytes: Uint8Array): void {
    this.#put(0, 2)
    this.#put(0, -this.#count & 7)
    this.#put(bytes.length, 16)
    this.#put(~bytes.length & 0xffff, 16)
    this.#putWholeBytes()
    this.#output.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #putCode(code: number): void {
    this.#put(code >> 4, code & 15)
  }

  /** Writes up to 16 bits. */
  #put(value: number, bits: number): void {
    this.#hold |= value << this.#count
    this.#count += bits
    if (this.#count < 16) return
    this.#view.setUint16(this.#at, this.#hold, true)
    this.#at += 2
    this.#hold >>>= 16
    this.#count -= 16
  }

  #putWholeBytes(): void {
    for (; this.#count >= 8; this.#count -= 8) {
      this.#output[this.#at++] = this.#hold
      this.#hold >>>= 8
    }
  }

  #takeBytes(): Uint8Array {
    this.#putWholeBytes()
    const bytes = this.#output.slice(0, this.#at)
    this.#at = 0
    return bytes
  }
}

/** How many lengths are sent, the zeros at the end left out. */
function usedOf(lengths: Uint8Array, least: number): number {
  let used = lengths.length
  while (used > least && lengths[used - 1] === 0) used--
  return used
}
