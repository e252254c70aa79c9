// Log: records read without a general decoder, for those who read millions; promises what the decoder of record.ts gives, or to say that it must judge.

import { sha256, sha256Latin1 } from './sha256.ts'

/** A part as it lies in the bytes of its record. */
export interface PartPlace {
  readonly retention: string
  /** Where the retention's head is. */
  readonly retentionAt: number
  /** Where the salt is, or the digest of a part that was erased. */
  readonly saltAt: number
  /** Where the content is; undefined once it was erased. */
  readonly contentAt: number | undefined
  readonly end: number
}

/** A record as its bytes lie. */
export interface RecordPlaces {
  readonly seq: number
  readonly grain: number
  readonly type: string
  /** Behind the head of the list of parts. Up to there the leaf hash covers the same bytes. */
  readonly partsAt: number
  readonly parts: readonly PartPlace[]
}

// RFC 8949: the heads that a record has (docs/log.md).
const ARRAY = 0x80
const ARRAY_OF_5 = 0x85
const VERSION_1 = 0x01
const PART = 0x83
const ERASED_PART = 0x82
const SALT = 0x50
const SALT_LENGTH = 16
const DIGEST = 0x5820
const DIGEST_LENGTH = 32

/**
 * Finds the parts of a record.
 *
 * @returns undefined when it may be another encoding than the one that is written: record.ts must judge
 */
export function findParts(record: Uint8Array): RecordPlaces | undefined {
  const reader = new Reader(record, 0)
  try {
    if (reader.byte() !== ARRAY_OF_5 || reader.byte() !== VERSION_1) return undefined
    const seq = reader.head(UNSIGNED)
    const grain = reader.head(UNSIGNED)
    const type = reader.text(reader.head(TEXT))
    const count = reader.byte() - ARRAY
    if (!(count >= 0 && count < 24)) return undefined
    const partsAt = reader.at
    const parts: PartPlace[] = []
    while (parts.length < count) parts.push(findPart(reader))
    return reader.at === record.length ? { seq, grain, type, partsAt, parts } : undefined
  } catch (error) {
    if (error === UNUSUAL) return undefined
    throw error
  }
}

function findPart(reader: Reader): PartPlace {
  const initial = reader.byte()
  const retentionAt = reader.at
  const retention = reader.text(reader.head(TEXT))
  if (initial === ERASED_PART) {
    if (((reader.byte() << 8) | reader.byte()) !== DIGEST) throw UNUSUAL
    const saltAt = reader.skip(DIGEST_LENGTH)
    return { retention, retentionAt, saltAt, contentAt: undefined, end: reader.at }
  }
  if (initial !== PART || reader.byte() !== SALT) throw UNUSUAL
  const saltAt = reader.skip(SALT_LENGTH)
  const contentAt = reader.skip(reader.head(BYTES))
  return { retention, retentionAt, saltAt, contentAt, end: reader.at }
}

// What is hashed is put together here: a buffer of its own for each costs more than the hash.
let preimage = Buffer.allocUnsafe(16_384)

/** The leaf hash of a record whose parts were found. */
export function leafHashAt(record: Uint8Array, { partsAt, parts }: RecordPlaces): Buffer {
  // A digest more than the record has, for each part, is the most that the preimage can be longer.
  const most = 1 + record.length + parts.length * (DIGEST_LENGTH + 2)
  if (preimage.length < most * 2) preimage = Buffer.allocUnsafe(most * 2)
  preimage[0] = 0
  let length = 1 + copy(record, 0, partsAt, 1)
  for (const { retentionAt, saltAt, contentAt, end } of parts) {
    preimage[length++] = ERASED_PART
    // Up to the head of salt or digest, which is one byte or two.
    const retentionEnd = saltAt - (contentAt === undefined ? 2 : 1)
    length += copy(record, retentionAt, retentionEnd, length)
    length = preimage.writeUInt16BE(DIGEST, length)
    if (contentAt === undefined) length += copy(record, saltAt, end, length)
    else {
      const salted = most + copy(record, saltAt, saltAt + SALT_LENGTH, most)
      const until = salted + copy(record, contentAt, end, salted)
      length += preimage.write(sha256Latin1(preimage.subarray(most, until)), length, 'latin1')
    }
  }
  return sha256(preimage.subarray(0, length))
}

