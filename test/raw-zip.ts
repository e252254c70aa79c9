// Test helper: zips whose directory may lie; promises to write what it is told.

/** An entry, compressed, with what its directory is to say of it. */
export interface RawEntry {
  readonly name: string
  readonly data: Uint8Array
  readonly size: number
  readonly crc: number
}

/** A zip whose directory says what it is told to (APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 and 4.3.16). */
export function zipOf(entries: readonly RawEntry[]): Uint8Array {
  const pieces: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, size, crc } of entries) {
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(8, 4)
    fields.writeUInt32LE(crc, 10)
    fields.writeUInt32LE(data.length, 14)
    fields.writeUInt32LE(size, 18)
    fields.writeUInt16LE(name.length, 22)
    const row = Buffer.alloc(46)
    row.writeUInt32LE(0x02014b50, 0)
    fields.copy(row, 6)
    row.writeUInt32LE(offset, 42)
    directory.push(row, Buffer.from(name))
    const local = [Buffer.from('PK\u0003\u0004'), fields, Buffer.from(name), Buffer.from(data)]
    pieces.push(...local)
    offset += 30 + name.length + data.length
  }
  const rows = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length & 0xffff, 8)
  end.writeUInt16LE(entries.length & 0xffff, 10)
  end.writeUInt32LE(rows.length, 12)
  end.writeUInt32LE(offset, 16)
  return new Uint8Array(Buffer.concat([...pieces, rows, end]))
}
