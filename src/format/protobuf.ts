// Format: the few parts of protocol buffers that exposure notification uses; promises that no length of an attacker's is believed.

import { FormatError } from './format-error.ts'

/** Wire types (protobuf encoding, "Message Structure"). */
export const VARINT = 0
export const FIXED64 = 1
export const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4
const FIXED32 = 5

/** The longest field that is read: a key has some 40 bytes, a list of signatures some 1,000. */
export const MAX_FIELD_BYTES = 16_384
/** As deep as other readers follow groups. */
const MAX_DEPTH = 100

/** A growing buffer of encoded fields. */
export class ProtobufWriter {
  #bytes: Uint8Array
  #length = 0

  /** @param capacity bytes expected, so that nothing is copied when it is right */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType)
  }

  /** A varint of up to 53 bits; negative numbers as int32 are, in 10 bytes. */
  varint(value: number): void {
    if (value < 0) {
      this.#negative(value)
      return
    }
    this.#reserve(10)
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128))
      this.#bytes[this.#length++] = (rest % 128) | 0x80
    this.#bytes[this.#length++] = rest
  }

  /** sint32. */
  zigzag(value: number): void {
    this.varint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  fixed64(value: number): void {
    this.#reserve(8)
    const view = new DataView(this.#bytes.buffer, this.#length)
    view.setUint32(0, value >>> 0, true)
    view.setUint32(4, Math.floor(value / 2 ** 32), true)
    this.#length += 8
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A length-delimited field. */
  bytes(field: number, bytes: Uint8Array): void {
    this.tag(field, LENGTH_DELIMITED)
    this.varint(bytes.length)
    this.raw(bytes)
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    this.#reserve(10)
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80
    this.#bytes[this.#length++] = Number(rest)
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Reads fields one by one, in place: nothing is copied, and nothing is allocated by a length that was only declared. */
export class ProtobufReader {
  readonly bytes: Uint8Array
  offset: number
  readonly end: number
  // The halves of the number that was read last.
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = start
    this.end = end
  }

  get done(): boolean {
    return this.offset >= this.end
  }

  /** A varint of at most 53 bits: a length or a tag. @throws FormatError `protobuf_malformed` */
  varint(): number {
    this.#readVarint()
    return this.#safe('a length')
  }

  /** int32, which travels in 64 bits when negative; higher bits are dropped, as other readers do. */
  int32(): number {
    this.#readVarint()
    return this.#low | 0
  }

  sint32(): number {
    this.#readVarint()
    return (this.#low >>> 1) ^ -(this.#low & 1)
  }

  /** Seconds and the like: up to 2^53. */
  fixed64(): number {
    this.#need(8)
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.offset, 8)
    this.offset += 8
    this.#low = view.getUint32(0, true)
    this.#high = view.getUint32(4, true)
    return this.#safe('a time')
  }

  /** The bounds of a length-delimited field of at most `MAX_FIELD_BYTES`; the reader moves behind it. */
  delimited(): { readonly start: number; readonly end: number } {
    const length = this.varint()
    if (length > MAX_FIELD_BYTES) throw malformed(`a field has more than ${MAX_FIELD_BYTES} bytes`)
    this.#need(length)
    const start = this.offset
    this.offset += length
    return { start, end: this.offset }
  }

  /**
   * Passes over a field that isn't known.
   *
   * @param field its number, by which a group ends
   */
  skip(wireType: number, field = 0): void {
    if (wireType === VARINT) this.#readVarint()
    else if (wireType === FIXED64) this.#advance(8)
    else if (wireType === LENGTH_DELIMITED) this.delimited()
    else if (wireType === FIXED32) this.#advance(4)
    else if (wireType === START_GROUP) this.#skipGroup(field)
    else throw malformed(`unknown wire type ${wireType}`)
  }

  /** Groups are how unknown fields lay inside one another in the 2000s; proto2 still allows them. */
  #skipGroup(outermost: number): void {
    const open = [outermost]
    while (open.length > 0) {
      const { field, wireType } = readTag(this)
      if (wireType === START_GROUP && open.push(field) > MAX_DEPTH)
        throw malformed(`it is nested more than ${MAX_DEPTH} deep`)
      if (wireType === END_GROUP && open.pop() !== field)
        throw malformed('a group ends that did not begin')
      if (wireType !== START_GROUP && wireType !== END_GROUP) this.skip(wireType)
    }
  }

  #readVarint(): void {
    this.#low = 0
    this.#high = 0
    for (let count = 0; count < 10; count++) {
      if (this.offset >= this.end) throw malformed('a number ends early')
      const byte = this.bytes[this.offset++] as number
      this.#take(byte & 0x7f, count)
      if (byte < 0x80) return
    }
    throw malformed('a number has more than 10 bytes')
  }

  /** Adds 7 bits of a varint; the fifth group lies in both halves, of the tenth only one bit fits. */
  #take(bits: number, group: number): void {
    if (group < 4) this.#low += bits * 2 ** (7 * group)
    else if (group === 4) {
      this.#low += (bits & 0x0f) * 2 ** 28
      this.#high = bits >> 4
    } else if (group < 9 || bits <= 1) this.#high += bits * 2 ** (7 * group - 32)
    else throw malformed('a number has more than 64 bits')
  }

  #safe(what: string): number {
    if (this.#high >= 2 ** 21) throw malformed(`${what} is beyond all measure`)
    return this.#high * 2 ** 32 + this.#low
  }

  #advance(length: number): void {
    this.#need(length)
    this.offset += length
  }

  #need(length: number): void {
    if (length > this.end - this.offset) throw malformed('a field is longer than the message')
  }
}

/** Reads the tag of the next field. */
export function readTag(reader: ProtobufReader): {
  readonly field: number
  readonly wireType: number
} {
  const tag = reader.varint()
  const field = Math.floor(tag / 8)
  if (field === 0 || tag > 0xffffffff) throw malformed('a field has no valid number')
  return { field, wireType: tag % 8 }
}

/** The error of a message that is none. */
export function malformed(problem: string): FormatError {
  return new FormatError('protobuf_malformed', `The message is malformed: ${problem}.`)
}

// A mark of byte order is a character like others: bytes that are read and written again stay the same.
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// Regions, identifiers of keys and algorithms: the longest that anybody used has 50 characters.
const MAX_TEXT_BYTES = 1_000

/** Reads the text that the reader stands at. @throws FormatError `protobuf_malformed` when it is too long or not UTF-8 */
export function readText(reader: ProtobufReader): string {
  const { start, end } = reader.delimited()
  if (end - start > MAX_TEXT_BYTES) throw malformed(`a text has more than ${MAX_TEXT_BYTES} bytes`)
  try {
    return fromUtf8.decode(reader.bytes.subarray(start, end))
  } catch {
    throw malformed('a text is not UTF-8')
  }
}
