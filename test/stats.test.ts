// Test: POST /v1/stats: what is counted, when a day appears, and that the counts follow from the log.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { publishV1 } from '../src/submit/publish-v1.ts'
import { reportEvent, type ReportContent } from '../src/submit/report.ts'
import { statsProjection } from '../src/submit/stats-projection.ts'
import type { StatsDay } from '../src/submit/stats-v1.ts'
import { OUTCOMES } from '../src/submit/validate-keys.ts'
import { databaseTestOnce } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest, type TestAuthority } from './key-zone.ts'
import { ask, contextOf, makeToken, register } from './stats-zone.ts'
import { asOwner, openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

const ANDROID = 'okhttp/4.9 (Android 14)'
const IOS = 'bluetoothd/7 CFNetwork/1240'

databaseTestOnce('a day appears with its tenth request, when its hour is over', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  for (const [agent, count] of [
    [ANDROID, 5],
    [IOS, 3],
    ['curl/8', 1],
  ] as const)
    for (let n = 0; n < count; n++) await upload(town, agent)
  town.clock.set('2026-03-20T11:05:00Z')
  assert.deepEqual(await daysOf(town), [], 'nine are too few')
  // A week old at most, and nobody knows the onset.
  await upload(town, ANDROID, 7, { symptomOnsetInterval: undefined })
  town.clock.set('2026-03-20T11:59:59.999Z')
  assert.deepEqual(await daysOf(town), [], 'the hour of the tenth is not over')
  town.clock.set('2026-03-20T12:00:00Z')
  assert.deepEqual(await daysOf(town), [
    {
      day: '2026-03-20T00:00:00Z',
      publish_requests: { unknown: 1, android: 6, ios: 3 },
      total_teks_published: 9 * 3 + 7,
      requests_with_revisions: 0,
      tek_age_distribution: buckets(16, { 3: 9, 7: 1 }),
      onset_to_upload_distribution: buckets(30, { 3: 9 }),
      requests_missing_onset_date: 1,
    },
  ])
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce(
  'a day with fewer appears 48 hours after its end, at UTC midnight',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    town.clock.set('2026-03-20T23:59:59Z')
    await upload(town, ANDROID)
    town.clock.set('2026-03-21T00:00:00Z')
    await upload(town, IOS)
    await upload(town, IOS)
    town.clock.set('2026-03-22T23:59:59.999Z')
    assert.deepEqual(await daysOf(town), [])
    town.clock.set('2026-03-23T00:00:00Z')
    assert.deepEqual(await requestsByDay(town), [['2026-03-20T00:00:00Z', 0, 1, 0]])
    town.clock.set('2026-03-24T00:00:00Z')
    assert.deepEqual(await requestsByDay(town), [
      ['2026-03-20T00:00:00Z', 0, 1, 0],
      ['2026-03-21T00:00:00Z', 0, 0, 2],
    ])
  },
)

databaseTestOnce('with a time grain above an hour, nothing of the current grain', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  for (let n = 0; n < 10; n++) await upload(town, ANDROID)
  const coarse = { ...contextOf(town), timeGrain: 4 * 3600 }
  town.clock.set('2026-03-20T11:59:59Z')
  assert.deepEqual((await ask(town, { context: coarse })).body, {})
  town.clock.set('2026-03-20T12:00:00Z')
  assert.equal((await ask(town, { context: coarse })).body.days?.length, 1)
})

databaseTestOnce('only what was committed counts, and each request once', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const bodies = await Promise.all(Array.from({ length: 40 }, () => town.body()))
  await Promise.all([...bodies, ...bodies].map((body) => town.submit(body)))
  // Its key is there already, which only storing it tells: the counts go back with all else.
  const known = makeKeys(town.clock.now(), 2)
  await town.submit(await town.body(known))
  const refused = await town.submit(await town.body(known))
  assert.equal(refused.body.code, 'missing_revision_token')
  // Nothing is published of a negative result, and yet it was a request.
  await town.submit(await town.body(makeKeys(town.clock.now(), 2), { reportType: 'negative' }))
  town.clock.advance(3600)
  const [day] = await daysOf(town)
  assert.deepEqual(day?.publish_requests, { unknown: 0, android: 42, ios: 0 })
  assert.equal(day.total_teks_published, 40 * 3 + 2)
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce('a health authority sees its own counts, whichever of its apps', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const second = { ...makeAuthority('org.example.second'), issuer: town.authority.issuer }
  const other = makeAuthority('org.example.other')
  await register(town, second)
  await register(town, other)
  for (const authority of [town.authority, second, other])
    for (let n = 0; n < (authority === other ? 11 : 5); n++)
      await upload(town, ANDROID, 2, {}, authority)
  town.clock.advance(3600)
  for (const [authority, requests] of [
    [town.authority, 10],
    [second, 10],
    [other, 11],
  ] as const) {
    const { body } = await ask(town, { token: await makeToken(town, { authority }) })
    assert.deepEqual(
      body.days?.map((day) => day.publish_requests.android),
      [requests],
    )
  }
})

