// Test: windows of publishing in the log: none left out, none twice, whenever submissions commit and whatever the clock does.

import assert from 'node:assert/strict'
import type { Database, Transaction } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { raiseGrain } from '../src/log/append-event.ts'
import { readEvent, readHead } from '../src/log/read-events.ts'
import { createPublisher, publishDue, type PublisherContext } from '../src/publish/publish-due.ts'
import { releaseContent } from '../src/publish/earlier-events.ts'
import { createAcceptReports } from '../src/submit/accept-reports.ts'
import { createGroupCommit } from '../src/log/group-commit.ts'
import { databaseTest } from './database.ts'
import { makeKeys } from './key-zone.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  publishedKeys,
  type PublishingZone,
} from './publishing-zone.ts'

const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600

databaseTest(
  'windows without keys are recorded without a file, a long downtime in one go',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const first = await test.upload()
    // 50 days: more windows than are recorded at once.
    clock.advance(50 * 24 * HOUR)
    const last = await test.upload()
    clock.advance(HOUR)
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 1_201,
      files: 2,
      keys: 6,
      revisedKeys: 0,
    })
    assert.deepEqual(await publishedKeys(test, 'us'), [first.sort(), last.sort()])
    const { rows } = await zone.db.query<{ number: number; gaps: number }>(
      sql`select max(number) as number, count(*) filter (where gap) as gaps from
          (select number, window_start <> lag(window_end, 1, ${EIGHT}::bigint) over (order by number) as gap from release) w`,
    )
    assert.deepEqual(rows, [{ number: 1_201, gaps: 0 }])
    await assertLogIsClean(test)
  },
)

databaseTest(
  'a key that comes on the hour belongs to the window that begins, not to the one that ends',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const windows: string[][] = []
    for (const time of ['08:59:59.999', '09:00:00.000', '10:59:59.000']) {
      clock.set(`2026-03-10T${time}Z`)
      windows.push((await test.upload()).sort())
    }
    clock.set('2026-03-10T12:00:00Z')
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 4,
      files: 3,
      keys: 9,
      revisedKeys: 0,
    })
    assert.deepEqual(await publishedKeys(test, 'us'), windows)
  },
)

databaseTest(
  'when nothing is due, or the clock was moved back, nothing is written',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const early = await test.upload()
    clock.advance(HOUR)
    const publish = createPublisher(zone.publisher, { mustHold: async () => undefined })
    await publish()
    const before = await readHead(zone.db)
    for (const time of ['2026-03-10T09:00:00Z', '2026-03-10T09:59:59Z', '2026-03-01T00:00:00Z']) {
      clock.set(time)
      assert.deepEqual(await publish(), { releases: 0, files: 0, keys: 0, revisedKeys: 0 })
    }
    assert.deepEqual(await readHead(zone.db), before)
    // What is accepted while the clock is wrong still gets its one window.
    const meanwhile = await test.upload(makeKeys(new Date('2026-02-28T00:00:00Z'), 2))
    clock.set('2026-03-10T10:00:00Z')
    await publish()
    assert.deepEqual(await publishedKeys(test, 'us'), [early.sort(), meanwhile.sort()])
  },
)

/** A database whose submissions wait at a gate: just before they lock the log's head, or just before they commit. */
function gated(db: Database, gate: Promise<void>, where: 'before the head' | 'before the commit') {
  const transaction: Database['transaction'] = (work) =>
    db.transaction(async (tx) => {
      const query: Transaction['query'] = async (statement) => {
        const locks = 'name' in statement && statement.name === 'lock-head'
        if (locks && where === 'before the head') await gate
        return tx.query(statement)
      }
      const result = await work({ ...tx, query })
      if (where === 'before the commit') await gate
      return result
    })
  return { ...db, transaction }
}

databaseTest('a submission that commits late gets into exactly one window', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  await test.addStream('us')
  await publishDue(zone.publisher)
  clock.set('2026-03-10T08:59:59Z')
  // Two submissions at the last moment: one is about to lock the log's head when the window is planned, one holds it.
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const submitAt = (gate: Promise<void>, where: 'before the head' | 'before the commit') => {
    const db = gated(zone.db, gate, where)
    const accept = createAcceptReports(db, zone.writer, () => clock.now())
    return { ...zone.submit, commit: createGroupCommit(64, 10, Infinity, accept) }
  }
  const late = test.upload(undefined, undefined, submitAt(gates[0].promise, 'before the head'))
  const holding = test.upload(undefined, undefined, submitAt(gates[1].promise, 'before the commit'))
  while (!(await areWaiting(test))) await new Promise((resolve) => setTimeout(resolve, 5))
  clock.set('2026-03-10T09:00:00Z')
  let published = false
  const publishing = publishDue(zone.publisher).then(() => (published = true))
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(published, false, 'planning waits for whoever holds the head')
  gates[1].resolve()
  await publishing
  gates[0].resolve()
  const windows = [(await holding).sort(), (await late).sort()]
  clock.set('2026-03-10T10:00:00Z')
  await publishDue(zone.publisher)
  assert.deepEqual(await publishedKeys(test, 'us'), windows)
})

databaseTest(
  'a submission sent without asking for the head gets into exactly one window',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await publishDue(zone.publisher)
    clock.set('2026-03-10T08:59:59Z')
    // Two look at the head, and the third knows it.
    const early = [await test.upload(), await test.upload(), await test.upload()]
    // The window is planned, and by the clock of who submits it isn't over.
    await zone.db.transaction((tx) => raiseGrain(tx, EIGHT + HOUR))
    const late = await test.upload()
    clock.set('2026-03-10T10:00:00Z')
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [early.flat().sort(), late.sort()])
    await assertLogIsClean(test)
  },
)

/** Whether two submissions wait, one of them behind the lock of the log's head. */
async function areWaiting({ zone }: PublishingZone): Promise<boolean> {
  const { rows } = await zone.db.query<{ waiting: number; holding: number }>(
    sql`select count(*) as waiting, count(*) filter (where exists (
          select from pg_locks l where l.pid = a.pid and l.relation = 'log_head'::regclass and l.mode = 'RowExclusiveLock')) as holding
        from pg_stat_activity a where datname = current_database() and state = 'idle in transaction'`,
  )
  return rows[0]?.waiting === 2 && rows[0].holding === 1
}

databaseTest(
  'a release names the number of events that its file was read from',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const uploaded = await test.upload()
    clock.advance(HOUR)
    const { nextSeq } = await readHead(zone.db)
    // Somebody uploads while the file is built, and again before the release is recorded.
    const loadSigner: PublisherContext['loadSigner'] = async (file) => {
      await test.upload()
      const signer = await zone.publisher.loadSigner(file)
      const sign = async (digest: Uint8Array) => {
        await test.upload()
        return signer.sign(digest)
      }
      return { ...signer, sign }
    }
    await publishDue({ ...zone.publisher, loadSigner })
    const event = await readEvent(zone.db, nextSeq + 2)
    assert.equal(event?.type, 'release')
    const { readSeq, checkpoint } = releaseContent(event)
    assert.equal(readSeq, nextSeq)
    assert.equal(checkpoint.size, nextSeq + 2)
    assert.deepEqual(await publishedKeys(test, 'us'), [uploaded.sort()])
    await assertLogIsClean(test)
  },
)
