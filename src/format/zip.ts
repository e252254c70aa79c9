// Format: the zip around an export, bytes <-> entries; promises the same bytes for the same entries, and to believe no size that a file only declares.

import { concatBytes } from './bytes.ts'
import { crc32 } from './crc32.ts'
import { FormatError } from './format-error.ts'

/** Compresses one entry: bytes in, compressed bytes out (RFC 1951). Passed in, since this folder imports nothing. */
export interface Deflater {
  push(chunk: Uint8Array, final: boolean): readonly Uint8Array[]
}

/** Decompresses one entry. @throws when it comes to more than `maxSize` bytes, or isn't deflate */
export type InflateRaw = (compressed: Uint8Array, maxSize: number) => Promise<Uint8Array>

// APPNOTE.TXT 6.3, sections 4.3.7, 4.3.9, 4.3.12, 4.3.16.
const LOCAL_HEADER = 0x04034b50
const DATA_DESCRIPTOR = 0x08074b50
const CENTRAL_HEADER = 0x02014b50
const END_OF_CENTRAL = 0x06054b50
const VERSION_NEEDED = 20
const STREAMED = 0x0008
const STORED = 0
const DEFLATED = 8

interface WrittenEntry {
  readonly name: Uint8Array
  readonly offset: number
  crc: number
  compressed: number
  size: number
}

/** Writes a zip as a stream: sizes follow the data, times are zero. */
export class ZipWriter {
  readonly #sink: (bytes: Uint8Array) => void
  readonly #entries: WrittenEntry[] = []
  #deflater: Deflater | undefined
  #offset = 0

  /** @param sink gets every piece of the file, in order */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink
  }

  startEntry(name: string, deflater: Deflater): void {
    const entry = {
      name: new TextEncoder().encode(name),
      offset: this.#offset,
      crc: 0,
      compressed: 0,
      size: 0,
    }
    this.#entries.push(entry)
    this.#deflater = deflater
    const header = new DataView(new ArrayBuffer(30))
    header.setUint32(0, LOCAL_HEADER, true)
    header.setUint16(4, VERSION_NEEDED, true)
    header.setUint16(6, STREAMED, true)
    header.setUint16(8, DEFLATED, true)
    header.setUint16(26, entry.name.length, true)
    this.#write(new Uint8Array(header.buffer))
    this.#write(entry.name)
  }

  append(chunk: Uint8Array): void {
    this.#deflate(chunk, false)
  }

  endEntry(): void {
    this.#deflate(new Uint8Array(), true)
    this.#deflater = undefined
    const entry = this.#current()
    const descriptor = new DataView(new ArrayBuffer(16))
    descriptor.setUint32(0, DATA_DESCRIPTOR, true)
    writeSizes(descriptor, 4, entry)
    this.#write(new Uint8Array(descriptor.buffer))
  }

  finish(): void {
    const start = this.#offset
    for (const entry of this.#entries) {
      const header = new DataView(new ArrayBuffer(46))
      header.setUint32(0, CENTRAL_HEADER, true)
      header.setUint16(4, VERSION_NEEDED, true)
      header.setUint16(6, VERSION_NEEDED, true)
      header.setUint16(8, STREAMED, true)
      header.setUint16(10, DEFLATED, true)
      writeSizes(header, 16, entry)
      header.setUint16(28, entry.name.length, true)
      header.setUint32(42, entry.offset, true)
      this.#write(new Uint8Array(header.buffer))
      this.#write(entry.name)
    }
    const end = new DataView(new ArrayBuffer(22))
    end.setUint32(0, END_OF_CENTRAL, true)
    end.setUint16(8, this.#entries.length, true)
    end.setUint16(10, this.#entries.length, true)
    end.setUint32(12, this.#offset - start, true)
    end.setUint32(16, start, true)
    this.#write(new Uint8Array(end.buffer))
  }

  #deflate(chunk: Uint8Array, final: boolean): void {
    const entry = this.#current()
    entry.crc = crc32(chunk, entry.crc)
    entry.size += chunk.length
    for (const piece of this.#deflater?.push(chunk, final) ?? []) {
      entry.compressed += piece.length
      this.#write(piece)
    }
  }

  #current(): WrittenEntry {
    const entry = this.#entries.at(-1)
    if (entry === undefined) throw new RangeError('no entry was started')
    return entry
  }

  #write(bytes: Uint8Array): void {
    this.#offset += bytes.length
    // Without zip64, offsets have 32 bits.
    if (this.#offset > 0xffffffff) throw new RangeError('the zip is larger than 4 GiB')
    this.#sink(bytes)
  }
}

