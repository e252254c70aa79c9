// Test: the authority zone's statistics from the log to the reply: counts follow from events, small ones are told to nobody, each realm gets its own.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import {
  countCertified,
  countClaimed,
  countFailure,
  countIssued,
  countTextError,
  STAT_EVENTS,
  statDay,
  statEvents,
  statPart,
  statProjection,
  type StatCount,
} from '../src/authorize/stat-counts.ts'
import { compositeStats, realmStats } from '../src/authorize/stat-report.ts'
import { daysOf } from '../src/authorize/stat-rows.ts'
import { issuerStats, keyStats, memberStats, staffStats } from '../src/authorize/stat-subjects.ts'
import { dayOf } from '../src/authorize/zone.ts'
import type { Database } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { TocsinError } from '../src/errors.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityStatsRoutes } from '../src/http/authority-stats-routes.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { decodeEvent, erasePart, type NewEvent } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { createLogger } from '../src/operate/logger.ts'
import { openZones } from '../src/operate/open-zones.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { asOwner } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const NOW = new Date('2026-11-25T10:07:30Z')
const TODAY = dayOf(NOW)
const PERIOD = { today: TODAY, days: 90 }
const NORTH = { name: 'north', number: 1 }
const SOUTH = { name: 'south', number: 2 }
const PLACE = { realm: 'north', day: TODAY }

interface StatZone {
  readonly db: Database
  readonly database: TestDatabase
  /** Appends what has such counts and no event of its own. */
  count(counts: readonly StatCount[]): Promise<void>
  append(events: readonly NewEvent[]): Promise<void>
  problems(): Promise<readonly string[]>
}

/** A test in a zone whose only projection is that of the counts; log and table must agree at the end. */
function statTest(name: string, body: (zone: StatZone) => Promise<void>): void {
  databaseTestOnce(name, async (database, t) => {
    const folder = await temporaryFolder(t)
    await using zones = await openZones({
      ownerUrl: database.url,
      zoneUrls: {},
      masterKeyFile: join(folder, 'master.key'),
      demo: undefined,
      server: true,
      timeGrain: 900,
      poolSize: 4,
      projections: { key: [], authority: [statProjection] },
      now: () => NOW,
    })
    const { db, writer } = zones.authority
    const append = async (events: readonly NewEvent[]) => {
      await db.transaction((tx) => appendEvents(tx, writer, events, NOW))
    }
    const zone: StatZone = {
      db,
      append,
      database,
      count: (counts) => append(statEvents(counts)),
      problems: async () => (await verifyLog(db, [statProjection])).problems,
    }
    await body(zone)
    assert.deepEqual(await zone.problems(), [])
  })
}

/** A realm's values of today. */
const todayOf = async ({ db }: StatZone, realm = NORTH) =>
  (await realmStats(db, realm, PERIOD)).statistics[0]?.data

/** Some counts many times over. */
const times = (count: number, counts: readonly StatCount[]) =>
  counts.map((each) => ({ ...each, count: each.count * count }))

statTest('counts add up over events of every type, wherever their part lies', async (zone) => {
  const part = statPart(countIssued(PLACE, { key: 'abc' }, '', false, 2))
  const other = { retention: 'code' as const, content: { counts: [{ realm: 'no' }] } }
  const erased = { retention: 'statistics' as const, content: undefined }
  await zone.append(STAT_EVENTS.map((type) => ({ type, parts: [other, part] })))
  await zone.append([
    { type: 'code.issued', parts: [part, other, part] },
    // Of another type: not followed.
    { type: 'realm.changed', parts: [part] },
  ])
  assert.equal((await todayOf(zone))?.codes_issued, 2 * STAT_EVENTS.length + 4)
  await statProjection.apply(undefined as never, [
    { type: 'code.issued', seq: 1, grain: 0, parts: [other, erased] },
  ])
})

