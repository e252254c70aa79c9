// Test: the publisher's lock: one publisher at a time, one that loses it stops in time, and another takes over.

import assert from 'node:assert/strict'
import { createPublisher, publishDue, type PublisherContext } from '../src/publish/publish-due.ts'
import { takePublisherLock } from '../src/publish/publisher-lock.ts'
import { databaseTest } from './database.ts'
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
import { startPublisher, type PublisherProcess } from './start-publisher.ts'

const HOUR = 3600

/** Ends the session that holds the publisher's lock, as a restarted server or a cut network does. */
const LOSE_LOCK = `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
  and database = (select oid from pg_database where datname = current_database())`

databaseTest(
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

databaseTest(
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

databaseTest(
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

databaseTest(
  'of two processes one publishes and nothing is made twice; when it is killed the other takes over',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { clock } = test
    await test.addStream('us')
    const processes = await Promise.all([1, 2].map(() => startPublisher(t, test)))
    const lead = () => {
      for (const each of processes) each.tell({ order: 'lead', now: clock.now().toISOString() })
    }
    const expected: string[][] = []
    const publishHour = async () => {
      expected.push((await test.upload()).sort())
      clock.advance(HOUR)
      lead()
      await waitFor(() => countFiles(processes) === expected.length)
    }
    lead()
    await waitFor(() => leaders(processes).length > 0)
    for (let hour = 0; hour < 3; hour++) await publishHour()
    const [first] = leaders(processes)
    assert.equal(leaders(processes).length, 1)
    await first?.kill()
    await waitFor(() => leaders(processes).length === 2)
    for (let hour = 0; hour < 3; hour++) await publishHour()
    assert.deepEqual(await publishedKeys(test, 'us'), expected)
    assert.deepEqual(await countVisible(test), [6, 6, 6])
    assert.equal(countFiles(processes.filter((each) => each === first)), 3)
    await assertLogIsClean(test)
    await Promise.all(processes.map((each) => each.kill()))
  },
)

/** Those that have ever led. */
function leaders(processes: readonly PublisherProcess[]): PublisherProcess[] {
  return processes.filter(({ heard }) => heard.some(({ news }) => news === 'leader'))
}

/** How many files they say that they have published. */
function countFiles(processes: readonly PublisherProcess[]): number {
  return processes
    .flatMap(({ heard }) => heard)
    .reduce((sum, news) => sum + (news.news === 'published' ? news.files : 0), 0)
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !condition(); round++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(condition(), 'waited for 10 s')
}
