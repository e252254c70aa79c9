// Format: the zip around an export, bytes -> entries; promises to believe no size that a file only declares, and one reading only.

import { concatBytes, equalBytes } from './bytes.ts'
import { crc32 } from '#crc32'
import { FormatError } from './format-error.ts'
import { inflateRaw } from './inflate.ts'

// APPNOTE.TXT 6.3, sections 4.3.7, 4.3.9, 4.3.12, 4.3.16, 4.4.4, 4.5.
const LOCAL_HEADER = 0x04034b50
const LOCAL_BYTES = 30
const CENTRAL_HEADER = 0x02014b50
const CENTRAL_BYTES = 46
const END_OF_CENTRAL = 0x06054b50
const END_BYTES = 22
const DATA_DESCRIPTOR = 0x08074b50
const ENCRYPTED = 0x2041
/** Checksum and sizes follow the data. */
const STREAMED = 0x0008
/** Sizes of 64 bits: where a size of 32 bits says that there are. */
const ZIP64 = 0x0001
const IN_ZIP64 = 0xffffffff
/** By which some readers take another name. */
const UNICODE_PATH = 0x7075
const STORED = 0
const DEFLATED = 8

/** An entry of a zip, not yet decompressed. */
export interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly crc: number
  /** As declared: decompression stops beyond it. */
  readonly size: number
  readonly data: Uint8Array
}

/** An export has two entries; a few more may come some day. */
const MAX_ENTRIES = 16
const MAX_NAME_BYTES = 255

/**
 * Lists the entries of a zip. What two readers could understand differently is refused: a name that comes twice, an entry
 * that its own header describes otherwise, entries that overlap, bytes that belong to no entry, wherever they are, comments.
 *
 * @throws FormatError `zip_malformed`
 */
export function listZip(bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = findEnd(view)
  const count = view.getUint16(end + 10, true)
  const start = view.getUint32(end + 16, true)
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count)
    throw zipMalformed('it is a part of several')
  if (count > MAX_ENTRIES) throw zipMalformed(`it has ${count} entries`)
  if (start + view.getUint32(end + 12, true) !== end)
    throw zipMalformed('its directory is not where it should be')
  const placed: PlacedEntry[] = []
  let offset = start
  for (let index = 0; index < count; index++) {
    const entry = readEntry(bytes, view, offset, end)
    placed.push(entry)
    offset += entry.length
  }
  if (offset !== end) throw zipMalformed('its directory is longer than its entries')
  checkPlaces(view, placed, start)
  return placed.map(({ entry }) => entry)
}

/** From the first byte to the directory, entries lie one behind the other without a gap, each name once. */
function checkPlaces(view: DataView, placed: readonly PlacedEntry[], directory: number): void {
  const names = new Set(placed.map(({ entry }) => entry.name))
  if (names.size < placed.length) throw zipMalformed('a name is in it twice')
  const sorted = [...placed].sort((a, b) => a.from - b.from)
  let covered = 0
  for (const [index, each] of sorted.entries()) {
    if (each.from !== covered) throw zipMalformed('an entry is not where it should be')
    covered = each.to
    if (each.isStreamed) covered = checkDescriptor(view, each, sorted[index + 1]?.from ?? directory)
  }
  if (covered !== directory) throw zipMalformed('there is more in it than its directory says')
}

/** Checksum and sizes, of 32 or 64 bits, between the data and `next`, behind a signature or not. @returns where they end */
function checkDescriptor(view: DataView, { to, entry }: PlacedEntry, next: number): number {
  const length = next - to
  const hasSignature =
    (length === 16 || length === 24) && view.getUint32(to, true) === DATA_DESCRIPTOR
  const at = hasSignature ? to + 4 : to
  const { crc, size, data } = entry
  const isRight =
    next - at === 12
      ? hasValues(view, at, [crc, data.length, size])
      : next - at === 20 && hasValues(view, at, [crc, data.length, 0, size, 0])
  if (!isRight) throw zipMalformed('what follows an entry is not what its directory says')
  return next
}

function hasValues(view: DataView, at: number, values: readonly number[]): boolean {
  return values.every((value, index) => view.getUint32(at + 4 * index, true) === value)
}

