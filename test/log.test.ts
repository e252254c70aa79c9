// Test: the log in a real database; promises gapless numbers in the order of commits, a grain that never goes back, and all or nothing.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { sql } from '../src/db/sql.ts'
import { appendEvents, raiseGrain, truncateToGrain } from '../src/log/append-event.ts'
import { advanceTree } from '../src/log/checkpoint.ts'
import { readEvent, readEventRows, readHead } from '../src/log/read-events.ts'
import { leafHashOf, type NewEvent } from '../src/log/record.ts'
import { appendLeaf, EMPTY_FRONTIER, rootOf } from '../src/log/tree.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { openZones, type OpenZone, type OpenZones } from '../src/operate/open-zones.ts'
import { databaseTest, type TestDatabase } from './database.ts'
import { movableClock } from './key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const noted = (content: unknown = 'x'): NewEvent => ({
  type: 'log.noted',
  parts: [{ retention: 'statistics', content }],
})
const configured: NewEvent = {
  type: 'log.configured',
  parts: [{ retention: 'configuration', content: 'x' }],
}

const clock = movableClock('2026-03-20T10:07:00Z')

async function openLogs(db: TestDatabase, t: TestContext): Promise<OpenZones> {
  clock.set('2026-03-20T10:07:00Z')
  return openZones({
    ownerUrl: db.url,
    zoneUrls: {},
    masterKeyFile: join(await temporaryFolder(t), 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 8,
    projections: { key: [], authority: [] },
    now: clock.now,
  })
}

const append = ({ db, writer }: OpenZone, ...events: NewEvent[]) =>
  db.transaction((tx) => appendEvents(tx, writer, events, clock.now()))

const at = (time: string) => Date.parse(`2026-03-20T${time}Z`) / 1000

databaseTest('each zone has a log of its own, which begins with its log id', async (db, t) => {
  await using zones = await openLogs(db, t)
  const heads = [await readHead(zones.key.db), await readHead(zones.authority.db)] as const
  for (const [index, zone] of [zones.key, zones.authority].entries()) {
    const { logId, ...head } = heads[index] ?? assert.fail()
    assert.deepEqual(head, { nextSeq: 1, grain: at('10:00:00'), configurationSeq: 0 })
    const content = { logId: Uint8Array.from(logId) }
    assert.deepEqual(await readEvent(zone.db, 0), {
      seq: 0,
      grain: at('10:00:00'),
      type: 'log.started',
      parts: [{ retention: 'configuration', content }],
    })
  }
  assert.notDeepEqual(heads[0].logId, heads[1].logId)
  await append(zones.key, noted())
  assert.equal((await readHead(zones.authority.db)).nextSeq, 1)
  assert.equal(await readEvent(zones.authority.db, 1), undefined)
})

databaseTest(
  'numbers follow one another, in the order given, and the events can be read as they were written',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const stored = await append(zones.key, noted('a'), noted('b'), noted('c'))
    assert.deepEqual(
      stored.map((event) => event.seq),
      [1, 2, 3],
    )
    for (const event of stored) assert.deepEqual(await readEvent(zones.key.db, event.seq), event)
    assert.deepEqual(await append(zones.key), [], 'nothing is nothing')
    assert.equal((await readHead(zones.key.db)).nextSeq, 4)
  },
)

databaseTest(
  'two events that say the same have different leaves: each part has a salt of its own',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    await append(zones.key, noted(), noted())
    const { rows } = await zones.key.db.query<{ record: Uint8Array }>(
      sql`select record from event where seq > 0`,
    )
    const salts = rows.map(({ record }) => Buffer.from(record.subarray(-19, -3)).toString('hex'))
    assert.equal(new Set(salts).size, 2)
    assert.ok(!salts.includes('00'.repeat(16)))
  },
)

databaseTest(
  'the grain is the later of the clock and the head: a clock that is set back changes nothing',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const grainNow = async () => (await append(zones.key, noted()))[0]?.grain
    clock.set('2026-03-20T11:14:59Z')
    assert.equal(await grainNow(), at('11:00:00'))
    clock.set('2026-03-20T11:15:00Z')
    assert.equal(await grainNow(), at('11:15:00'))
    clock.set('2026-03-20T09:00:00Z')
    assert.equal(await grainNow(), at('11:15:00'))
    assert.equal((await readHead(zones.key.db)).grain, at('11:15:00'))
    assert.equal(truncateToGrain(new Date('1969-12-31T23:59:59Z'), 900), -900)
  },
)

databaseTest(
  'once the head was raised, everything is accepted at or after that, until the clock has passed it',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log } = zones.key
    const raise = (grain: number) => log.transaction((tx) => raiseGrain(tx, grain))
    await raise(at('12:00:00'))
    assert.equal((await append(zones.key, noted()))[0]?.grain, at('12:00:00'))
    await raise(at('11:00:00'))
    assert.equal((await readHead(log)).grain, at('12:00:00'), 'it is never lowered')
    clock.set('2026-03-20T12:16:00Z')
    assert.equal((await append(zones.key, noted()))[0]?.grain, at('12:15:00'))
    assert.deepEqual((await verifyLog(log, [])).problems, [])
  },
)

databaseTest(
  'a transaction that began before the head was raised and commits later gets the raised grain',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log, writer } = zones.key
    const stored = await log.transaction(async (tx) => {
      await tx.query(sql`select count(*) from event`)
      await log.transaction((other) => raiseGrain(other, at('12:00:00')))
      return appendEvents(tx, writer, [noted()], clock.now())
    })
    assert.equal(stored[0]?.grain, at('12:00:00'))
  },
)

