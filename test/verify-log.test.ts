// Test: `tocsin log verify`; promises that each kind of tampering with the log, its tree or its tables is found and named.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { readEvent, readHead } from '../src/log/read-events.ts'
import { encodeEvent } from '../src/log/record.ts'
import { MOST_PROBLEMS, verifyLog, type LogFindings } from '../src/log/verify-log.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { databaseTest, type TestDatabase } from './database.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { asOwner } from './submitting-zone.ts'
import { TAMPERING } from './tampering.ts'

/**
 * A log of eight events: 0 log.started, 1 authority.added, 2 stream.configured, 3 and 4 reports, 5 release with a checkpoint over
 * the five before it, 6 and 7 reports.
 */
async function openFullLog(database: TestDatabase, t: TestContext) {
  const town = await openPublishingZone(database, t)
  await town.addStream('us')
  await town.upload()
  await town.upload()
  town.clock.advance(3600)
  await publishDue(town.zone.publisher)
  await town.upload()
  await town.upload()
  return town
}

const findings = ({ zone }: PublishingZone): Promise<LogFindings> =>
  verifyLog(zone.db, zone.writer.projections)

databaseTest(
  'a log that nobody touched has no problem, and looking changes nothing',
  async (db, t) => {
    await using town = await openFullLog(db, t)
    const { rows } = await town.zone.db.query<{ type: string }>(
      sql`select type from event order by seq`,
    )
    assert.deepEqual(
      rows.map((row) => row.type),
      [
        'log.started',
        'authority.added',
        'stream.configured',
        'report',
        'report',
        'release',
        'report',
        'report',
      ],
    )
    const before = await readHead(town.zone.db)
    const first = await findings(town)
    assert.deepEqual([first.events, first.problems], [8, []])
    assert.match(first.root, /^[0-9a-f]{64}$/)
    assert.deepEqual(await findings(town), first)
    assert.deepEqual(await readHead(town.zone.db), before)
  },
)

databaseTest(
  'a check writes its tables a second time and never the real ones, whatever its connection did before',
  async (db, t) => {
    await using town = await openFullLog(db, t)
    // A session that has had temporary tables before looks no further for the tables of the next ones.
    const passing = Array.from({ length: 8 }, () =>
      town.zone.db.transaction(async (tx) => {
        await tx.query(sql`create temp table passing (n integer) on commit drop`)
        await setTimeout(100)
      }),
    )
    await Promise.all(passing)
    // Prepared statements of submissions, then a check, on the same few connections again and again.
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 8 }, () => town.upload()))
      const checks = await Promise.all(Array.from({ length: 4 }, () => findings(town)))
      for (const { problems } of checks) assert.deepEqual(problems, [])
    }
    const { rows } = await town.zone.db.query<{ n: number }>(sql`select count(*) as n from report`)
    assert.deepEqual(rows, [{ n: 36 }])
  },
)

databaseTest('each kind of tampering is found and named', async (db, t) => {
  await using town = await openFullLog(db, t)
  const tables = await asOwner(db, [
    'create schema kept',
    "select table_name as name from information_schema.tables where table_schema = 'key_zone'",
  ]).then((rows) => rows.map((row) => String(row['name'])))
  await asOwner(
    db,
    tables.map((name) => `create table kept.${name} as table key_zone.${name}`),
  )
  const restore = [
    `truncate ${tables.map((name) => `key_zone.${name}`).join(', ')}`,
    ...tables.map((name) => `insert into key_zone.${name} table kept.${name}`),
  ].join(';')
  for (const [what, statement, expected] of TAMPERING)
    await t.test(what, async () => {
      await asOwner(db, [`set search_path = key_zone; ${statement}`])
      const { problems } = await findings(town)
      await asOwner(db, [restore])
      assert.equal(problems.length, expected.length, problems.join('\n'))
      problems.forEach((problem, index) => assert.match(problem, expected[index] as RegExp))
    })
  assert.deepEqual((await findings(town)).problems, [])
})

databaseTest('an event that goes back in time is found', async (db, t) => {
  await using town = await openFullLog(db, t)
  const event = { seq: 8, grain: 900, type: 'log.noted', parts: [] }
  const { record, leafHash } = encodeEvent(event, new Uint8Array())
  const values = `8, 'log.noted', '\\x${hex(record)}', '\\x${hex(leafHash)}'`
  await asOwner(db, [
    `insert into key_zone.event values (${values})`,
    'update key_zone.log_head set next_seq = 9',
  ])
  assert.deepEqual((await findings(town)).problems, [
    'event 8 has an earlier grain than the one before',
  ])
})

databaseTest(
  'an event that the tables can not hold is named, and the others are still compared',
  async (db, t) => {
    await using town = await openFullLog(db, t)
    const event = await readEvent(town.zone.db, 1)
    assert.ok(event)
    // The same health authority a second time, properly recorded by whoever can write the log.
    const { type, parts } = event
    const careless = { ...town.zone.writer, projections: [] }
    await town.zone.db.transaction((tx) =>
      appendEvents(tx, careless, [{ type, parts }], town.clock.now()),
    )
    assert.deepEqual((await findings(town)).problems, ['what event 8 says does not fit the tables'])
  },
)

databaseTest(
  'of many problems the first hundred are told, and how many more there are',
  async (db, t) => {
    await using town = await openFullLog(db, t)
    const noted = Array.from({ length: 250 }, () => ({ type: 'log.noted', parts: [] }))
    await town.zone.db.transaction((tx) =>
      appendEvents(tx, town.zone.writer, noted, town.clock.now()),
    )
    assert.deepEqual((await findings(town)).problems, [])
    await asOwner(db, ["update key_zone.event set leaf_hash = sha256('x') where seq >= 8"])
    const { problems } = await findings(town)
    assert.equal(problems.length, MOST_PROBLEMS)
    assert.equal(problems.at(-1), `and ${250 - MOST_PROBLEMS + 1} more problems`)
  },
)

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
