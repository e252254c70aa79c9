// Format: decompression of deflate, piece by piece; promises to stop as soon as it comes to more than it may, and to hold little of it.

// RFC 1951: how far back a match may reach, how long it may be, and how many bits a code may have.
const WINDOW_BYTES = 32_768
const MAX_MATCH = 258
const MAX_CODE_BITS = 15
const END_OF_BLOCK = 256

const PIECE_BYTES = 65_536
// As long as there is room for one more match.
const FULL = WINDOW_BYTES + PIECE_BYTES - MAX_MATCH

/**
 * Inflates a whole stream (RFC 1951). A piece is valid until the next one is asked for.
 *
 * @param maxSize bytes that it may come to
 * @throws RangeError when it comes to more, ends early, has bytes behind its end, or isn't deflate
 */
export function* inflateRaw(compressed: Uint8Array, maxSize: number): Generator<Uint8Array, void> {
  const inflater = new Inflater(compressed)
  for (let left = maxSize; ;) {
    const piece = inflater.next()
    if (piece === undefined) return
    left -= piece.length
    if (left < 0) throw new RangeError(`more than ${maxSize} bytes`)
    yield piece
  }
}

/** The state of a stream between two pieces. Calls are plain rather than generators: this is where all the time goes. */
class Inflater {
  readonly #input: Uint8Array
  #position = 0
  // Bits that were taken from the input and not used yet, the next one lowest.
  #hold = 0
  #count = 0
  /** What was given before, as far as matches may reach, and the piece behind it. */
  readonly #output = new Uint8Array(WINDOW_BYTES + PIECE_BYTES)
  #at = 0
  #isLast = false
  #done = false
  /** Bytes that are left of a stored block. */
  #stored = 0
  /** The codes of a compressed block. */
  #codes: Codes | undefined

  constructor(input: Uint8Array) {
    this.#input = input
  }