/** The entry of a name. @throws FormatError `zip_entry_missing` */
export function findEntry(entries: readonly ZipEntry[], name: string): ZipEntry {
  const entry = entries.find((each) => each.name === name)
  if (entry === undefined) throw new FormatError('zip_entry_missing', `The zip has no ${name}.`)
  return entry
}

// Deflate makes at most 1,032 bytes of one.
const MAX_RATIO = 1_032

/**
 * Decompresses an entry piece by piece; a piece is valid until the next one is asked for.
 *
 * @param maxSize what it may come to, in bytes, whatever it declares
 * @throws FormatError `zip_too_large`, `zip_malformed`, also behind the last piece when size or checksum are wrong
 */
export function* streamEntry(entry: ZipEntry, maxSize: number): Generator<Uint8Array, void> {
  const { name, method, data, size } = entry
  if (size > maxSize)
    throw new FormatError('zip_too_large', `${name} is larger than ${maxSize} bytes.`)
  if (method !== STORED && method !== DEFLATED)
    throw zipMalformed(`${name} is compressed in an unknown way`)
  if (size > data.length * MAX_RATIO) throw zipMalformed(`${name} declares an impossible size`)
  let crc = 0
  let length = 0
  for (const piece of method === STORED ? cut(data) : inflateEntry(entry)) {
    crc = crc32(piece, crc)
    length += piece.length
    yield piece
  }
  if (length !== size || crc !== entry.crc)
    throw zipMalformed(`${name} is not what its directory says`)
}

/** Decompresses a small entry at once. @throws FormatError `zip_too_large`, `zip_malformed` */
export function extractEntry(entry: ZipEntry, maxSize: number): Uint8Array {
  return concatBytes(Array.from(streamEntry(entry, maxSize), (piece) => piece.slice()))
}

const PIECE_BYTES = 65_536

function* cut(data: Uint8Array): Generator<Uint8Array, void> {
  for (let offset = 0; offset < data.length; offset += PIECE_BYTES)
    yield data.subarray(offset, offset + PIECE_BYTES)
}

function* inflateEntry(entry: ZipEntry): Generator<Uint8Array, void> {
  const pieces = inflateRaw(entry.data, entry.size)
  for (;;) {
    let next: IteratorResult<Uint8Array, void>
    try {
      next = pieces.next()
    } catch {
      throw zipMalformed(`${entry.name} can't be decompressed to the size that it declares`)
    }
    if (next.done === true) return
    yield next.value
  }
}

/** The end of the directory is the end of the zip: in a comment, other readers could find another directory. */
function findEnd(view: DataView): number {
  const end = view.byteLength - END_BYTES
  if (end < 0 || view.getUint32(end, true) !== END_OF_CENTRAL || view.getUint16(end + 20, true) > 0)
    throw zipMalformed('it does not end with its directory')
  return end
}

/** An entry, where its header begins and its data ends, and how long its row in the directory is. */
interface PlacedEntry {
  readonly entry: ZipEntry
  readonly from: number
  readonly to: number
  readonly isStreamed: boolean
  readonly length: number
}

function readEntry(bytes: Uint8Array, view: DataView, offset: number, end: number): PlacedEntry {
  if (offset + CENTRAL_BYTES > end || view.getUint32(offset, true) !== CENTRAL_HEADER)
    throw zipMalformed('its directory is broken')
  const nameLength = view.getUint16(offset + 28, true)
  const extraLength = view.getUint16(offset + 30, true)
  const length = CENTRAL_BYTES + nameLength + extraLength + view.getUint16(offset + 32, true)
  if (offset + length > end || nameLength > MAX_NAME_BYTES)
    throw zipMalformed('its directory is broken')
  const nameAt = offset + CENTRAL_BYTES
  const name = bytes.subarray(nameAt, nameAt + nameLength)
  const sizes = readSizes(view, offset + 20, nameAt + nameLength, extraLength)
  const from = view.getUint32(offset + 42, true)
  const data = checkOwnHeader(bytes, view, offset, from, name, sizes)
  const to = data + sizes.compressed
  if (to > bytes.length) throw zipMalformed('an entry ends early')
  const entry = {
    name: String.fromCharCode(...name),
    method: view.getUint16(offset + 10, true),
    crc: view.getUint32(offset + 16, true),
    size: sizes.size,
    data: bytes.subarray(data, to),
  }
  const isStreamed = (view.getUint16(offset + 8, true) & STREAMED) !== 0
  return { entry, from, to, isStreamed, length }
}

