// Log: an object of the archive as bytes (docs/log.md, "Archive"); promises that a name, a header and the border between two records can be read in one way only.

import { encode } from 'cborg'
import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { decodeStrictly } from './record.ts'

/** The version of the form. */
export const ARCHIVE_VERSION = 1

/** A segment holds what is new; a snapshot the log from its first event on, with parts erased as they were then. */
export type ArchiveKind = 'segment' | 'snapshot'

/** What stands before the records of an object. */
export interface ArchiveHeader {
  readonly version: typeof ARCHIVE_VERSION
  readonly kind: ArchiveKind
  readonly zone: Zone
  /** 16 bytes. */
  readonly logId: Uint8Array
  /** The number of the first event; of a snapshot 0. */
  readonly first: number
  /** The number after that of the last event. */
  readonly end: number
  /**
   * SHA-256 of the stored bytes of the segment before; of a snapshot, of the last segment that it covers. Null for the first
   * segment of a log.
   */
  readonly previous: Uint8Array | null
  /** The frontier of the tree over the first `first` events. */
  readonly frontier: Uint8Array
  /** The root over the first `end` events. */
  readonly root: Uint8Array
  /** The grain of the newest event, unix seconds. */
  readonly grain: number
  /** Seconds to which the times of the log are truncated. */
  readonly timeGrain: number
  /** When it was made, unix seconds at the time grain. */
  readonly madeAt: number
}

/** A stored object, as its name says it. */
export interface ArchiveObject {
  readonly kind: ArchiveKind
  readonly first: number
  /** Exclusive. */
  readonly end: number
  /** SHA-256 of the stored bytes, in hex. */
  readonly digest: string
  readonly name: string
  /** Stored bytes. */
  readonly size: number
}

const NAME = /^(segment|snapshot)-(\d{12})-(\d{12})-([0-9a-f]{64})\.cbor\.zst\.age$/

/** The name of an object: what it holds, then the digest of its stored bytes. */
export function nameOfObject({
  kind,
  first,
  end,
  digest,
}: Pick<ArchiveObject, 'kind' | 'first' | 'end' | 'digest'>): string {
  return `${kind}-${twelve(first)}-${twelve(end)}-${digest}.cbor.zst.age`
}

/** @returns undefined when the name is none of an object */
export function parseObjectName(name: string): Omit<ArchiveObject, 'size'> | undefined {
  const [, kind, first = '', end = '', digest = ''] = NAME.exec(name) ?? []
  if (kind === undefined || Number(first) >= Number(end)) return undefined
  if (kind === 'snapshot' && Number(first) !== 0) return undefined
  return { kind: kind as ArchiveKind, first: Number(first), end: Number(end), digest, name }
}

function twelve(seq: number): string {
  return String(seq).padStart(12, '0')
}

/** The header as it stands in an object: a map in deterministic CBOR. */
export function encodeArchiveHeader(header: ArchiveHeader): Uint8Array {
  return encode(header)
}

/** @throws TocsinError `log_invalid` when the bytes are no header of this version */
export function decodeArchiveHeader(bytes: Uint8Array): ArchiveHeader {
  const value = decodeStrictly(bytes)
  if (!isHeader(value))
    throw new TocsinError('log_invalid', 'A header of the archive has an unknown form.')
  return value
}

function isHeader(value: unknown): value is ArchiveHeader {
  if (typeof value !== 'object' || value === null) return false
  const header = value as { readonly [Name in keyof ArchiveHeader]?: unknown }
  return (
    header.version === ARCHIVE_VERSION &&
    (header.kind === 'segment' || header.kind === 'snapshot') &&
    (header.zone === 'key' || header.zone === 'authority') &&
    isBytes(header.logId, 16) &&
    [header.first, header.end, header.grain, header.timeGrain, header.madeAt].every(isCount) &&
    (header.previous === null || isBytes(header.previous, 32)) &&
    isBytes(header.frontier) &&
    isBytes(header.root, 32)
  )
}

function isBytes(value: unknown, length?: number): boolean {
  return value instanceof Uint8Array && (length === undefined || value.length === length)
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** How long one item may be, in bytes: a broken length must not fill the memory. The largest events are paper batches, of a few MB. */
const MOST_ITEM_BYTES = 1 << 27

/** The same of a header, which has a few hundred: so that a few stored bytes can't make us unpack many. */
export const MOST_HEADER_BYTES = 1 << 16

/**
 * The length of the CBOR item at the beginning of `bytes`, found from its heads alone.
 *
 * @returns undefined when the item goes on beyond them
 * @throws RangeError when no item that a log holds begins like this
 */
export function itemLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  // Items that must still follow: those of an array or a map are counted when its head is read.
  for (let open = 1; open > 0; open--) {
    const initial = bytes[at]
    if (initial === undefined) return undefined
    const major = initial >> 5
    const info = initial & 31
    if (info > 27) throw new RangeError('an item of indefinite length')
    const headLength = info < 24 ? 1 : 1 + 2 ** (info - 24)
    if (at + headLength > bytes.length) return undefined
    const argument = readArgument(view, at, info)
    at += headLength
    if (major === 2 || major === 3) at += argument
    else if (major === 4) open += argument
    else if (major === 5) open += 2 * argument
    else if (major === 6) throw new RangeError('a tag')
    if (at + open - 1 > MOST_ITEM_BYTES) throw new RangeError('an item that is too long')
  }
  return at <= bytes.length ? at : undefined
}

function readArgument(view: DataView, at: number, info: number): number {
  if (info < 24) return info
  if (info === 24) return view.getUint8(at + 1)
  if (info === 25) return view.getUint16(at + 1)
  if (info === 26) return view.getUint32(at + 1)
  return Number(view.getBigUint64(at + 1))
}