  /** The next piece, or undefined at the end. */
  next(): Uint8Array | undefined {
    if (this.#at > WINDOW_BYTES) {
      this.#output.copyWithin(0, this.#at - WINDOW_BYTES, this.#at)
      this.#at = WINDOW_BYTES
    }
    const start = this.#at
    while (this.#at < FULL && !this.#done) {
      if (this.#stored > 0) this.#copyStored()
      else if (this.#codes !== undefined) this.#decode(this.#codes)
      else if (this.#isLast) this.#finish()
      else this.#startBlock()
    }
    return this.#at === start ? undefined : this.#output.subarray(start, this.#at)
  }

  #finish(): void {
    if (this.#position - (this.#count >> 3) !== this.#input.length)
      throw new RangeError('bytes behind the end')
    this.#done = true
  }

  #startBlock(): void {
    this.#isLast = this.#take(1) === 1
    const type = this.#take(2)
    if (type === 0) this.#startStored()
    else if (type === 1) this.#codes = FIXED
    else if (type === 2) this.#codes = this.#readCodes()
    else throw new RangeError('an unknown type of block')
  }

  #startStored(): void {
    // The rest of the byte that the block begins in.
    this.#take(this.#count & 7)
    const length = this.#take(16)
    if ((length ^ this.#take(16)) !== 0xffff) throw new RangeError('a stored block is broken')
    // Whole bytes that were taken ahead.
    this.#position -= this.#count >> 3
    this.#hold = 0
    this.#count = 0
    this.#stored = length
  }

  #copyStored(): void {
    const length = Math.min(this.#stored, FULL - this.#at)
    const end = this.#position + length
    if (end > this.#input.length) throw new RangeError('it ends early')
    this.#output.set(this.#input.subarray(this.#position, end), this.#at)
    this.#position = end
    this.#at += length
    this.#stored -= length
  }

  /** The two codes of a dynamic block (section 3.2.7). */
  #readCodes(): Codes {
    const literals = this.#take(5) + 257
    const distances = this.#take(5) + 1
    const count = this.#take(4) + 4
    if (literals > 286 || distances > 30) throw new RangeError('too many codes')
    const lengths = new Uint8Array(literals + distances)
    for (let index = 0; index < count; index++)
      lengths[LENGTH_ORDER[index] as number] = this.#take(3)
    const code = makeCode(lengths.subarray(0, 19), false)
    lengths.fill(0)
    for (let index = 0; index < lengths.length;) {
      const symbol = this.#symbol(code)
      if (symbol < 16) {
        lengths[index++] = symbol
        continue
      }
      if (symbol === 16 && index === 0) throw new RangeError('nothing to repeat')
      const value = symbol === 16 ? (lengths[index - 1] as number) : 0
      const repeat =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7)
      if (index + repeat > lengths.length) throw new RangeError('too many repeats')
      lengths.fill(value, index, index + repeat)
      index += repeat
    }
    if (lengths[END_OF_BLOCK] === 0) throw new RangeError('a block without an end')
    return {
      literals: makeCode(lengths.subarray(0, literals), true),
      distances: makeCode(lengths.subarray(literals), true),
    }
  }

  /** Goes on with a compressed block until it ends or the piece is full. */
  #decode({ literals, distances }: Codes): void {
    const output = this.#output
    let at = this.#at
    while (at < FULL) {
      const symbol = this.#symbol(literals)
      if (symbol < END_OF_BLOCK) {
        output[at++] = symbol
        continue
      }
      if (symbol === END_OF_BLOCK) {
        this.#codes = undefined
        break
      }
      if (symbol > 285) throw new RangeError('an unknown length')
      const length = (LENGTHS[symbol - 257] as number) + this.#take(LENGTH_BITS[symbol - 257] ?? 0)
      const way = this.#symbol(distances)
      if (way > 29) throw new RangeError('an unknown distance')
      const distance = (DISTANCES[way] as number) + this.#take(DISTANCE_BITS[way] ?? 0)
      if (distance > at) throw new RangeError('a match from before the beginning')
      for (const end = at + length; at < end; at++) output[at] = output[at - distance] as number
    }
    this.#at = at
  }

  /** Takes up to 16 bits. */
  #take(bits: number): number {
    if (this.#count < bits) this.#fill()
    if (this.#count < bits) throw new RangeError('it ends early')
    const value = this.#hold & ((1 << bits) - 1)
    this.#hold >>>= bits
    this.#count -= bits
    return value
  }

  /** At least 17 bits, as long as there are any. */
  #fill(): void {
    while (this.#count <= 16 && this.#position < this.#input.length) {
      this.#hold |= (this.#input[this.#position++] as number) << this.#count
      this.#count += 8
    }
  }

  #symbol(code: Code): number {
    if (this.#count < MAX_CODE_BITS) this.#fill()
    const found = code.short[this.#hold & SHORT_MASK] as number
    const bits = found & 15
    if (bits === 0) return this.#longSymbol(code)
    if (bits > this.#count) throw new RangeError('it ends early')
    this.#hold >>>= bits
    this.#count -= bits
    return found >> 4
  }

  /** Bit by bit: codes of one length are consecutive numbers (section 3.2.2). */
  #longSymbol({ counts, symbols }: Code): number {
    let code = 0
    let first = 0
    let index = 0
    for (let bits = 1; bits <= Math.min(MAX_CODE_BITS, this.#count); bits++) {
      code |= (this.#hold >>> (bits - 1)) & 1
      const count = counts[bits] as number
      if (code - first < count) {
        this.#hold >>>= bits
        this.#count -= bits
        return symbols[index + code - first] as number
      }
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw new RangeError('no code, or it ends early')
  }
}

// Codes of up to so many bits are looked up at once; a table of all 15 would make many short blocks expensive.
const SHORT_BITS = 10
const SHORT_MASK = (1 << SHORT_BITS) - 1

/** A Huffman code. */
interface Code {
  /** By the next bits: symbol * 16 + length; 0 where a code is longer, or none. */
  readonly short: Uint16Array
  /** How many codes have each length. */
  readonly counts: Uint16Array
  /** In the order of their codes. */
  readonly symbols: Uint16Array
}

/** The codes of a block. */
interface Codes {
  readonly literals: Code
  readonly distances: Code
}

/**
 * A code from its lengths (section 3.2.2).
 *
 * @param mayBeOne whether a single code of one bit, or none at all, is allowed, though it isn't complete
 */
function makeCode(lengths: Uint8Array, mayBeOne: boolean): Code {
  const counts = new Uint16Array(MAX_CODE_BITS + 1)
  for (const length of lengths) counts[length]!++
  counts[0] = 0
  const next = new Uint16Array(MAX_CODE_BITS + 2)
  const places = new Uint16Array(MAX_CODE_BITS + 2)
  let left = 1
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    const count = counts[bits] as number
    left = left * 2 - count
    if (left < 0) throw new RangeError('more codes than there are')
    next[bits + 1] = ((next[bits] as number) + count) << 1
    places[bits + 1] = (places[bits] as number) + count
  }
  const used = places[MAX_CODE_BITS + 1] as number
  const isOne = used === 0 || (used === 1 && counts[1] === 1)
  if (left > 0 && !(mayBeOne && isOne)) throw new RangeError('a code is not complete')
  const short = new Uint16Array(SHORT_MASK + 1)
  const symbols = new Uint16Array(used)
  for (const [symbol, bits] of lengths.entries()) {
    if (bits === 0) continue
    symbols[places[bits]!++] = symbol
    const code = next[bits]!++
    if (bits > SHORT_BITS) continue
    for (let index = reverse(code, bits); index <= SHORT_MASK; index += 1 << bits)
      short[index] = symbol * 16 + bits
  }
  return { short, counts, symbols }
}

function reverse(code: number, bits: number): number {
  let reversed = 0
  for (let bit = 0; bit < bits; bit++) reversed |= ((code >> bit) & 1) << (bits - 1 - bit)
  return reversed
}

// Sections 3.2.5 to 3.2.7.
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
const LENGTH_BITS = Array.from({ length: 29 }, (_, index) =>
  index < 4 || index === 28 ? 0 : (index >> 2) - 1,
)
const LENGTHS = LENGTH_BITS.map((_, index) =>
  index === 28 ? MAX_MATCH : LENGTH_BITS.slice(0, index).reduce((sum, bits) => sum + 2 ** bits, 3),
)
const DISTANCE_BITS = Array.from({ length: 30 }, (_, index) => (index < 2 ? 0 : (index >> 1) - 1))
const DISTANCES = DISTANCE_BITS.map((_, index) =>
  DISTANCE_BITS.slice(0, index).reduce((sum, bits) => sum + 2 ** bits, 1),
)
const FIXED: Codes = {
  literals: makeCode(
    Uint8Array.from({ length: 288 }, (_, symbol) =>
      symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
    ),
    false,
  ),
  distances: makeCode(new Uint8Array(32).fill(5), false),
}
