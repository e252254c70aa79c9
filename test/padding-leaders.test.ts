// Test: padding of a leader that has lost its lock and does not know: it comes into no window that another has read, and no file lacks it.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { appendEvents, raiseGrain } from '../src/log/append-event.ts'
import { familiesOf, readRegionLists } from '../src/publish/families.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { settlePadding } from '../src/publish/settle-padding.ts'
import { listStreams } from '../src/publish/streams.ts'
import { decodeEvent } from '../src/log/record.ts'
import { sql } from '../src/db/sql.ts'
import { paddingEvent, PADDING, type PaddingContent } from '../src/submit/padding-report.ts'
import { databaseTestOnce } from './database.ts'
import { afterCalls } from './intercept.ts'
import { digestFolder } from './published-files.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  publishedKeys,
  type PublishingZone,
} from './publishing-zone.ts'

const HOUR = 3600

/** A copy of some padding with other bytes, in the window that is open. */
async function appendPadding({ zone, clock }: PublishingZone, accepted: number): Promise<void> {
  const { rows } = await zone.db.query<{ record: Uint8Array }>(
    sql`select record from event where type = ${PADDING} order by seq limit 1`,
  )
  const content = decodeEvent(rows[0]?.record ?? new Uint8Array()).parts[0]
    ?.content as PaddingContent
  const { keys } = content
  const late: PaddingContent = {
    ...content,
    trackingId: randomBytes(16),
    fingerprint: randomBytes(16),
    accepted,
    keys: { ...keys, keyData: randomBytes(keys.keyData.length), flags: keys.flags.map(() => 0) },
  }
  await zone.db.transaction((tx) =>
    appendEvents(tx, zone.writer, [paddingEvent(late)], clock.now()),
  )
}

/** A zone whose first window was padded and published, and whose second has a report and is over. */
async function openPadded(...[database, t]: Parameters<Parameters<typeof databaseTestOnce>[1]>) {
  const test = await openPublishingZone(database, t)
  await test.addStream('us', { minimum: 50 })
  await test.upload()
  test.clock.advance(HOUR)
  await publishDue(test.zone.publisher)
  await test.upload()
  test.clock.advance(HOUR)
  return test
}

const seconds = ({ clock }: PublishingZone) => Math.floor(clock.now().getTime() / 1000)

databaseTestOnce(
  'padding that comes while a window is read ends the release, and the next run has it in its file',
  async (database, t) => {
    await using test = await openPadded(database, t)
    const { zone } = test
    const before = (await publishedKeys(test, 'us')).length
    let times = 0
    const store = afterCalls(zone.publisher.store, 'stagingPath', async () => {
      if (times++ === 0) await appendPadding(test, seconds(test) - HOUR)
    })
    await assert.rejects(publishDue({ ...zone.publisher, store }), { code: 'publisher_lost' })
    assert.equal((await publishedKeys(test, 'us')).length, before)
    await publishDue(zone.publisher)
    await assertPaddingIsOut(test)
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'a leader that settles a window which another has published meanwhile adds nothing',
  async (database, t) => {
    await using test = await openPadded(database, t)
    const { zone } = test
    const end = seconds(test)
    await zone.db.transaction((tx) => raiseGrain(tx, end))
    const [family = []] = familiesOf(await listStreams(zone.db), await readRegionLists(zone.db))
    const mustHold = async () => void (await publishDue(zone.publisher))
    await assert.rejects(settlePadding({ ...zone.publisher, mustHold }, family, end), {
      code: 'publisher_lost',
    })
    await assertPaddingIsOut(test)
  },
)

databaseTestOnce(
  'a file is made again as it was, whatever was written into its window since',
  async (database, t) => {
    await using test = await openPadded(database, t)
    const { zone } = test
    const before = await digestFolder(zone.publicFolder)
    await appendPadding(test, seconds(test) - 2 * HOUR)
    await rm(join(zone.publicFolder, 'exports'), { recursive: true })
    await publishDue({ ...zone.publisher, now: () => new Date((seconds(test) - HOUR) * 1000) })
    assert.deepEqual(await digestFolder(zone.publicFolder), before)
  },
)

/** Every padding key that could be out is, once. */
async function assertPaddingIsOut(test: PublishingZone): Promise<void> {
  const { rows } = await test.zone.db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from diagnosis_key where padding and available < ${seconds(test)}`,
  )
  const published = (await publishedKeys(test, 'us')).flat()
  assert.equal(new Set(published).size, published.length)
  assert.deepEqual(
    rows.map(({ key }) => key).filter((key) => !published.includes(key)),
    [],
  )
}
