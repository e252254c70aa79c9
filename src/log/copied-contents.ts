// Log: rows of one column of bytes as a binary COPY gives them; promises each whole, whatever pieces it arrives in.

// PostgreSQL manual, COPY, binary format: signature, flags, length of an extension; then a row's field count and a field's length.
const HEADER = 11 + 4 + 4
const ROW_HEAD = 2 + 4
const TRAILER = -1

/** The values of the only column. Each has its bytes for itself or shares them with those that came with it. */
export async function* splitCopied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const waiting = new WaitingBytes()
  let isBegun = false
  for await (const chunk of chunks) {
    waiting.add(chunk)
    if (!isBegun) {
      if (waiting.length < HEADER) continue
      const extension = waiting.peek(HEADER).readUInt32BE(HEADER - 4)
      if (waiting.length < HEADER + extension) continue
      waiting.take(HEADER + extension)
      isBegun = true
    }
    while (waiting.length >= ROW_HEAD) {
      const length = waiting.peek(ROW_HEAD).readInt32BE(2)
      if (waiting.length < ROW_HEAD + length) break
      waiting.take(ROW_HEAD)
      yield waiting.take(length)
    }
  }
  if (waiting.length !== 2 || waiting.take(2).readInt16BE() !== TRAILER)
    throw new Error('the copy ended in the middle of a row')
}

/** Chunks in the order in which they came, joined only where somebody takes bytes of several. */
class WaitingBytes {
  #chunks: Buffer[] = []
  length = 0

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.length += chunk.length
  }

  /** The first bytes, which are there. */
  peek(length: number): Buffer {
    const [first] = this.#chunks
    if (first !== undefined && first.length >= length) return first.subarray(0, length)
    this.#chunks = [Buffer.concat(this.#chunks)]
    return (this.#chunks[0] as Buffer).subarray(0, length)
  }

  take(length: number): Buffer {
    const taken = this.peek(length)
    const [first, ...others] = this.#chunks
    this.#chunks =
      length === first?.length ? others : [(first as Buffer).subarray(length), ...others]
    this.length -= length
    return taken
  }
}
