// Log: an event as bytes and back (docs/log.md); promises that the same event gives the same bytes, and that a part can be erased without breaking the tree.

import { decode, encode } from 'cborg'
import { TocsinError } from '../errors.ts'
import { encodeQuickly } from './quick-encode.ts'
import { findParts, leafHashAt, readKnownValue } from './quick-record.ts'
import {
  isDetached,
  type DetachedRetention,
  type KeptRetention,
  type Retention,
} from './retentions.ts'
import { sha256 } from './sha256.ts'

/** The version of the record's form. */
export const RECORD_VERSION = 1

/** A part of an event. */
export type Part = KeptPart | DetachedPart

/** A part that is in its event's record. `content` is a value that deterministic CBOR can hold; undefined once it was erased. */
export interface KeptPart {
  readonly retention: KeptRetention
  readonly content: unknown
  readonly detached?: undefined
}

/** A part that is kept apart. `content` is undefined once it was erased, and where an event was read without it. */
export interface DetachedPart {
  readonly retention: DetachedRetention
  readonly content: Uint8Array | undefined
  readonly detached: true
}

/** An event as it is handed to the log. */
export interface NewEvent {
  /** What happened: `report`, `release`, `authority.added` and so on. */
  readonly type: string
  readonly parts: readonly Part[]
}

/** An event with its place. */
export interface StoredEvent extends NewEvent {
  /** Its number: gapless, in the order of commits, from 0. */
  readonly seq: number
  /** When it was accepted: unix seconds, truncated to the time grain, never earlier than the event before. */
  readonly grain: number
}

/** An event's bytes and its leaf hash. */
export interface EncodedEvent {
  readonly record: Uint8Array
  readonly leafHash: Uint8Array
}

/** An event's bytes without the contents that are kept apart, and those. */
export interface EncodedApart extends EncodedEvent {
  readonly contents: readonly DetachedContent[]
}

/** The content of a part that is kept apart. */
export interface DetachedContent {
  /** Its place among the parts of its event, from 0. */
  readonly part: number
  readonly salt: Uint8Array
  readonly content: Uint8Array
}

/** Length of the salt of a part, in bytes. */
export const SALT_LENGTH = 16

// SHA-256.
const DIGEST_LENGTH = 32

/** U+FEFF in UTF-8. */
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf)

/**
 * Encodes an event.
 *
 * @param salts SALT_LENGTH random bytes for each part, one after the other. Without them what remains of an erased part
 * would confirm a guess of its content.
 */
export function encodeEvent(event: StoredEvent, salts: Uint8Array): EncodedEvent {
  return encodeParts(event, salts)
}

/** The same for the table `event`: parts that are kept apart stand in the record as if they were erased. */
export function encodeApart(event: StoredEvent, salts: Uint8Array): EncodedApart {
  const contents: DetachedContent[] = []
  return { ...encodeParts(event, salts, (content) => contents.push(content)), contents }
}

/** @param keepApart takes the content of a part that is kept apart; undefined: it stays in the record */
function encodeParts(
  event: StoredEvent,
  salts: Uint8Array,
  keepApart?: (content: DetachedContent) => void,
): EncodedEvent {
  const parts: unknown[] = []
  const digests: unknown[] = []
  event.parts.forEach((part, index) => {
    const salt = salts.subarray(index * SALT_LENGTH, (index + 1) * SALT_LENGTH)
    const content = encodeQuickly(part.content) ?? encodeReadable(part.content)
    const digest = [part.retention, digestPart(salt, content)]
    digests.push(digest)
    if (keepApart === undefined || part.detached !== true)
      parts.push([part.retention, salt, content])
    else {
      parts.push(digest)
      keepApart({ part: index, salt, content: part.content as Uint8Array })
    }
  })
  const record = [RECORD_VERSION, event.seq, event.grain, event.type, parts]
  return {
    record: encodeQuickly(record) ?? encode(record),
    leafHash: hashLeaf(event, digests),
  }
}

/** What could not be read again must never be stored: texts that begin with a byte order mark are read without it. */
function encodeReadable(value: unknown): Uint8Array {
  const bytes = encode(value)
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(BYTE_ORDER_MARK))
    decodeStrictly(bytes)
  return bytes
}

/** @throws TocsinError `log_invalid` when the bytes are no record */
export function decodeEvent(record: Uint8Array): StoredEvent {
  return decodeWith(record, decodeStrictly)
}

/**
 * The same, of bytes that are known to be what was written: a root over them was compared. It takes a seventh of the time. Byte
 * strings share the memory of the record.
 */
export function decodeKnownEvent(record: Uint8Array): StoredEvent {
  const places = findParts(record)
  if (places === undefined) return decodeWith(record, (bytes) => decode(bytes, STRICT))
  const { seq, grain, type, parts } = places
  return {
    seq,
    grain,
    type,
    parts: parts.map(({ retention, contentAt, end }) =>
      partOf(
        retention,
        contentAt === undefined
          ? undefined
          : (readKnownValue(record, contentAt, end) ??
              decode(record.subarray(contentAt, end), STRICT)),
      ),
    ),
  }
}

