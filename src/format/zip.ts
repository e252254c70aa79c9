// Format: the zip around an export, entries -> bytes, as a stream; promises the same bytes for the same entries.

import { crc32 } from '#crc32'

/** Compresses one entry: bytes in, compressed bytes out (RFC 1951). Passed in, since this folder imports nothing. */
export interface Deflater {
  push(chunk: Uint8Array, final: boolean): readonly Uint8Array[]
}

// APPNOTE.TXT 6.3, sections 4.3.7, 4.3.9, 4.3.12, 4.3.16.
const LOCAL_HEADER = 0x04034b50
const DATA_DESCRIPTOR = 0x08074b50
const CENTRAL_HEADER = 0x02014b50
const END_OF_CENTRAL = 0x06054b50
const VERSION_NEEDED = 20
const STREAMED = 0x0008
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