statTest("with a day's parts and rows erased, a rebuild gives what is left", async (zone) => {
  const old = { realm: 'north', day: TODAY - 92 }
  await zone.count([...countCertified(old, false), ...countCertified(PLACE, false)])
  await zone.append([
    { type: 'code.certified', parts: [statPart(times(12, countCertified(old, false)))] },
    { type: 'code.certified', parts: [statPart(times(12, countCertified(PLACE, false)))] },
  ])
  const { rows } = await zone.db.query<{ seq: number; record: Uint8Array }>(
    sql`select seq, record from event where type = 'stats.counted' or type = 'code.certified'`,
  )
  const ofOld = rows.filter(({ record }) =>
    decodeEvent(record).parts.some((part) => statDay(part) === old.day),
  )
  assert.equal(ofOld.length, 2)
  await asOwner(zone.database, [
    ...ofOld.map(({ seq, record }) => {
      const erased = Buffer.from(erasePart(record, 'statistics')).toString('hex')
      return `update authority_zone.event set record = '\\x${erased}' where seq = ${seq}`
    }),
    `delete from authority_zone.authority_stat where day = ${old.day}`,
  ])
  assert.deepEqual(await zone.problems(), [])
  assert.equal((await todayOf(zone))?.tokens_claimed, 13)
})

statTest(
  'a realm gets every day of the period, the newest first, with known names',
  async (zone) => {
    await zone.count([
      ...countIssued(PLACE, { key: 'abc' }, '', false, 40),
      ...countIssued(PLACE, null, '', true, 20),
      ...times(30, countClaimed(PLACE, 50, false)),
      ...times(10, countClaimed(PLACE, 400, true)),
      ...times(10, countCertified(PLACE, true)),
      ...times(10, countFailure(PLACE, 'codes_invalid', 'ios')),
      ...times(11, countFailure(PLACE, 'user_reports_invalid_nonce', 'android')),
      ...times(12, countFailure(PLACE, 'tokens_invalid', 'ios')),
      ...countIssued({ ...PLACE, day: TODAY - 90 }, null, '', false, 10),
      ...countIssued({ ...PLACE, day: TODAY - 91 }, null, '', false, 10),
      ...countIssued({ ...PLACE, realm: 'south' }, null, '', false, 70),
    ])
    const report = await realmStats(zone.db, NORTH, PERIOD)
    assert.equal(report.realm_id, 1)
    assert.equal(report.statistics.length, 91)
    assert.deepEqual(report.statistics[0], {
      date: '2026-11-25T00:00:00Z',
      data: {
        codes_issued: 60,
        codes_claimed: 40,
        codes_invalid: 10,
        codes_invalid_by_os: { unknown_os: 0, ios: 10, android: 0 },
        user_reports_issued: 20,
        user_reports_claimed: 10,
        user_reports_invalid_nonce: 11,
        user_reports_invalid_nonce_by_os: { unknown_os: 0, ios: 0, android: 11 },
        tokens_claimed: 10,
        tokens_invalid: 12,
        user_report_tokens_claimed: 10,
        code_claim_mean_age_seconds: Math.floor((30 * 50 + 10 * 400) / 40),
        code_claim_age_distribution: [30, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0],
      },
    })
    const empty = report.statistics[1]?.data
    assert.deepEqual(empty?.code_claim_age_distribution, [])
    assert.equal(empty?.codes_issued, 0)
    assert.equal(report.statistics.at(-1)?.date, '2026-08-27T00:00:00Z')
    assert.equal(report.statistics.at(-1)?.data.codes_issued, 10)
    const composite = await compositeStats(zone.db, NORTH, PERIOD)
    assert.equal(composite.has_key_server_stats, false)
    assert.equal(composite.statistics[0]?.data.codes_issued, 60)
    assert.equal((await todayOf(zone, SOUTH))?.codes_issued, 70)
  },
)

statTest('of a day with fewer than 10 of anything nothing is told', async (zone) => {
  await zone.count([
    ...countIssued(PLACE, { key: 'abc' }, 'lab', true, 9),
    ...times(9, countClaimed(PLACE, 50, true)),
    ...times(9, countCertified(PLACE, true)),
    ...times(9, countFailure(PLACE, 'codes_invalid', 'ios')),
    ...times(9, countFailure(PLACE, 'user_reports_invalid_nonce', 'ios')),
    ...times(9, countFailure(PLACE, 'tokens_invalid', 'ios')),
  ])
  const data = JSON.stringify(await todayOf(zone))
  assert.doesNotMatch(data, /[1-9]/)
  assert.deepEqual(await issuerStats(zone.db, NORTH, PERIOD), {})
})

