// Test: the publisher's lock: one publisher at a time, one that loses it stops in time, and another takes over.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import { createPublisher, publishDue, type PublisherContext } from '../src/publish/publish-due.ts'
import { takePublisherLock } from '../src/publish/publisher-lock.ts'
import { databaseTestOnce } from './database.ts'
import { afterCalls } from './intercept.ts'
import { readIndex } from './published-files.ts'
import {
  assertLogIsClean,
  countZips,
  openOwner,
  openPublishingZone,
  publishedKeys,
  releasesOf,
  type PublishingZone,
} from './publishing-zone.ts'
import { watchPublic } from './public-watcher.ts'
import type { PublisherNews } from './publisher-process.ts'
import { startPublisher, type PublisherProcess } from './start-publisher.ts'

const HOUR = 3600

/** Ends the session that holds the publisher's lock, as a restarted server or a cut network does. */
const LOSE_LOCK = `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
  and database = (select oid from pg_database where datname = current_database())`

databaseTestOnce(
  'only one takes the lock; whoever waits gets it when the first lets go',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { address } = test.zone
    const first = await takePublisherLock(address, false)
    assert.ok(first)
    await first.mustHold()
    assert.equal(await takePublisherLock(address, false), undefined)
    let taken = false
    const waiting = takePublisherLock(address, true).then((lock) => {
      taken = true
      return lock
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(taken, false)
    await first[Symbol.asyncDispose]()
    await using second = await waiting
    await second?.mustHold()
    await assert.rejects(first.mustHold(), { code: 'publisher_lost' })
  },
)

databaseTestOnce(
  'a lock whose session ended is noticed when it is asked for, and can be taken again',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    await using owner = await openOwner(database.url)
    await using lock = await takePublisherLock(test.zone.address, false)
    assert.equal((await owner.query(LOSE_LOCK)).rowCount, 1)
    await assert.rejects(async () => lock?.mustHold(), { code: 'publisher_lost' })
    assert.equal(lock?.held, false)
    await using again = await takePublisherLock(test.zone.address, false)
    assert.ok(again)
  },
)

/** What others can see of a stream: releases in the log, zips in the folder, lines in the index. */
async function countVisible({ zone }: PublishingZone): Promise<[number, number, number]> {
  return [
    (await releasesOf(zone.db))['us'] ?? 0,
    await countZips(zone.publicFolder),
    (await readIndex(zone.publicFolder, 'us')).length,
  ]
}

