// Format: the zip around an export, bytes -> entries; promises to believe no size that a file only declares, and one reading only.

import { inflateRaw } from '#inflate'
import { equalBytes } from './bytes.ts'
import { crc32 } from './crc32.ts'
import { FormatError } from './format-error.ts'

// APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12, 4.3.16, 4.4.4.
const LOCAL_HEADER = 0x04034b50
const LOCAL_BYTES = 30
const CENTRAL_HEADER = 0x02014b50
const CENTRAL_BYTES = 46
const END_OF_CENTRAL = 0x06054b50
const END_BYTES = 22
const ENCRYPTED = 0x2041
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
const MAX_COMMENT_BYTES = 65_535

/**
 * Lists the entries of a zip. What two readers could understand differently is refused: a name that comes twice, an entry
 * that its own header describes otherwise, entries that overlap, bytes before the first or behind the directory.
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
  checkPlaces(placed, start)
  return placed.map(({ entry }) => entry)
}

/** From the first byte to the directory, entries lie one behind the other, each name once. */
function checkPlaces(placed: readonly PlacedEntry[], directory: number): void {
  const names = new Set(placed.map(({ entry }) => entry.name))
  if (names.size < placed.length) throw zipMalformed('a name is in it twice')
  let covered = 0
  for (const { entry, from, to } of [...placed].sort((a, b) => a.from - b.from)) {
    if (from < covered || (covered === 0 && from !== 0) || to > directory)
      throw zipMalformed(`${entry.name} is not where it should be`)
    covered = to
  }
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

function findEnd(view: DataView): number {
  const last = view.byteLength - END_BYTES
  for (let offset = last; offset >= Math.max(0, last - MAX_COMMENT_BYTES); offset--)
    if (
      view.getUint32(offset, true) === END_OF_CENTRAL &&
      offset + END_BYTES + view.getUint16(offset + 20, true) === view.byteLength
    )
      return offset
  throw zipMalformed('it has no directory')
}

/** An entry, where its header begins and its data ends, and the length of its row in the directory. */
interface PlacedEntry {
  readonly entry: ZipEntry
  readonly from: number
  readonly to: number
  readonly length: number
}

function readEntry(bytes: Uint8Array, view: DataView, offset: number, end: number): PlacedEntry {
  if (offset + CENTRAL_BYTES > end || view.getUint32(offset, true) !== CENTRAL_HEADER)
    throw zipMalformed('its directory is broken')
  const nameLength = view.getUint16(offset + 28, true)
  const length =
    CENTRAL_BYTES +
    nameLength +
    view.getUint16(offset + 30, true) +
    view.getUint16(offset + 32, true)
  if (offset + length > end || nameLength > MAX_NAME_BYTES)
    throw zipMalformed('its directory is broken')
  const from = view.getUint32(offset + 42, true)
  if (from + LOCAL_BYTES > offset || view.getUint32(from, true) !== LOCAL_HEADER)
    throw zipMalformed('an entry is missing')
  const localNameLength = view.getUint16(from + 26, true)
  const data = from + LOCAL_BYTES + localNameLength + view.getUint16(from + 28, true)
  const to = data + view.getUint32(offset + 20, true)
  if (to > bytes.length) throw zipMalformed('an entry ends early')
  const name = bytes.subarray(offset + CENTRAL_BYTES, offset + CENTRAL_BYTES + nameLength)
  const localName = bytes.subarray(from + LOCAL_BYTES, from + LOCAL_BYTES + localNameLength)
  const method = view.getUint16(offset + 10, true)
  if (!equalBytes(name, localName) || view.getUint16(from + 8, true) !== method)
    throw zipMalformed('an entry is not what its directory says')
  if ((view.getUint16(offset + 8, true) | view.getUint16(from + 6, true)) & ENCRYPTED)
    throw zipMalformed('an entry is encrypted')
  const entry = {
    name: String.fromCharCode(...name),
    method,
    crc: view.getUint32(offset + 16, true),
    size: view.getUint32(offset + 24, true),
    data: bytes.subarray(data, to),
  }
  return { entry, from, to, length }
}

function zipMalformed(problem: string): FormatError {
  return new FormatError('zip_malformed', `The zip is malformed: ${problem}.`)
}