statTest('neither total nor parts give a small count away', async (zone) => {
  await zone.count([
    // 3 of 23 are no self-reports.
    ...countIssued(PLACE, { key: 'abc' }, '', false, 3),
    ...countIssued(PLACE, null, '', true, 20),
    ...times(20, countClaimed(PLACE, 50, false)),
    ...times(12, countClaimed(PLACE, 100, false)),
    ...times(4, countClaimed(PLACE, 400, false)),
    ...times(20, countFailure(PLACE, 'codes_invalid', 'ios')),
    ...times(3, countFailure(PLACE, 'codes_invalid', 'android')),
  ])
  const data = await todayOf(zone)
  assert.equal(data?.codes_issued, 23)
  assert.equal(data?.user_reports_issued, 0)
  assert.deepEqual(data?.code_claim_age_distribution.slice(0, 3), [20, 0, 0])
  assert.deepEqual(data?.codes_invalid_by_os, { unknown_os: 0, ios: 0, android: 0 })
})

/** Two members of staff and an API key. */
async function addPeople({ db }: StatZone): Promise<void> {
  await db.transaction(async (tx) => {
    for (const name of ['ada', 'bob'])
      await tx.query(
        sql`insert into staff (realm, name, display_name, email, roles, state)
            values ('north', ${name}, ${`=${name}`}, ${`${name}@x.example`}, '{issue}', 'active')`,
      )
    await tx.query(
      sql`insert into api_key (prefix, realm, type, mac, name)
          values ('abcdefghijk', 'north', 'admin', ${new Uint8Array(32)}, 'lab system')`,
    )
  })
}

statTest('staff and API keys are told together, so that neither is the rest', async (zone) => {
  await addPeople(zone)
  await zone.count([
    ...countIssued(PLACE, { staff: 'ada' }, '', false, 30),
    ...countIssued(PLACE, { staff: 'bob' }, '', false, 20),
    // Alone it would be 54 - 30 - 20.
    ...countIssued(PLACE, { key: 'abcdefghijk' }, '', false, 4),
  ])
  const yesterday = { ...PLACE, day: TODAY - 1 }
  await zone.count(countIssued(yesterday, { key: 'abcdefghijk' }, '', false, 14))
  const staff = await staffStats(zone.db, NORTH, PERIOD)
  assert.deepEqual(staff.statistics?.[0], {
    date: '2026-11-25T00:00:00Z',
    issuer_data: [{ user_id: 'ada', name: '=ada', email: 'ada@x.example', codes_issued: 30 }],
  })
  const told = async (name: string) =>
    (await memberStats(zone.db, NORTH, name, PERIOD)).statistics[0]?.data.codes_issued
  assert.deepEqual([await told('ada'), await told('bob')], [30, 0])
  const key = await keyStats(zone.db, NORTH, 'abcdefghijk', PERIOD)
  assert.equal(key.authorized_app_name, 'lab system')
  assert.deepEqual(
    key.statistics.slice(0, 3).map(({ data }) => data.codes_issued),
    [0, 14, 0],
  )
  assert.equal(key.statistics.length, daysOf(PERIOD).length)
})

statTest(
  'an external issuer below 10 is not even named, nor the rest without one',
  async (zone) => {
    await zone.count([
      ...countIssued(PLACE, null, 'large', false, 40),
      ...countIssued(PLACE, null, 'middle', false, 15),
      ...countIssued(PLACE, null, 'small', false, 9),
      ...countIssued(PLACE, null, '', false, 5),
    ])
    const { statistics } = await issuerStats(zone.db, NORTH, PERIOD)
    // 9 and 5 are 14 already: nothing need go with them.
    assert.deepEqual(statistics?.[0]?.issuer_data, [
      { issuer_id: 'large', codes_issued: 40 },
      { issuer_id: 'middle', codes_issued: 15 },
    ])
    assert.equal(statistics?.length, 91)
    assert.deepEqual(statistics?.[1]?.issuer_data[0], { issuer_id: 'large', codes_issued: 0 })
  },
)