databaseTestOnce('a revision is a request of its own kind', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 2)
  const first = await town.submit(await town.body(keys, { reportType: 'likely' }))
  const fields = { revisionToken: first.body.revisionToken }
  const revision = await town.submit(await town.body(keys, { reportType: 'confirmed', fields }))
  assert.equal(revision.status, 200, revision.body.error)
  town.clock.set('2026-03-23T00:00:00Z')
  const [day] = await daysOf(town)
  assert.deepEqual(day, {
    day: '2026-03-20T00:00:00Z',
    publish_requests: { unknown: 0, android: 2, ios: 0 },
    total_teks_published: 2,
    requests_with_revisions: 1,
    tek_age_distribution: buckets(16, { 2: 1 }),
    onset_to_upload_distribution: buckets(30, { 3: 1 }),
    requests_missing_onset_date: 0,
  })
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce(
  'revisions, ages beyond the last bucket and several hours at once',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { zone, authority } = town
    const grain = Date.parse('2026-03-20T10:00:00Z') / 1000
    const event = (
      seq: number,
      hoursLater: number,
      keyDays: number,
      onsetDays: number,
      outcome = 0,
    ) => ({
      ...reportEvent(contentOf(authority, grain, keyDays, onsetDays, outcome), 'ios'),
      seq,
      grain: grain + hoursLater * 3600,
    })
    await zone.db.transaction((tx) =>
      statsProjection.apply(tx, [
        event(1, 0, 15, 29),
        event(2, 0, 16, 40),
        event(3, 1, 0, 0),
        // A revision: its ages do not count.
        event(4, 0, 2, 2, OUTCOMES.revised),
        // An onset after the upload's grain counts as today.
        event(5, 1, 0, -1),
      ]),
    )
    await zone.db.transaction((tx) => statsProjection.apply(tx, [event(6, 0, 15, 1)]))
    const { rows } = await zone.db.query<Record<string, unknown>>(
      sql`select hour, requests_ios, keys_published, requests_with_revisions, oldest_key_days, onset_days
        from submission_statistics order by hour`,
    )
    assert.deepEqual(rows, [
      {
        hour: grain,
        requests_ios: 4,
        keys_published: 3,
        requests_with_revisions: 1,
        oldest_key_days: buckets(16, { 15: 3 }),
        onset_days: buckets(30, { 1: 1, 29: 2 }),
      },
      {
        hour: grain + 3600,
        requests_ios: 2,
        keys_published: 2,
        requests_with_revisions: 0,
        oldest_key_days: buckets(16, { 0: 2 }),
        onset_days: buckets(30, { 0: 2 }),
      },
    ])
  },
)

databaseTestOnce('a count that was changed is found', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await upload(town, ANDROID)
  const { zone } = town
  assert.ok(zone.writer.projections.includes(statsProjection), 'it is among what is checked')
  await asOwner(db, ['update key_zone.submission_statistics set onset_days[5] = onset_days[5] + 1'])
  const { problems } = await verifyLog(zone.db, zone.writer.projections)
  assert.deepEqual(problems, [
    'submission_statistics: 1 rows follow from no event',
    'submission_statistics: 1 rows that follow from events are missing or changed',
  ])
})

async function daysOf(town: SubmittingZone): Promise<readonly StatsDay[]> {
  const { status, body } = await ask(town)
  assert.equal(status, 200, body.error)
  return body.days ?? []
}

async function requestsByDay(town: SubmittingZone) {
  return (await daysOf(town)).map(({ day, publish_requests: { unknown, android, ios } }) => [
    day,
    unknown,
    android,
    ios,
  ])
}

async function upload(
  { zone, clock, authority }: SubmittingZone,
  userAgent: string,
  days = 3,
  claims: Record<string, unknown> = {},
  by = authority,
): Promise<void> {
  const request = await makeRequest(by, makeKeys(clock.now(), days), clock.now(), { claims })
  const reply = await publishV1(zone.submit, encodeBody(request), userAgent)
  assert.equal(reply.status, 200, reply.body.error)
}

/** A report of one key that started, and of symptoms that began, so many days before a time. */
function contentOf(
  authority: TestAuthority,
  grain: number,
  keyDays: number,
  onsetDays: number,
  outcome: number,
): ReportContent {
  const rollingStart = new Uint8Array(4)
  new DataView(rollingStart.buffer).setUint32(0, grain / 600 - keyDays * 144)
  const zero = new Uint8Array(1)
  return {
    source: 'publish-v1',
    trackingId: new Uint8Array(16),
    fingerprint: new Uint8Array(16),
    app: authority.app,
    healthAuthority: authority.issuer,
    regions: authority.regions,
    reportType: 'confirmed',
    onset: { interval: grain / 600 - onsetDays * 144, source: 'certificate' },
    traveler: false,
    issuerHandle: null,
    timeGrain: 900,
    keys: {
      keyData: new Uint8Array(16),
      rollingStart,
      rollingPeriod: zero,
      transmissionRisk: zero,
      daysSinceOnset: zero,
      flags: zero,
    },
    outcomes: Uint8Array.of(outcome),
  }
}

/** A distribution that is zero but for what is named. */
function buckets(count: number, filled: Readonly<Record<number, number>>): number[] {
  return Array.from({ length: count }, (_, bucket) => filled[bucket] ?? 0)
}
