// Db: rows as binary COPY takes them; promises what the same values as parameters would store, for a fraction of the work on both sides.

import { finished } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import type { Transaction } from './database.ts'

// PostgreSQL manual, COPY, binary format: the signature, no flags, no extension; at the end a field count of -1.
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const TRAILER = Buffer.of(0xff, 0xff)
const NULL = -1
const TEXT_OID = 25

/** Up to so many bytes are copied one by one: it is faster than a call. */
const SHORT = 64

/** Rows that grow field by field. Every row begins with {@link CopyRows.start}, and then has as many fields as were said. */
export class CopyRows {
  #buffer: Buffer
  // It writes much faster than a Buffer: there are a dozen numbers for each of millions of keys.
  #view: DataView
  #length = HEADER.length
  #count = 0

  /** @param size about how many bytes there will be */
  constructor(size = 1 << 16) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(size, 1_024))
    this.#view = new DataView(this.#buffer.buffer)
    HEADER.copy(this.#buffer)
  }

  /** How many rows there are. */
  get count(): number {
    return this.#count
  }

  /** Begins a row. */
  start(fields: number): this {
    this.#count++
    this.#room(2)
    this.#view.setInt16(this.#length, fields)
    this.#length += 2
    return this
  }

  null(): this {
    this.#room(4)
    return this.#size(NULL)
  }

  /** bytea, of the bytes from `from` to `to` */
  bytea(value: Uint8Array | null, from = 0, to = value?.length ?? 0): this {
    if (value === null) return this.null()
    const size = to - from
    this.#room(4 + size)
    this.#size(size)
    if (size > SHORT) this.#buffer.set(value.subarray(from, to), this.#length)
    else {
      const buffer = this.#buffer
      const at = this.#length - from
      for (let index = from; index < to; index++) buffer[at + index] = value[index] as number
    }
    this.#length += size
    return this
  }

  /** text */
  text(value: string | null): this {
    if (value === null) return this.null()
    // What UTF-8 takes at most.
    this.#room(4 + 3 * value.length)
    const size = this.#buffer.write(value, this.#length + 4)
    this.#size(size)
    this.#length += size
    return this
  }

  /** bigint, of a number up to 2^53. */
  bigint(value: number): this {
    this.#room(12)
    this.#size(8)
    this.#view.setInt32(this.#length, Math.floor(value / 2 ** 32))
    this.#view.setUint32(this.#length + 4, value >>> 0)
    this.#length += 8
    return this
  }

  integer(value: number): this {
    this.#room(8)
    this.#size(4)
    this.#view.setInt32(this.#length, value)
    this.#length += 4
    return this
  }

  smallint(value: number): this {
    this.#room(6)
    this.#size(2)
    this.#view.setInt16(this.#length, value)
    this.#length += 2
    return this
  }

  boolean(value: boolean): this {
    this.#room(5)
    this.#size(1)
    this.#view.setUint8(this.#length++, value ? 1 : 0)
    return this
  }

  /** text[], without nulls. */
  texts(values: readonly string[]): this {
    const begin = this.#length
    this.#room(24)
    // As binary-array.ts has it: dimensions, no nulls, the elements' oid; length and lower bound of the one dimension.
    this.#size(0)
      .#size(values.length === 0 ? 0 : 1)
      .#size(0)
      .#size(TEXT_OID)
    if (values.length > 0) this.#size(values.length).#size(1)
    for (const value of values) this.text(value)
    this.#view.setInt32(begin, this.#length - begin - 4)
    return this
  }

  /** A field's length, or another number of four bytes, for which there is room. */
  #size(size: number): this {
    this.#view.setInt32(this.#length, size)
    this.#length += 4
    return this
  }

  /** All of it, as COPY takes it; nothing can be added any more. */
  take(): Buffer {
    this.#room(TRAILER.length)
    TRAILER.copy(this.#buffer, this.#length)
    return this.#buffer.subarray(0, this.#length + TRAILER.length)
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** Rows for some columns of a table. */
export interface TableRows {
  readonly table: string
  /** In the order of the fields. */
  readonly columns: string
  readonly rows: CopyRows
}

/** Copies rows into their table. @param tx of a database without pipelining */
export async function copyInto(
  tx: Transaction,
  { table, columns, rows }: TableRows,
): Promise<void> {
  if (rows.count === 0) return
  const target = tx.client.query(copyFrom(`copy ${table} (${columns}) from stdin (format binary)`))
  target.end(rows.take())
  await finished(target)
}
