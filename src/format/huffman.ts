// Format: Huffman codes of limited length, as deflate has them; promises the fewest bits that such a code can come to, and the same code everywhere.

/** The most symbols of a code, and the longest code (RFC 1951, sections 3.2.5 to 3.2.7). */
const MAX_SYMBOLS = 288
const MAX_BITS = 15

// A count and its symbol are sorted as one number, so that equal counts have an order.
const SYMBOL_BITS = 9
const SYMBOL_MASK = (1 << SYMBOL_BITS) - 1
/** More than any weight. */
const NONE = 0x7fffffff

/** Finds the lengths of codes. Holds the room for it, so that a code takes no memory of its own. */
export class HuffmanBuilder {
  readonly #sorted = new Uint32Array(MAX_SYMBOLS)
  readonly #weights = [new Uint32Array(2 * MAX_SYMBOLS), new Uint32Array(2 * MAX_SYMBOLS)] as const
  /** For each list, for each of its places: 1 for a symbol, 0 for a pair from the list before. */
  readonly #isSymbol = new Uint8Array(MAX_BITS * 2 * MAX_SYMBOLS)

  /**
   * Sets the length of each symbol's code such that the sum of count * length is the least possible: the package-merge
   * algorithm (Larmore and Hirschberg, A Fast Algorithm for Optimal Length-Limited Huffman Codes, 1990). A symbol that
   * doesn't occur gets 0, one that is alone 1.
   *
   * @param counts how often each symbol occurs; together below 2^23
   * @param limit the longest code, 1 to 15; 2^limit must not be less than the number of symbols that occur
   * @param lengths is written, in the order of `counts`
   */
  findLengths(counts: Uint32Array, limit: number, lengths: Uint8Array): void {
    lengths.fill(0)
    const sorted = this.#sort(counts)
    if (sorted.length === 1) lengths[(sorted[0] as number) & SYMBOL_MASK] = 1
    if (sorted.length < 2) return
    for (let list = 0, size = 0; list < limit; list++) size = this.#merge(sorted, list, size)
    // A symbol's code is as long as the symbol is often among the cheapest 2n - 2 of the last list; what is in a pair
    // stands in the list before. Symbols are there in their order, so it is always the first few of them.
    for (let list = limit - 1, taken = 2 * sorted.length - 2; taken > 0; list--) {
      const start = list * 2 * MAX_SYMBOLS
      let symbols = 0
      for (let place = start; place < start + taken; place++)
        symbols += this.#isSymbol[place] as number
      for (let index = 0; index < symbols; index++)
        lengths[(sorted[index] as number) & SYMBOL_MASK]!++
      taken = 2 * (taken - symbols)
    }
  }

  /** Those that occur, rarest first. */
  #sort(counts: Uint32Array): Uint32Array {
    let used = 0
    for (let symbol = 0; symbol < counts.length; symbol++) {
      const count = counts[symbol] as number
      if (count > 0) this.#sorted[used++] = (count << SYMBOL_BITS) | symbol
    }
    return this.#sorted.subarray(0, used).sort()
  }

  /** Makes a list of all symbols and of the pairs of the list before, in the order of weight. Returns its size. */
  #merge(sorted: Uint32Array, list: number, sizeBefore: number): number {
    const before = this.#weights[(list & 1) as 0 | 1]
    const weights = this.#weights[(~list & 1) as 0 | 1]
    const start = list * 2 * MAX_SYMBOLS
    const pairs = sizeBefore >> 1
    const size = sorted.length + pairs
    for (let place = 0, symbol = 0, pair = 0; place < size; place++) {
      const single = symbol < sorted.length ? (sorted[symbol] as number) >>> SYMBOL_BITS : NONE
      const double =
        pair < pairs ? (before[2 * pair] as number) + (before[2 * pair + 1] as number) : NONE
      const isSymbol = single <= double
      weights[place] = isSymbol ? single : double
      this.#isSymbol[start + place] = isSymbol ? 1 : 0
      if (isSymbol) symbol++
      else pair++
    }
    return size
  }
}

/**
 * The codes that follow from their lengths (RFC 1951, section 3.2.2).
 *
 * @param codes is written: for each symbol code * 16 + length, the code's first bit lowest, as it is sent; 0 without a code
 */
export function assignCodes(lengths: Uint8Array, codes: Uint32Array): void {
  const next = new Uint32Array(MAX_BITS + 2)
  for (const bits of lengths) if (bits > 0) next[bits + 1]!++
  for (let bits = 1; bits <= MAX_BITS; bits++)
    next[bits + 1] = ((next[bits + 1] as number) + (next[bits] as number)) << 1
  for (const [symbol, bits] of lengths.entries())
    codes[symbol] = bits === 0 ? 0 : (reverse(next[bits]!++, bits) << 4) | bits
}

function reverse(code: number, bits: number): number {
  let reversed = 0
  for (let bit = 0; bit < bits; bit++) reversed |= ((code >> bit) & 1) << (bits - 1 - bit)
  return reversed
}