function writeSizes(view: DataView, offset: number, entry: WrittenEntry): void {
  view.setUint32(offset, entry.crc, true)
  view.setUint32(offset + 4, entry.compressed, true)
  view.setUint32(offset + 8, entry.size, true)
}

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

/** Lists the entries of a zip. @throws FormatError `zip_malformed` */
export function listZip(bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = findEnd(view)
  const count = view.getUint16(end + 10, true)
  if (count > MAX_ENTRIES) throw zipMalformed(`it has ${count} entries`)
  const entries: ZipEntry[] = []
  let offset = view.getUint32(end + 16, true)
  for (let index = 0; index < count; index++) {
    if (offset + 46 > end || view.getUint32(offset, true) !== CENTRAL_HEADER)
      throw zipMalformed('its directory is broken')
    entries.push(readEntry(bytes, view, offset))
    offset +=
      46 +
      view.getUint16(offset + 28, true) +
      view.getUint16(offset + 30, true) +
      view.getUint16(offset + 32, true)
  }
  return entries
}

/**
 * Decompresses an entry.
 *
 * @param maxSize what it may come to, in bytes, whatever it declares
 * @throws FormatError `zip_too_large`, `zip_malformed`
 */
export async function extractEntry(
  entry: ZipEntry,
  maxSize: number,
  inflateRaw: InflateRaw,
): Promise<Uint8Array> {
  if (entry.size > maxSize)
    throw new FormatError('zip_too_large', `${entry.name} is larger than ${maxSize} bytes.`)
  if (entry.method !== STORED && entry.method !== DEFLATED)
    throw zipMalformed(`${entry.name} is compressed in an unknown way`)
  const bytes =
    entry.method === STORED
      ? entry.data
      : await inflateRaw(entry.data, entry.size).catch(() =>
          Promise.reject(zipMalformed(`${entry.name} can't be decompressed`)),
        )
  if (bytes.length !== entry.size || crc32(bytes, 0) !== entry.crc)
    throw zipMalformed(`${entry.name} is not what its directory says`)
  return bytes
}

function findEnd(view: DataView): number {
  // A comment of up to 65,535 bytes may follow.
  for (
    let offset = view.byteLength - 22;
    offset >= Math.max(0, view.byteLength - 22 - 65_535);
    offset--
  )
    if (view.getUint32(offset, true) === END_OF_CENTRAL) return offset
  throw zipMalformed('it has no directory')
}

function readEntry(bytes: Uint8Array, view: DataView, offset: number): ZipEntry {
  const nameLength = view.getUint16(offset + 28, true)
  const compressed = view.getUint32(offset + 20, true)
  const local = view.getUint32(offset + 42, true)
  if (local + 30 > bytes.length || view.getUint32(local, true) !== LOCAL_HEADER)
    throw zipMalformed('an entry is missing')
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  if (start + compressed > bytes.length || offset + 46 + nameLength > bytes.length)
    throw zipMalformed('an entry ends early')
  return {
    name: String.fromCharCode(...bytes.subarray(offset + 46, offset + 46 + nameLength)),
    method: view.getUint16(offset + 10, true),
    crc: view.getUint32(offset + 16, true),
    size: view.getUint32(offset + 24, true),
    data: bytes.subarray(start, start + compressed),
  }
}

function zipMalformed(problem: string): FormatError {
  return new FormatError('zip_malformed', `The zip is malformed: ${problem}.`)
}

/** Inflates with what browsers and Node.js both have; stops as soon as it comes to more than it may. */
export const inflateRawStream: InflateRaw = async (compressed, maxSize) => {
  const stream = new Blob([compressed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) {
    size += piece.length
    if (size > maxSize)
      throw new FormatError(
        'zip_too_large',
        `An entry is larger than the ${maxSize} bytes it declares.`,
      )
    pieces.push(piece)
  }
  return concatBytes(pieces)
}