/** Serves the statistics: the API key is the realm's name. */
async function serve({ db }: StatZone, now = new Date(NOW.getTime() + 86_400_000)) {
  const routes = authorityStatsRoutes({
    db,
    now: () => now,
    async admit(apiKey) {
      const realm = [NORTH, SOUTH].find(({ name }) => name === apiKey)
      if (realm === undefined) throw new TocsinError('unauthorized')
      return realm
    },
  })
  const app = await buildApp(routes, 'test', createLogger('silent'))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    async get(path: string, apiKey = 'north') {
      const response = await fetch(`${url}${path}`, { headers: { 'x-api-key': apiKey } })
      return { status: response.status, headers: response.headers, text: await response.text() }
    },
    [Symbol.asyncDispose]: () => app.close(),
  }
}

const PATHS = [
  'realm',
  'realm/composite',
  'realm/key-server',
  'realm/users',
  'realm/users/ada',
  'realm/api-keys/abcdefghijk',
  'realm/external-issuers',
  'realm/sms-errors',
]

statTest(
  'every address answers as JSON and as CSV, and with a key of the realm only',
  async (zone) => {
    await addPeople(zone)
    await zone.count([
      ...countIssued(PLACE, { staff: 'ada' }, '=HYPERLINK("x")', false, 12),
      ...times(11, countTextError(PLACE, '30003')),
      ...times(9, countTextError(PLACE, '30004')),
    ])
    await using server = await serve(zone)
    for (const path of PATHS) {
      const json = await server.get(`/api/stats/${path}.json`)
      assert.equal(json.status, 200, path)
      assert.equal(json.headers.get('content-type'), 'application/json')
      assert.equal(json.headers.get('cache-control'), 'no-store')
      const csv = await server.get(`/api/stats/${path}.csv`)
      assert.equal(csv.status, 200, path)
      assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8')
      assert.match(
        csv.headers.get('content-disposition') ?? '',
        /^attachment; filename="[a-z-]+\.csv"$/,
      )
      for (const file of ['json', 'csv'])
        assert.equal((await server.get(`/api/stats/${path}.${file}`, 'wrong')).status, 401, path)
    }
    const { text: users } = await server.get('/api/stats/realm/users.csv')
    assert.match(users, /^date,.*\r\n2026-11-25,1,ada,'=ada,ada@x\.example,12\r\n/)
    // On the day itself nothing of it is told: whoever looks again and again would see it grow.
    await using today = await serve(zone, NOW)
    const early = await today.get('/api/stats/realm/users.csv')
    assert.ok(!early.text.includes('2026-11-25'), early.text)
    const { text: errors } = await server.get('/api/stats/realm/sms-errors.json')
    assert.match(errors, /"error_data":\[\{"error_code":"30003","quantity":11\}\]/)
    assert.doesNotMatch(errors, /30004/)
    const { text: issuers } = await server.get('/api/stats/realm/external-issuers.csv')
    assert.match(issuers, /\r\n2026-11-25,1,"'=HYPERLINK\(""x""\)",12\r\n/)
    assert.equal((await server.get('/api/stats/realm/key-server.json')).text, '[]')
    // Of another realm: it has nothing of this.
    assert.equal((await server.get('/api/stats/realm/users.json', 'south')).text, '{}')
    assert.equal(
      (await server.get('/api/stats/realm/users.csv', 'south')).text,
      'date,realm_id,user_id,name,email,codes_issued\r\n',
    )
  },
)

statTest('an id that is unknown, of another realm or none at all gets 404', async (zone) => {
  await addPeople(zone)
  await using server = await serve(zone)
  const wrong = [
    'eve',
    '12345',
    '-1',
    '99999999999999999999',
    "'",
    '%00',
    '%ff',
    'ada%00',
    '%F0',
    '..',
  ]
  for (const place of ['users', 'api-keys'])
    for (const id of [...wrong, 'a'.repeat(95)])
      for (const file of [`${id}.json`, `${id}.csv`, id, `${id}.xml`]) {
        const { status, text } = await server.get(`/api/stats/realm/${place}/${file}`)
        assert.equal(status, 404, `${place}/${file}`)
        if (!/%f/i.test(file) && !file.startsWith('..'))
          assert.deepEqual(
            Object.keys(JSON.parse(text) as object).slice(0, 3),
            ['error', 'errorCode', 'error_code'],
            file,
          )
      }
  for (const path of ['users/ada.json', 'api-keys/abcdefghijk.csv'])
    assert.equal((await server.get(`/api/stats/realm/${path}`, 'south')).status, 404, path)
})