/** That an entry's own header, at `from`, says what its row in the directory says. @returns where its data begins */
function checkOwnHeader(
  bytes: Uint8Array,
  view: DataView,
  row: number,
  from: number,
  name: Uint8Array,
  listed: Sizes,
): number {
  if (from + LOCAL_BYTES > row || view.getUint32(from, true) !== LOCAL_HEADER)
    throw zipMalformed('an entry is missing')
  const flags = view.getUint16(row + 8, true)
  const nameLength = view.getUint16(from + 26, true)
  const nameAt = from + LOCAL_BYTES
  const extraLength = view.getUint16(from + 28, true)
  const data = nameAt + nameLength + extraLength
  if (data > row) throw zipMalformed('an entry ends early')
  const own = readSizes(view, from + 18, nameAt + nameLength, extraLength)
  const mayBeZero = (flags & STREAMED) !== 0
  const isRight = (value: number, expected: number) =>
    value === expected || (mayBeZero && value === 0)
  if (
    view.getUint16(from + 6, true) !== flags ||
    view.getUint16(from + 8, true) !== view.getUint16(row + 10, true) ||
    !equalBytes(name, bytes.subarray(nameAt, nameAt + nameLength)) ||
    !isRight(view.getUint32(from + 14, true), view.getUint32(row + 16, true)) ||
    !isRight(own.compressed, listed.compressed) ||
    !isRight(own.size, listed.size)
  )
    throw zipMalformed('an entry is not what its directory says')
  if (flags & ENCRYPTED) throw zipMalformed('an entry is encrypted')
  return data
}

/** Of an entry, in bytes. */
interface Sizes {
  readonly compressed: number
  readonly size: number
}

/** The sizes at `at`, or where they lie when they have 64 bits: in the extra fields (section 4.5.3). */
function readSizes(view: DataView, at: number, extraAt: number, extraLength: number): Sizes {
  const compressed = view.getUint32(at, true)
  const size = view.getUint32(at + 4, true)
  const large = findLargeSizes(view, extraAt, extraLength)
  const isLarge = [size, compressed].map((each) => each === IN_ZIP64)
  const expected = isLarge.filter(Boolean).length * 8
  if (large.length !== expected || (large.at === undefined) !== (expected === 0))
    throw zipMalformed('an entry has fields that not every reader understands')
  let next = large.at ?? 0
  const read = (value: number, isElsewhere: boolean | undefined) => {
    if (!isElsewhere) return value
    next += 8
    return view.getUint32(next - 8, true) + view.getUint32(next - 4, true) * 2 ** 32
  }
  // The size comes first there.
  const sizes = { size: read(size, isLarge[0]), compressed: 0 }
  return { ...sizes, compressed: read(compressed, isLarge[1]) }
}

/** Extra fields: an id and a length of 16 bits each, then as many bytes. @returns where the sizes of 64 bits are */
function findLargeSizes(view: DataView, start: number, extraLength: number) {
  const end = Math.min(start + extraLength, view.byteLength)
  let found: { readonly at: number | undefined; readonly length: number } | undefined
  for (let offset = start; offset + 4 <= end;) {
    const id = view.getUint16(offset, true)
    const length = view.getUint16(offset + 2, true)
    if (id === UNICODE_PATH || (id === ZIP64 && (found || offset + 4 + length > end)))
      throw zipMalformed('an entry has fields that not every reader understands')
    if (id === ZIP64) found = { at: offset + 4, length }
    offset += 4 + length
  }
  return found ?? { at: undefined, length: 0 }
}

function zipMalformed(problem: string): FormatError {
  return new FormatError('zip_malformed', `The zip is malformed: ${problem}.`)
}