function partOf(retention: string, content: unknown): Part {
  return isDetached(retention)
    ? { retention, content: content as Uint8Array | undefined, detached: true }
    : { retention: retention as KeptRetention, content }
}

function decodeWith(record: Uint8Array, read: (bytes: Uint8Array) => unknown): StoredEvent {
  const { seq, grain, type, parts } = readRecord(record, read)
  return {
    seq,
    grain,
    type,
    parts: parts.map(([retention, , content]) =>
      partOf(retention, content === undefined ? undefined : read(content)),
    ),
  }
}

/** The leaf hash that a record must have, computed from the record alone; the same before and after a part was erased. */
export function leafHashOf(record: Uint8Array): Uint8Array {
  return describeRecord(record).leafHash
}

/** What can be told of a record without reading the content of its parts. */
export interface RecordDescription extends Omit<StoredEvent, 'parts'> {
  readonly leafHash: Uint8Array
}

/** @throws TocsinError `log_invalid` when the bytes are no record */
export function describeRecord(record: Uint8Array): RecordDescription {
  const places = findParts(record)
  if (places !== undefined) {
    const { seq, grain, type } = places
    return { seq, grain, type, leafHash: leafHashAt(record, places) }
  }
  const { seq, grain, type, parts } = readRecord(record)
  const digests = parts.map(([retention, saltOrDigest, content]) => [
    retention,
    content === undefined ? saltOrDigest : digestPart(saltOrDigest, content),
  ])
  return { seq, grain, type, leafHash: hashLeaf({ seq, grain, type }, digests) }
}

/** The record with every part of one retention erased: in place of salt and content stands the part's digest. */
export function erasePart(record: Uint8Array, retention: Retention): Uint8Array {
  const event = readRecord(record)
  const parts = event.parts.map(([kept, saltOrDigest, content]) =>
    kept !== retention || content === undefined
      ? content === undefined
        ? [kept, saltOrDigest]
        : [kept, saltOrDigest, content]
      : [kept, digestPart(saltOrDigest, content)],
  )
  return encode([RECORD_VERSION, event.seq, event.grain, event.type, parts])
}

type RecordPart = [retention: Retention, saltOrDigest: Uint8Array, content: Uint8Array | undefined]

interface RecordFields {
  readonly seq: number
  readonly grain: number
  readonly type: string
  readonly parts: RecordPart[]
}

function readRecord(record: Uint8Array, read = decodeStrictly): RecordFields {
  const value = read(record)
  if (!Array.isArray(value) || value.length !== 5 || value[0] !== RECORD_VERSION)
    throw unknownForm()
  const [, seq, grain, type, parts] = value as unknown[]
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(grain) || typeof type !== 'string')
    throw unknownForm()
  if (!Array.isArray(parts) || !parts.every(isRecordPart)) throw unknownForm()
  return { seq: seq as number, grain: grain as number, type, parts }
}

function isRecordPart(value: unknown): value is RecordPart {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false
  const [, saltOrDigest, content] = value as unknown[]
  return value.length === 2
    ? isBytes(saltOrDigest, DIGEST_LENGTH)
    : value.length === 3 && isBytes(saltOrDigest, SALT_LENGTH) && isBytes(content)
}

function isBytes(value: unknown, length?: number): boolean {
  return value instanceof Uint8Array && (length === undefined || value.length === length)
}

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  rejectDuplicateMapKeys: true,
} as const

/**
 * Only what this file could have written: another encoding of the same value would be a changed record that no hash shows.
 *
 * @throws TocsinError `log_invalid`
 */
// Of floats for whole numbers, of the order of keys and of bytes that are no UTF-8 the decoder says nothing.
export function decodeStrictly(bytes: Uint8Array): unknown {
  try {
    const value: unknown = decode(bytes, STRICT)
    if (Buffer.compare(encode(value, WHOLE_NUMBERS), bytes) === 0) return value
  } catch (error) {
    throw unknownForm(error)
  }
  throw unknownForm()
}

const WHOLE_NUMBERS = {
  typeEncoders: {
    number(number: number) {
      if (!Number.isInteger(number)) throw new RangeError('not a whole number')
      // Encoded as any other.
      return null
    },
  },
}

function unknownForm(cause?: unknown): TocsinError {
  return new TocsinError('log_invalid', 'A record of the log has an unknown form.', { cause })
}

/** The digest of a part. @param content as it is encoded */
export function digestPart(salt: Uint8Array, content: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([salt, content]))
}

// RFC 6962, section 2.1: a leaf is hashed behind the byte 0, an inner node behind the byte 1.
const LEAF_PREFIX = 0

function hashLeaf(
  event: { seq: number; grain: number; type: string },
  digests: unknown[],
): Uint8Array {
  const value = [RECORD_VERSION, event.seq, event.grain, event.type, digests]
  const preimage =
    encodeQuickly(value, LEAF_PREFIX) ?? Buffer.concat([Buffer.of(LEAF_PREFIX), encode(value)])
  return sha256(preimage)
}
