// Test: files whose time is over leave the index, and an hour later the store; no index ever names a file that is gone.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { readEventRows } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { updateStream, type StreamChanges } from '../src/publish/streams.ts'
import { retireStream } from '../src/publish/retire-stream.ts'
import { databaseTestOnce } from './database.ts'
import { intercept } from './intercept.ts'
import { makeKeys } from './key-zone.ts'
import { digestFolder, readIndex } from './published-files.ts'
import {
  assertLogIsClean,
  countZips,
  openPublishingZone,
  type PublishingZone,
} from './publishing-zone.ts'
import { sendReport } from './send-report.ts'
import { assertIndexIsSound, isInStore, publishHours } from './retention-zone.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const GRAIN = 900
const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const alone = { mustHold: async () => undefined }

async function change({ zone, clock }: PublishingZone, name: string, changes: StreamChanges) {
  await zone.db.transaction((tx) => updateStream(tx, zone.writer, name, () => changes, clock.now()))
}

/** What the log says of files that left. */
async function leavingEvents({ zone }: PublishingZone) {
  const found: { type: string; grain: number; content: unknown }[] = []
  for await (const page of readEventRows(zone.db, 0))
    for (const { record, type } of page)
      if (type.startsWith('files.')) {
        const { grain, parts } = decodeEvent(record)
        assert.equal(parts[0]?.retention, 'release')
        found.push({ type, grain, content: parts[0]?.content })
      }
  return found
}

databaseTestOnce(
  'a file leaves the index when its retention is over, and the store an hour and a grain later',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: DAY })
    const [first = '', second = ''] = await publishHours(test, 2)
    const publish = createPublisher(zone.publisher, alone)
    const runAt = async (seconds: number) => {
      clock.set(new Date(seconds * 1000))
      await publish()
      return readIndex(zone.publicFolder, 'us')
    }
    // The first window ended at nine.
    const over = EIGHT + HOUR + DAY
    assert.deepEqual(await runAt(over - 1), [first, second])
    assert.deepEqual(await runAt(over + 100), [second])
    assert.ok(isInStore(test, first))
    await runAt(over + HOUR + GRAIN - 1)
    assert.ok(isInStore(test, first), 'whoever has read the old index still finds it')
    assert.deepEqual(await runAt(over + HOUR + GRAIN), [])
    assert.ok(!isInStore(test, first))
    assert.ok(isInStore(test, second))
    assert.deepEqual(await runAt(over + 2 * HOUR + GRAIN), [])
    assert.ok(!isInStore(test, second))
    assert.equal(await readFile(join(zone.publicFolder, 'exports/us/index.txt'), 'utf8'), '')
    const content = (path: string) => ({ stream: 'us', paths: [path] })
    assert.deepEqual(await leavingEvents(test), [
      { type: 'files.unlisted', grain: over, content: content(first) },
      { type: 'files.unlisted', grain: over + HOUR, content: content(second) },
      { type: 'files.removed', grain: over + HOUR + GRAIN, content: content(first) },
      { type: 'files.removed', grain: over + 2 * HOUR + GRAIN, content: content(second) },
    ])
    await assertLogIsClean(test)
    // New keys go on as ever.
    await test.upload()
    clock.advance(HOUR)
    await publish()
    assert.equal((await readIndex(zone.publicFolder, 'us')).length, 1)
  },
)

databaseTestOnce(
  'the present retention counts: a shorter one takes files out at once, a longer one brings none back',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone } = test
    await test.addStream('us')
    await test.addStream('other', { retention: 5 * DAY })
    const paths = await publishHours(test, 4)
    const publish = createPublisher(zone.publisher, alone)
    await change(test, 'us', { retention: 2 * HOUR })
    await publish()
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), paths.slice(2))
    await change(test, 'us', { retention: 14 * DAY })
    await publish()
    await publishDue(zone.publisher)
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), paths.slice(2))
    assert.equal((await readIndex(zone.publicFolder, 'other')).length, 4, 'no other stream minds')
    await assertLogIsClean(test)
  },
)

databaseTestOnce('files of a stream that has ended leave, too', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  await test.addStream('us', { retention: DAY })
  await publishHours(test, 2)
  await zone.db.transaction((tx) => retireStream(tx, zone.writer, 'us', clock.now()))
  clock.advance(2 * DAY)
  await publishDue(zone.publisher)
  assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
  clock.advance(HOUR + GRAIN)
  await publishDue(zone.publisher)
  assert.deepEqual(Object.keys(await digestFolder(zone.publicFolder)).sort(), [
    'exports/us/index.txt',
    'exports/us/key.pem',
  ])
})

databaseTestOnce(
  'a path never comes back, not even under another configuration',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: 4 * HOUR })
    const seen = new Map<string, string>()
    const periods = [HOUR, GRAIN, 2 * HOUR, HOUR, 4 * HOUR, GRAIN]
    for (const period of periods) {
      await change(test, 'us', { period })
      for (let step = 0; step < 6; step++) {
        await test.upload()
        clock.advance(Math.max(period, HOUR))
        await publishDue(zone.publisher)
        await assertIndexIsSound(test, seen, `period ${period}`)
      }
    }
    const { rows } = await zone.db.query<{ n: number; paths: number }>(
      sql`select count(*) as n, count(distinct path) as paths from release_file where removed_at is not null`,
    )
    assert.ok((rows[0]?.n ?? 0) > 15, JSON.stringify(rows))
    await assertLogIsClean(test)
  },
)

databaseTestOnce('a run in which nothing leaves asks the store nothing', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  await test.addStream('us', { retention: DAY })
  await publishHours(test, 2)
  const calls: string[] = []
  const store = intercept(zone.publisher.store, (name, proceed) => (calls.push(name), proceed()))
  const publish = createPublisher({ ...zone.publisher, store }, alone)
  await publish()
  calls.length = 0
  await publish()
  clock.advance(DAY - HOUR)
  await publish()
  assert.deepEqual(calls, ['putMutable', 'putMutable'], 'the first of both has left the index')
})

databaseTestOnce(
  'a key whose file is gone was published all the same: its revision goes out as one',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: 2 * HOUR })
    const authority = await test.addAuthority('org.example.clinic', ['US'])
    const keys = makeKeys(clock.now(), 2)
    const first = await sendReport(test, authority, keys, { reportType: 'likely' })
    clock.advance(HOUR)
    const publish = createPublisher(zone.publisher, alone)
    await publish()
    for (let hour = 0; hour < 4; hour++) {
      clock.advance(HOUR)
      await publish()
    }
    assert.equal(await countZips(zone.publicFolder), 0)
    const { revisionToken } = first.body
    await sendReport(test, authority, keys, { fields: { revisionToken } })
    clock.advance(HOUR)
    assert.deepEqual(await publish(), { releases: 1, files: 1, keys: 0, revisedKeys: 2 })
  },
)
