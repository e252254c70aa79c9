// Test: padding: who gets it, that it is the same everywhere and in nothing that was published, and that nothing takes it for a report.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import { TocsinError } from '../src/errors.ts'
import { raiseGrain } from '../src/log/append-event.ts'
import { familiesOf, publishes, readRegionLists } from '../src/publish/families.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { settlePadding } from '../src/publish/settle-padding.ts'
import { matchReport, matchType } from '../src/publish/stream-filter.ts'
import { listStreams } from '../src/publish/streams.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys, type TestKey } from './key-zone.ts'
import { uploadHour } from './padding-population.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  publishedKeys,
  releasesOf,
  type PublishingZone,
} from './publishing-zone.ts'
import { seededRandom } from './seeded-random.ts'

const HOUR = 3600
const RANDOM = seededRandom(7)

databaseTestOnce('a window with few keys is filled up, the same in all streams', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  await town.addAuthority('org.example.north', ['CA'])
  await town.addStream('us', { minimum: 300 })
  await town.addStream('all', { inputRegions: ['US', 'CA'], minimum: 100 })
  const real = await town.upload()
  await publishAfter(town, HOUR)

  const [us = [], all = []] = await Promise.all(
    ['us', 'all'].map(async (name) => (await publishedKeys(town, name)).flat()),
  )
  assert.ok(us.length >= 300 && us.length < 400, `${us.length} keys`)
  assert.deepEqual(all, us, 'every report is of the one region that both have')
  for (const key of real) assert.ok(us.includes(key))
  const { keys } = await readPadding(town)
  assert.equal(us.filter((key) => keys.has(key)).length, us.length - real.length)
  await assertLogIsClean(town)
})

databaseTestOnce(
  'once settled, nothing is added; a window without a key stays empty',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    await town.addStream('us', { minimum: 200 })
    await publishAfter(town, HOUR)
    assert.equal((await readPadding(town)).keys.size, 0)
    assert.deepEqual(await releasesOf(town.zone.db), { us: 1 })

    await town.upload()
    const end = now(town) + HOUR
    town.clock.advance(HOUR)
    await settle(town, end)
    const { keys } = await readPadding(town)
    assert.ok(keys.size >= 190)
    await settle(town, end)
    await publishDue(town.zone.publisher)
    await settle(town, end)
    assert.deepEqual((await readPadding(town)).keys, keys)
  },
)

databaseTestOnce(
  'a publisher that loses its lock half way leaves what the next one goes on with',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    await town.addStream('us', { minimum: 4_000 })
    await town.upload()
    const end = now(town) + HOUR
    town.clock.advance(HOUR)
    let asked = 0
    const mustHold = async () => {
      if (++asked > 1) throw new TocsinError('publisher_lost')
    }
    await assert.rejects(settle(town, end, mustHold), { code: 'publisher_lost' })
    const { keys: some } = await readPadding(town)
    assert.ok(some.size > 0 && some.size < 3_000, `${some.size} keys`)
    await settle(town, end)
    const { keys: rest } = await readPadding(town)
    assert.ok(rest.size >= 3_990 && rest.size < 4_600, `${rest.size} keys`)
    for (const key of some) assert.ok(rest.has(key))
  },
)

databaseTestOnce('after a downtime every window is padded that has a key', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  await town.addStream('us', { minimum: 300 })
  await town.addStream('long', { minimum: 300, period: 4 * HOUR })
  town.clock.advance(2 * HOUR)
  await town.upload()
  // Empty windows, one with a report, and empty ones again.
  await publishAfter(town, 5 * HOUR)
  for (const name of ['us', 'long']) {
    const files = await publishedKeys(town, name)
    assert.equal(files.length, 1, name)
    assert.ok((files[0]?.length ?? 0) >= 300, `${name}: ${files[0]?.length} keys`)
  }
  assert.deepEqual(await publishedKeys(town, 'us'), await publishedKeys(town, 'long'))
})

databaseTestOnce(
  'a window that is held is not padded, until it is held no longer',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    await town.addStream('us', { hold: 2, minimum: 200 })
    await town.upload()
    for (let hour = 1; hour < 24; hour++) await publishAfter(town, HOUR)
    assert.equal((await readPadding(town)).keys.size, 0)
    assert.deepEqual(await publishedKeys(town, 'us'), [])
    await publishAfter(town, HOUR)
    const [file = [], ...others] = await publishedKeys(town, 'us')
    assert.ok(file.length >= 200)
    assert.deepEqual(others, [])
    await town.upload()
    await town.upload()
    await publishAfter(town, HOUR)
    assert.ok(((await publishedKeys(town, 'us'))[1]?.length ?? 0) >= 200)
  },
)

