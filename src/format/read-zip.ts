// Format: the zip around an export, bytes -> entries; promises to believe no size that a file only declares, and one reading only.

import { inflateRaw } from '#inflate'
import { equalBytes } from './bytes.ts'
import { crc32 } from './crc32.ts'
import { FormatError } from './format-error.ts'

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
/** Extra fields by which some readers take other sizes (zip64) or another name (Info-ZIP's Unicode path). */
const REFUSED_EXTRAS = [0x0001, 0x7075]
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

/** Decompresses a stream that comes to `maxSize` bytes at the most; see inflate.ts. */
export type Inflate = (compressed: Uint8Array, maxSize: number) => Promise<Uint8Array>

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

/** Checksum and sizes between the data and `next`, behind a signature or not. @returns where they end */
function checkDescriptor(view: DataView, { to, row }: PlacedEntry, next: number): number {
  const hasSignature = next - to === 16 && view.getUint32(to, true) === DATA_DESCRIPTOR
  const values = hasSignature ? to + 4 : to
  if (next - values !== 12 || [0, 4, 8].some((at) => differs(view, values + at, row + 16 + at)))
    throw zipMalformed('what follows an entry is not what its directory says')
  return next
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
 * Decompresses an entry.
 *
 * @param maxSize what it may come to, in bytes, whatever it declares
 * @throws FormatError `zip_too_large`, `zip_malformed`
 */
export async function extractEntry(
  entry: ZipEntry,
  maxSize: number,
  inflate: Inflate = inflateRaw,
): Promise<Uint8Array> {
  const { name, method, data, size } = entry
  if (size > maxSize)
    throw new FormatError('zip_too_large', `${name} is larger than ${maxSize} bytes.`)
  if (method !== STORED && method !== DEFLATED)
    throw zipMalformed(`${name} is compressed in an unknown way`)
  if (size > data.length * MAX_RATIO) throw zipMalformed(`${name} declares an impossible size`)
  const bytes = method === STORED ? data : await inflateEntry(entry, inflate)
  if (bytes.length !== size || crc32(bytes, 0) !== entry.crc)
    throw zipMalformed(`${name} is not what its directory says`)
  return bytes
}

async function inflateEntry(entry: ZipEntry, inflate: Inflate): Promise<Uint8Array> {
  try {
    return await inflate(entry.data, entry.size)
  } catch {
    throw zipMalformed(`${entry.name} can't be decompressed to the size that it declares`)
  }
}

/** The end of the directory is the end of the zip: in a comment, other readers could find another directory. */
function findEnd(view: DataView): number {
  const end = view.byteLength - END_BYTES
  if (end < 0 || view.getUint32(end, true) !== END_OF_CENTRAL || view.getUint16(end + 20, true) > 0)
    throw zipMalformed('it does not end with its directory')
  return end
}

/** An entry, where its header begins and its data ends, and where its row in the directory is. */
interface PlacedEntry {
  readonly entry: ZipEntry
  readonly from: number
  readonly to: number
  readonly isStreamed: boolean
  readonly row: number
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
  checkExtra(view, nameAt + nameLength, extraLength)
  const from = view.getUint32(offset + 42, true)
  const data = checkOwnHeader(bytes, view, offset, from, name)
  const to = data + view.getUint32(offset + 20, true)
  if (to > bytes.length) throw zipMalformed('an entry ends early')
  const entry = {
    name: String.fromCharCode(...name),
    method: view.getUint16(offset + 10, true),
    crc: view.getUint32(offset + 16, true),
    size: view.getUint32(offset + 24, true),
    data: bytes.subarray(data, to),
  }
  const isStreamed = (view.getUint16(offset + 8, true) & STREAMED) !== 0
  return { entry, from, to, isStreamed, row: offset, length }
}

/** That an entry's own header, at `from`, says what its row in the directory says. @returns where its data begins */
function checkOwnHeader(
  bytes: Uint8Array,
  view: DataView,
  row: number,
  from: number,
  name: Uint8Array,
): number {
  if (from + LOCAL_BYTES > row || view.getUint32(from, true) !== LOCAL_HEADER)
    throw zipMalformed('an entry is missing')
  const flags = view.getUint16(row + 8, true)
  const method = view.getUint16(row + 10, true)
  const nameLength = view.getUint16(from + 26, true)
  const nameAt = from + LOCAL_BYTES
  const isStreamed = (flags & STREAMED) !== 0
  if (
    view.getUint16(from + 6, true) !== flags ||
    view.getUint16(from + 8, true) !== method ||
    !equalBytes(name, bytes.subarray(nameAt, nameAt + nameLength)) ||
    [0, 4, 8].some(
      (at) =>
        differs(view, from + 14 + at, row + 16 + at) &&
        !(isStreamed && view.getUint32(from + 14 + at, true) === 0),
    )
  )
    throw zipMalformed('an entry is not what its directory says')
  if (flags & ENCRYPTED) throw zipMalformed('an entry is encrypted')
  if (isStreamed && method === STORED) throw zipMalformed('an entry does not say where it ends')
  const extraLength = view.getUint16(from + 28, true)
  checkExtra(view, nameAt + nameLength, extraLength)
  return nameAt + nameLength + extraLength
}

function differs(view: DataView, a: number, b: number): boolean {
  return view.getUint32(a, true) !== view.getUint32(b, true)
}

/** Extra fields: an id and a length of 16 bits each, then as many bytes. */
function checkExtra(view: DataView, start: number, length: number): void {
  const end = start + length
  let offset = start
  while (offset + 4 <= Math.min(end, view.byteLength)) {
    if (REFUSED_EXTRAS.includes(view.getUint16(offset, true)))
      throw zipMalformed('an entry has fields that not every reader understands')
    offset += 4 + view.getUint16(offset + 2, true)
  }
}

function zipMalformed(problem: string): FormatError {
  return new FormatError('zip_malformed', `The zip is malformed: ${problem}.`)
}
