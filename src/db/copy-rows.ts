// Db: rows as binary COPY takes them; promises what the same values as parameters would store, for a fraction of the work on both sides.

import { finished } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import type { Transaction } from './database.ts'

// PostgreSQL manual, COPY, binary format: the signature, no flags, no extension; at the end a field count of -1.
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const TRAILER = Buffer.of(0xff, 0xff)
const NULL = -1
const TEXT_OID = 25

/** Rows that grow field by field. Every row begins with {@link CopyRows.start}, and then has as many fields as were said. */
export class CopyRows {
  #buffer: Buffer
  #length = HEADER.length
  #count = 0

  /** @param size about how many bytes there will be */
  constructor(size = 1 << 16) {
    this.#buffer = Buffer.allocUnsafe(Math.max(size, 1_024))
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
    this.#length = this.#buffer.writeInt16BE(fields, this.#length)
    return this
  }

  null(): this {
    this.#room(4)
    this.#length = this.#buffer.writeInt32BE(NULL, this.#length)
    return this
  }

  /** bytea */
  bytea(value: Uint8Array | null): this {
    if (value === null) return this.null()
    this.#room(4 + value.length)
    this.#length = this.#buffer.writeInt32BE(value.length, this.#length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** text */
  text(value: string | null): this {
    return this.bytea(value === null ? null : Buffer.from(value))
  }

  /** bigint, of a number up to 2^53. */
  bigint(value: number): this {
    this.#room(12)
    const at = this.#buffer.writeInt32BE(8, this.#length)
    this.#buffer.writeInt32BE(Math.floor(value / 2 ** 32), at)
    this.#length = this.#buffer.writeUInt32BE(value >>> 0, at + 4)
    return this
  }

  integer(value: number): this {
    this.#room(8)
    this.#length = this.#buffer.writeInt32BE(value, this.#buffer.writeInt32BE(4, this.#length))
    return this
  }

  smallint(value: number): this {
    this.#room(6)
    this.#length = this.#buffer.writeInt16BE(value, this.#buffer.writeInt32BE(2, this.#length))
    return this
  }

  boolean(value: boolean): this {
    this.#room(5)
    const at = this.#buffer.writeInt32BE(1, this.#length)
    this.#length = this.#buffer.writeUInt8(value ? 1 : 0, at)
    return this
  }

  /** text[], without nulls. */
  texts(values: readonly string[]): this {
    const items = values.map((value) => Buffer.from(value))
    const size = items.reduce((sum, item) => sum + 4 + item.length, items.length === 0 ? 12 : 20)
    this.#room(4 + size)
    let at = this.#buffer.writeInt32BE(size, this.#length)
    // As binary-array.ts has it: dimensions, no nulls, the elements' oid; length and lower bound of the one dimension.
    at = this.#buffer.writeInt32BE(items.length === 0 ? 0 : 1, at)
    at = this.#buffer.writeInt32BE(0, at)
    at = this.#buffer.writeInt32BE(TEXT_OID, at)
    if (items.length > 0)
      at = this.#buffer.writeInt32BE(1, this.#buffer.writeInt32BE(items.length, at))
    for (const item of items) {
      at = this.#buffer.writeInt32BE(item.length, at)
      at += item.copy(this.#buffer, at)
    }
    this.#length = at
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
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
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