databaseTestOnce('nothing is padded that a stream of the family has published', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  await uploadAndPublish(town, 24)
  const both = { inputRegions: ['US', 'MX'], minimum: 400 }
  await town.addStream('two', { ...both, period: 2 * HOUR, hold: 12 })
  await town.addStream('three', { ...both, inputRegions: ['US', 'CA'], period: 3 * HOUR, hold: 3 })
  await town.addStream('day', { inputRegions: ['CA', 'US'], minimum: 100, period: 24 * HOUR })
  await town.addStream('late', { ...both, windowAge: 5 * HOUR, reportTypes: [1] })
  await uploadAndPublish(town, 30)
  // One that begins in the past, in part where the others have published.
  const start = now(town) - 4 * HOUR
  await town.addStream('new', {
    inputRegions: ['CA', 'US'],
    minimum: 100,
    start,
    travelers: 'include',
  })
  // And a downtime.
  for (let hour = 0; hour < 9; hour++) {
    await uploadHour(town.zone, now(town), RANDOM)
    town.clock.advance(HOUR)
  }
  await uploadAndPublish(town, 9)

  const { keys } = await readPadding(town)
  assert.ok(keys.size > 2_000)
  await assertNothingMissing(town)
  for (const { name } of await listStreams(town.zone.db))
    for (const file of await publishedKeys(town, name))
      assert.ok(file.length >= (name === 'new' ? 100 : 400), `${name}: ${file.length}`)
  await assertNoKeyIsEarly(town)
  await assertLogIsClean(town)
})

databaseTestOnce(
  'the past of a new stream is padded with what others have not published',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    await town.addStream('us', { minimum: 50 })
    await uploadAndPublish(town, 4)
    const start = now(town) - 2 * HOUR
    await town.addStream('new', { inputRegions: ['CA', 'US'], minimum: 2_000, start })
    await publishDue(town.zone.publisher)
    const { rows } = await town.zone.db.query<{ regions: string; n: number }>(
      sql`select array_to_string(regions, ' ') as regions, count(*) as n from report join diagnosis_key using (seq)
          where padding and available >= ${start} group by regions`,
    )
    // Which regions a device has is drawn; what matters is that none is of the region that is out already.
    const others = rows.filter(({ regions }) => !regions.split(' ').includes('US'))
    assert.ok(others.reduce((sum, { n }) => sum + n, 0) > 1_000, JSON.stringify(rows))
    await assertNothingMissing(town)
    for (const file of await publishedKeys(town, 'new')) assert.ok(file.length >= 2_000)
  },
)

databaseTestOnce('padding for a long window is spread over the short ones', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const everywhere = ['CA', 'MX', 'US']
  await town.addStream('hour', { inputRegions: everywhere, minimum: 1_500 })
  await town.addStream('long', { inputRegions: ['MX'], period: 4 * HOUR })
  await uploadAndPublish(town, 4)
  const sizes = (await publishedKeys(town, 'hour')).map((file) => file.length)
  assert.equal(sizes.length, 4)
  assert.ok(Math.max(...sizes) < 3 * Math.min(...sizes), sizes.join())
  assert.ok(((await publishedKeys(town, 'long'))[0]?.length ?? 0) >= 1_500)
})

databaseTestOnce(
  'padding is no report: an upload of its key, statistics and a withdrawal see none',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    await town.addStream('us', { minimum: 100 })
    await town.upload()
    await publishAfter(town, HOUR)
    const { rows } = await town.zone.db.query<{ requests: number }>(
      sql`select sum(requests_unknown + requests_android + requests_ios) as requests from submission_statistics`,
    )
    assert.equal(Number(rows[0]?.requests), 1)

    // Whoever took it from a file is told what is told of anybody's key.
    const { rows: known } = await town.zone.db.query<KeyRow>(
      sql`select key_data, padding, rolling_start, rolling_period from diagnosis_key
        where rolling_period = 144 and available <= ${now(town)} order by padding, key_data`,
    )
    const [real, padded] = [known[0], known.at(-1)] as [KeyRow, KeyRow]
    assert.deepEqual([real.padding, padded.padding], [false, true])
    const [toReal, toPadding] = [await town.send([asSent(real)]), await town.send([asSent(padded)])]
    assert.equal(toPadding.status, toReal.status)
    assert.deepEqual(toPadding.body, toReal.body)
    assert.equal(toPadding.body.code, 'missing_revision_token')
    // As one key among others, too.
    const mixed = await town.send([asSent(padded), ...makeKeys(town.clock.now(), 1)])
    assert.equal(mixed.body.code, 'missing_revision_token')
  },
)