databaseTestOnce(
  'a publisher that loses its lock in the middle of a run publishes nothing more',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const { publisher } = zone
    const { store, db } = publisher
    await test.addStream('us')
    await publishDue(publisher)
    await using owner = await openOwner(database.url)
    const lose = async () => assert.equal((await owner.query(LOSE_LOCK)).rowCount, 1)
    let transactions = 0
    const moments: { broken: Partial<PublisherContext>; visible: [number, number, number] }[] = [
      {
        broken: { loadSigner: async (file) => (await lose(), publisher.loadSigner(file)) },
        visible: [0, 0, 0],
      },
      {
        // The first transaction raises the head's grain, the second records.
        broken: {
          db: afterCalls(db, 'transaction', async () =>
            ++transactions === 2 ? lose() : undefined,
          ),
        },
        visible: [1, 0, 0],
      },
      { broken: { store: afterCalls(store, 'putImmutable', lose) }, visible: [1, 1, 0] },
      // The first of the two that is moved is the public key, the second the index.
      { broken: { store: afterCalls(store, 'putMutable', lose) }, visible: [1, 1, 0] },
    ]
    for (const { broken, visible } of moments) {
      await test.upload()
      clock.advance(HOUR)
      const before = await countVisible(test)
      await using lock = await takePublisherLock(zone.address, false)
      assert.ok(lock)
      const publish = createPublisher({ ...publisher, ...broken }, lock)
      await assert.rejects(publish(), { code: 'publisher_lost' })
      const after = await countVisible(test)
      assert.deepEqual(
        after.map((count, index) => count - (before[index] ?? 0)),
        visible,
      )
      await assert.rejects(publish(), { code: 'publisher_lost' })
      assert.deepEqual(await countVisible(test), after)
      await publishDue(publisher)
      assert.deepEqual(
        await countVisible(test),
        before.map((count) => count + 1),
      )
    }
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'of three processes whose clocks differ one publishes and nothing is made twice; when it is killed, or its lock is cut off, another takes over',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    await using owner = await openOwner(database.url)
    const { clock } = test
    await test.addStream('us', { maximum: 2 })
    const processes = await Promise.all([1, 2, 3].map(() => startPublisher(t, test)))
    const tellTime = () =>
      processes.forEach((each, index) => {
        const now = new Date(clock.now().getTime() + (index - 1) * APART * 1000)
        each.tell({ order: 'lead', now: now.toISOString() })
      })
    const uploaded: string[] = []
    let hours = 0
    /** An hour whose end comes to the three at different moments; something is uploaded at each of them. */
    const publishHour = async () => {
      for (const seconds of [HOUR - APART, APART, APART]) {
        uploaded.push(...(await test.upload()))
        clock.advance(seconds)
        tellTime()
      }
      hours++
      await waitFor(() => count(processes, 'published') === hours)
      clock.advance(-APART)
    }
    const takesOver = (times: number) => waitFor(() => count(processes, 'leader') === times)
    tellTime()
    await takesOver(1)
    for (let hour = 0; hour < 2; hour++) await publishHour()
    assert.equal(count(processes, 'leader'), 1, 'one leads')
    // The connection is cut, and nobody is told: it is noticed when it matters.
    for (const times of [2, 3]) {
      assert.equal((await owner.query(LOSE_LOCK)).rowCount, 1)
      await takesOver(times)
      await publishHour()
    }
    await currentLeader(processes)?.kill()
    await takesOver(4)
    for (let hour = 0; hour < 2; hour++) await publishHour()
    const paths = puts(processes)
    assert.equal(new Set(paths).size, paths.length, 'no file is put twice')
    const { rows } = await test.zone.db.query<{ path: string }>(
      sql`select 'exports/' || path as path from release_file order by path`,
    )
    assert.deepEqual(
      paths.toSorted(),
      rows.map((row) => row.path),
    )
    // What came with the last window's end is in the next one.
    clock.advance(HOUR + APART)
    await Promise.all(processes.map((each) => each.kill()))
    await publishDue(test.zone.publisher)
    assert.deepEqual((await publishedKeys(test, 'us')).flat().sort(), uploaded.sort())
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'two that both believe to lead, because a lock was lost the moment after it was asked for, record no release twice and put no other bytes',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { clock, zone } = test
    const alone = { mustHold: async () => undefined }
    await test.addStream('us', { maximum: 4, retention: HOUR })
    const watcher = watchPublic(test, ['us'])
    const both = [1, 2].map(() => createPublisher(zone.publisher, alone))
    let failures = 0
    for (let hour = 0; hour < 12; hour++) {
      for (let n = 0; n < 2; n++) await test.upload()
      clock.advance(HOUR)
      const ends = await Promise.allSettled(both.map((publish) => publish()))
      failures += ends.filter(({ status }) => status === 'rejected').length
      await watcher.look(`hour ${hour}`)
      await publishDue(zone.publisher)
      await watcher.lookMended(`mended in hour ${hour}`)
    }
    assert.ok(failures > 0, "they were in each other's way")
    await watcher.assertEachKeyOnce({ us: ['US'] })
    assert.deepEqual(await releasesOf(zone.db), { us: 12 })
  },
)

/** How far the clocks of two are apart, seconds. */
const APART = 30

/** How often any of them has said something. */
function count(processes: readonly PublisherProcess[], wanted: PublisherNews['news']): number {
  return processes.flatMap(({ heard }) => heard).filter(({ news }) => news === wanted).length
}

/** The one that leads: it has begun to more often than it has lost. */
function currentLeader(processes: readonly PublisherProcess[]): PublisherProcess | undefined {
  return processes.find((each) => count([each], 'leader') > count([each], 'lost'))
}

/** What they have put for ever. */
function puts(processes: readonly PublisherProcess[]): string[] {
  return processes
    .flatMap(({ heard }) => heard)
    .flatMap((news) => (news.news === 'put' ? [news.path] : []))
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 1_500 && !condition(); round++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(condition(), 'waited for 30 s')
}