databaseTest(
  'whoever raises the head waits for those who hold it, so that nothing slips in behind',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log, writer } = zones.key
    let raised = false
    let raising: Promise<void> | undefined
    await log.transaction(async (tx) => {
      await appendEvents(tx, writer, [noted()], clock.now())
      raising = log
        .transaction((other) => raiseGrain(other, at('12:00:00')))
        .then(() => {
          raised = true
        })
      await setTimeout(100)
      assert.equal(raised, false)
    })
    await raising
    assert.equal((await readEvent(log, 1))?.grain, at('10:00:00'))
  },
)

databaseTest(
  'a transaction that fails leaves no event and no gap, whether it fails before or after appending',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log, writer } = zones.key
    const failing = log.transaction(async (tx) => {
      await appendEvents(tx, writer, [noted()], clock.now())
      throw new Error('afterwards')
    })
    await assert.rejects(failing, /afterwards/)
    const projection = {
      types: ['log.noted'],
      tables: [],
      apply: () => Promise.reject(new Error('no place for it')),
    }
    const strict = { ...writer, projections: [projection] }
    const refused = log.transaction((tx) => appendEvents(tx, strict, [noted()], clock.now()))
    await assert.rejects(refused, /no place for it/)
    assert.equal((await readHead(log)).nextSeq, 1)
    assert.equal((await append(zones.key, noted()))[0]?.seq, 1)
    assert.deepEqual((await verifyLog(log, [])).problems, [])
  },
)

databaseTest(
  'while many append at once, a reader that sees an event sees every one before it',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log, writer } = zones.key
    const written = new AbortController()
    const reader = (async () => {
      let looked = 0
      for (; !written.signal.aborted; looked++) {
        const { rows } = await log.query<{ events: number; last: number }>(
          sql`select count(*) as events, max(seq) as last from event`,
        )
        assert.equal(rows[0]?.events, (rows[0]?.last ?? 0) + 1)
      }
      return looked
    })()
    const writers = Array.from({ length: 60 }, async (_, index) => {
      const events = Array.from({ length: 1 + (index % 3) }, () => noted())
      await log.transaction(async (tx) => {
        const stored = await appendEvents(tx, writer, events, clock.now())
        await setTimeout(index % 4)
        if (index % 5 === 0) throw new Error(`given up ${stored[0]?.seq}`)
      })
    })
    const results = await Promise.allSettled(writers)
    written.abort()
    assert.ok((await reader) > 3)
    assert.equal(results.filter((each) => each.status === 'rejected').length, 12)
    assert.deepEqual((await verifyLog(log, [])).problems, [])
  },
)

databaseTest(
  'the head names the newest change of configuration, and nothing else moves it',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const newest = async () => (await readHead(zones.key.db)).configurationSeq
    await append(zones.key, noted(), configured, noted())
    assert.equal(await newest(), 2)
    await append(zones.key, noted(), noted())
    assert.equal(await newest(), 2)
    await append(zones.key, configured, configured)
    assert.equal(await newest(), 7)
  },
)

databaseTest(
  'the tree grows from checkpoint to checkpoint as it would in one go',
  async (db, t) => {
    await using zones = await openLogs(db, t)
    const { db: log } = zones.key
    await append(zones.key, ...Array.from({ length: 22 }, () => noted()))
    const leaves: Uint8Array[] = []
    for await (const page of readEventRows(log, 0))
      for (const row of page) leaves.push(leafHashOf(row.record))
    const rootOver = (size: number) =>
      rootOf(leaves.slice(0, size).reduce(appendLeaf, EMPTY_FRONTIER))
    for (const size of [1, 2, 7, 8, 22, 22, 23]) {
      const checkpoint = await log.transaction((tx) => advanceTree(tx, size))
      assert.deepEqual(checkpoint, { size, root: rootOver(size) })
    }
    const { rows } = await log.query<{ size: number }>(
      sql`select size from checkpoint order by size`,
    )
    assert.deepEqual(
      rows.map((row) => row.size),
      [1, 2, 7, 8, 22, 23],
    )
    // Between two checkpoints that are there already.
    assert.deepEqual(await log.transaction((tx) => advanceTree(tx, 12)), {
      size: 12,
      root: rootOver(12),
    })
    await assert.rejects(
      log.transaction((tx) => advanceTree(tx, 24)),
      /the log ends before event 24/,
    )
    assert.deepEqual((await verifyLog(log, [])).problems, [])
  },
)

databaseTest('a long log is read page by page, from anywhere to anywhere', async (db, t) => {
  await using zones = await openLogs(db, t)
  const { db: log } = zones.key
  await append(zones.key, ...Array.from({ length: 1_204 }, () => noted()))
  const read = async (from: number, until?: number) => {
    const seqs: number[] = []
    for await (const page of readEventRows(log, from, until)) {
      assert.ok(page.length > 0 && page.length <= 500)
      seqs.push(...page.map((row) => row.seq))
    }
    return seqs
  }
  const range = (from: number, until: number) =>
    Array.from({ length: until - from }, (_, n) => from + n)
  assert.deepEqual(await read(0), range(0, 1_205))
  assert.deepEqual(await read(700, 1_000), range(700, 1_000))
  assert.deepEqual(await read(499, 500), [499])
  assert.deepEqual(await read(1_205), [])
})
