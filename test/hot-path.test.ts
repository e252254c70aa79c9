// Test: what the path of submissions relies on: arrays in binary form mean what they say, and look-ups go by index however much is stored.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  packedByteaArray,
  smallintArray,
  textArray,
} from '../src/db/binary-array.ts'
import { openDatabase, parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { databaseTestOnce } from './database.ts'
import { openKeyZone } from './open-key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

databaseTestOnce(
  'arrays in binary form arrive as they were given, empty ones and nulls too',
  async (database) => {
    await using db = openDatabase(parseAddress(database.url), 'public', 1)
    const arrive = async (type: string, array: Buffer) =>
      (
        await db.query<{ value: unknown[] }>({
          text: `select array(select unnest($1::${type}[])) as value`,
          values: [array],
        })
      ).rows[0]?.value
    const bytes = [randomBytes(16), Buffer.alloc(0), null, randomBytes(300)]
    assert.deepEqual(await arrive('bytea', byteaArray(bytes)), bytes)
    assert.deepEqual(await arrive('text', textArray(['', 'ä,{"}', 'US'])), ['', 'ä,{"}', 'US'])
    assert.deepEqual(await arrive('boolean', booleanArray([true, false])), [true, false])
    assert.deepEqual(await arrive('smallint', smallintArray([-14, 0, 32_767])), [-14, 0, 32_767])
    assert.deepEqual(await arrive('integer', integerArray([-1, 2 ** 31 - 1])), [-1, 2 ** 31 - 1])
    const large = [0, 2 ** 31, 2 ** 40 + 5, -3]
    assert.deepEqual((await arrive('bigint', bigintArray(large)))?.map(Number), large)
    assert.deepEqual(await arrive('bytea', byteaArray([])), [])
    const packed = randomBytes(48)
    const taken = [0, 16, 32].map((from) => packed.subarray(from, from + 16))
    assert.deepEqual(await arrive('bytea', packedByteaArray(packed, 16)), taken)
    assert.deepEqual(await arrive('bytea', packedByteaArray(Buffer.alloc(0), 16)), [])
    assert.deepEqual(await arrive('integer', integerArray(Int32Array.of(-1, 7))), [-1, 7])
    // What does not fit is never stored as something else.
    for (const make of [
      () => smallintArray([32_768]),
      () => integerArray([2 ** 31]),
      () => bigintArray([2 ** 53]),
      () => integerArray([1.5]),
      () => smallintArray([NaN]),
    ])
      assert.throws(make, RangeError)
    assert.deepEqual(await arrive('text', textArray([])), [])
  },
)

databaseTestOnce(
  'keys and requests are looked up by index, not by reading the table',
  async (database, t) => {
    await using zone = await openKeyZone(
      database.url,
      await temporaryFolder(t),
      () => new Date('2026-03-10T08:00:00Z'),
    )
    await using owner = openDatabase(parseAddress(database.url), 'key_zone', 1)
    await owner.query(
      sql`insert into diagnosis_key
          (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
        select decode(md5(n::text), 'hex'), n, 0, 0, 144, 0, 1, 0 from generate_series(1, 20000) n`,
    )
    await owner.query(sql`analyze diagnosis_key`)
    // As many as a full group brings: PostgreSQL would rather read a table of this size.
    const keys = byteaArray(Array.from({ length: 900 }, () => randomBytes(16)))
    for (const statement of [
      'select key_data from diagnosis_key where key_data = any($1::bytea[])',
      'select seq from report where fingerprint = any($1::bytea[])',
    ]) {
      const { rows } = await zone.db.query<{ 'QUERY PLAN': string }>({
        text: `explain ${statement}`,
        values: [keys],
      })
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      assert.match(plan, /Index/, plan)
      assert.doesNotMatch(plan, /Seq Scan/, plan)
    }
  },
)