function copy(record: Uint8Array, from: number, to: number, at: number): number {
  preimage.set(record.subarray(from, to), at)
  return to - from
}

/**
 * A value of deterministic CBOR whose bytes are known to be what was written. Its byte strings share them.
 *
 * @returns undefined for what only the general decoder can read: texts beyond ASCII, numbers beyond 2^53
 */
export function readKnownValue(bytes: Uint8Array, from: number, end: number): unknown {
  const reader = new Reader(bytes, from)
  try {
    const value = reader.value()
    return reader.at === end ? value : undefined
  } catch (error) {
    if (error === UNUSUAL) return undefined
    throw error
  }
}

// Major types.
const UNSIGNED = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const LIST = 4
const MAP = 5
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6

/** Thrown within this file; it carries nothing. */
const UNUSUAL = new Error('unusual')

/** Texts come again and again, as names of fields above all: some are kept, by a hash of their bytes. */
const KEPT_TEXTS = 1_024
const MOST_KEPT_LENGTH = 48
const keptTexts: (string | undefined)[] = Array.from({ length: KEPT_TEXTS }, () => undefined)

class Reader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw UNUSUAL
    return byte
  }

  /** Goes on behind so many bytes. @returns where they begin */
  skip(length: number): number {
    const from = this.at
    this.at += length
    if (this.at > this.#bytes.length) throw UNUSUAL
    return from
  }

  /** The argument of a head of this major type, in its shortest form. */
  head(major: number): number {
    const initial = this.byte()
    if (initial >> 5 !== major) throw UNUSUAL
    return this.argument(initial & 31)
  }

  argument(info: number): number {
    if (info < 24) return info
    if (info > 27) throw UNUSUAL
    let value = 0
    for (let left = 1 << (info - 24); left > 0; left--) value = value * 256 + this.byte()
    const least = info === 24 ? 24 : 2 ** (4 << (info - 24))
    if (value < least || value > Number.MAX_SAFE_INTEGER) throw UNUSUAL
    return value
  }

  text(length: number): string {
    const bytes = this.#bytes
    const from = this.skip(length)
    let digest = length
    for (let at = from; at < this.at; at++) {
      const byte = bytes[at] as number
      if (byte > 127) throw UNUSUAL
      digest = (Math.imul(digest, 31) + byte) | 0
    }
    if (length > MOST_KEPT_LENGTH) return this.#decode(from)
    const slot = (digest ^ (digest >>> 10)) & (KEPT_TEXTS - 1)
    const kept = keptTexts[slot]
    if (kept !== undefined && this.#is(kept, from)) return kept
    return (keptTexts[slot] = this.#decode(from))
  }

  #is(text: string, from: number): boolean {
    if (text.length !== this.at - from) return false
    for (let index = 0; index < text.length; index++)
      if (text.charCodeAt(index) !== this.#bytes[from + index]) return false
    return true
  }

  #decode(from: number): string {
    const { buffer, byteOffset } = this.#bytes
    return Buffer.from(buffer, byteOffset + from, this.at - from).toString('latin1')
  }

  value(): unknown {
    const initial = this.byte()
    if (initial === FALSE) return false
    if (initial === TRUE) return true
    if (initial === NULL) return null
    const major = initial >> 5
    const argument = this.argument(initial & 31)
    if (major === UNSIGNED) return argument
    if (major === NEGATIVE && argument < Number.MAX_SAFE_INTEGER) return -1 - argument
    if (major === BYTES) {
      const { buffer, byteOffset } = this.#bytes
      return new Uint8Array(buffer, byteOffset + this.skip(argument), argument)
    }
    if (major === TEXT) return this.text(argument)
    if (major === LIST) return this.#list(argument)
    if (major === MAP) return this.#map(argument)
    throw UNUSUAL
  }

  #list(length: number): unknown[] {
    const list: unknown[] = []
    while (list.length < length) list.push(this.value())
    return list
  }

  #map(length: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    for (let left = length; left > 0; left--) {
      const name = this.text(this.head(TEXT))
      // No field has this name, and setting it would do something else.
      if (name === '__proto__') throw UNUSUAL
      map[name] = this.value()
    }
    return map
  }
}
