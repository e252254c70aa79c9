// Format: a long message of protocol buffers that comes in pieces; promises to hold no more of it than a piece and the longest field.

import { LENGTH_DELIMITED, malformed, MAX_FIELD_BYTES, ProtobufReader } from './protobuf.ts'

// Its tag and its length.
const MAX_PREFIX_BYTES = 20

/** The outermost fields of a message, one by one. */
export class MessagePieces {
  readonly #pieces: Iterator<Uint8Array>
  #reader: ProtobufReader
  #isComplete = false
  /** For what is left of one piece, and the next. */
  #buffer = new Uint8Array()

  constructor(content: Uint8Array | Iterable<Uint8Array>) {
    const isWhole = content instanceof Uint8Array
    this.#pieces = (isWhole ? [] : content)[Symbol.iterator]()
    this.#reader = new ProtobufReader(isWhole ? content : new Uint8Array())
  }

  /** Up to `length` bytes that stand in front of the message. */
  take(length: number): Uint8Array {
    this.#ensure(length)
    const { bytes, offset, end } = this.#reader
    this.#reader.offset = Math.min(end, offset + length)
    return bytes.subarray(offset, this.#reader.offset)
  }

  /** A reader that stands at the next field, with the whole field behind it unless it is too long; undefined at the end. */
  next(): ProtobufReader | undefined {
    this.#ensure(MAX_FIELD_BYTES + MAX_PREFIX_BYTES)
    return this.#reader.done ? undefined : this.#reader
  }

  /** Passes over the field whose tag was read, of whatever length. */
  skip(wireType: number, field: number): void {
    if (wireType !== LENGTH_DELIMITED) {
      const { bytes, offset, end } = this.#reader
      // A group that is longer is refused wherever the pieces end.
      const part = new ProtobufReader(bytes, offset, Math.min(end, offset + MAX_FIELD_BYTES))
      part.skip(wireType, field)
      this.#reader.offset = part.offset
      return
    }
    for (let left = this.#reader.varint(); ;) {
      const step = Math.min(left, this.#reader.end - this.#reader.offset)
      this.#reader.offset += step
      left -= step
      if (left === 0) return
      this.#ensure(1)
      if (this.#reader.done) throw malformed('a field is longer than the message')
    }
  }

  /** Takes pieces until there are as many bytes, or no more pieces. */
  #ensure(bytes: number): void {
    while (this.#reader.end - this.#reader.offset < bytes && !this.#isComplete) {
      const { done, value } = this.#pieces.next()
      if (done === true) this.#isComplete = true
      else this.#append(value)
    }
  }

  #append(piece: Uint8Array): void {
    const { bytes, offset, end } = this.#reader
    const rest = end - offset
    const length = rest + piece.length
    const isLarger = length > this.#buffer.length
    // Some more than now, as the next rest may be longer.
    const buffer = isLarger ? new Uint8Array(length + MAX_FIELD_BYTES) : this.#buffer
    buffer.set(bytes.subarray(offset, end))
    buffer.set(piece, rest)
    this.#buffer = buffer
    this.#reader = new ProtobufReader(buffer, 0, length)
  }
}