databaseTestOnce('what a stream publishes is what its SQL says', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const random = seededRandom(3)
  await uploadHour(town.zone, now(town), random)
  await uploadHour(town.zone, now(town) + HOUR, random)
  const { rows } = await town.zone.db.query<{
    seq: number
    regions: string[]
    traveler: boolean
    type: number
  }>(
    sql`select distinct seq, regions, traveler or seq % 2 = 0 as traveler, report_type as type from report join diagnosis_key using (seq)`,
  )
  for (const travelers of ['regional', 'include', 'exclude'] as const)
    for (const inputRegions of [['US'], ['CA', 'MX']])
      for (const excludedRegions of [[], ['CA']])
        for (const reportTypes of [[], [1], [2, 3]]) {
          const filter = { travelers, inputRegions, excludedRegions, reportTypes }
          const found = await town.zone.db.query<{ seq: number }>({
            text: `select seq from (select distinct p.seq, p.regions, p.traveler or p.seq % 2 = 0 as traveler, k.report_type
                     from report p join diagnosis_key k using (seq)) q
                   where ${matchReport(filter, 'q')} and ${matchType(filter, 'q.report_type')} order by seq`,
            values: [],
          })
          const expected = rows.filter((row) => publishes(filter, { ...row, reportType: row.type }))
          assert.deepEqual(
            found.rows.map(({ seq }) => seq),
            expected.map(({ seq }) => seq).sort((a, b) => a - b),
            JSON.stringify(filter),
          )
        }
})

interface KeyRow {
  key_data: Buffer
  padding: boolean
  rolling_start: number
  rolling_period: number
}

function asSent({ key_data, rolling_start, rolling_period }: KeyRow): TestKey {
  return {
    key: key_data.toString('base64'),
    rollingStartNumber: rolling_start,
    rollingPeriod: rolling_period,
    transmissionRisk: 0,
  }
}

function now(town: PublishingZone): number {
  return town.clock.now().getTime() / 1000
}

async function publishAfter(town: PublishingZone, seconds: number): Promise<void> {
  town.clock.advance(seconds)
  await publishDue(town.zone.publisher)
}

/** Hours in which people upload and files are published. */
async function uploadAndPublish(town: PublishingZone, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour++) {
    await uploadHour(town.zone, now(town), RANDOM)
    await publishAfter(town, HOUR)
  }
}

/** All padding that a stream should have published is in its files, once. */
async function assertNothingMissing(town: PublishingZone): Promise<void> {
  for (const stream of await listStreams(town.zone.db)) {
    const files = await publishedKeys(town, stream.name)
    const published = new Set(files.flat())
    assert.equal(published.size, files.flat().length, 'no key twice')
    const due = await town.zone.db.query<{ key: string }>({
      text: `select encode(key_data, 'hex') as key from diagnosis_key k join report p using (seq)
             where padding and ${matchReport(stream, 'p')} and ${matchType(stream, 'k.report_type')} and available >= $1
               and available < (select max(window_end) from release where stream = $2 and keys_from is not null)`,
      values: [stream.start, stream.name],
    })
    const missing = due.rows.filter(({ key }) => !published.has(key)).length
    assert.equal(missing, 0, `${missing} of ${due.rows.length} are not in ${stream.name}`)
  }
}

/** Makes the padding of all streams for a moment, as the publisher does before it publishes. */
async function settle(
  { zone }: PublishingZone,
  end: number,
  mustHold = async () => undefined as void,
) {
  await zone.db.transaction((tx) => raiseGrain(tx, end))
  const families = familiesOf(await listStreams(zone.db), await readRegionLists(zone.db))
  for (const family of families) await settlePadding({ ...zone.publisher, mustHold }, family, end)
}

async function readPadding({ zone }: PublishingZone): Promise<{ keys: Set<string> }> {
  const { rows } = await zone.db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from diagnosis_key where padding order by key_data`,
  )
  return { keys: new Set(rows.map(({ key }) => key)) }
}

/** Nothing can be published before it has ended, and nothing pretends to be older than phones keep. */
async function assertNoKeyIsEarly({ zone }: PublishingZone): Promise<void> {
  const { rows } = await zone.db.query<{ n: number }>(
    sql`select count(*) as n from diagnosis_key k join report p using (seq)
        where padding and ((rolling_start + rolling_period) * 600 > available + 900
          or (rolling_start + rolling_period) * 600 < p.grain - 15 * 86400)`,
  )
  assert.equal(rows[0]?.n, 0)
}
