// Test: what the key zone erases, and when, on the moved clock; promises that each time is kept to the second, and that nothing is left of what is gone.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { sql } from '../src/db/sql.ts'
import { PADDING } from '../src/submit/padding-report.ts'
import { withdrawalEvent } from '../src/submit/corrections.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { repairStore } from '../src/publish/repair-store.ts'
import { encodeBody, makeKeys, makeRequest } from './key-zone.ts'
import { publishV1 } from '../src/submit/publish-v1.ts'
import { DAY, HOUR, keyRetentionTest, shown, type KeyRetentionZone } from './key-retention-zone.ts'
import { digestFolder } from './published-files.ts'

/** When the first things of these tests are accepted: unix seconds, at the time grain. */
const GRAIN = Date.parse('2026-03-10T08:00:00Z') / 1000

const at = (seconds: number) => new Date(seconds * 1000)

/** The retentions of the parts of an event that are there. */
async function partsOf(zone: KeyRetentionZone, seq: number): Promise<string[]> {
  const event = (await zone.events())[seq]
  return (event?.parts ?? []).flatMap((part) =>
    part.content === undefined ? [] : [part.retention],
  )
}

keyRetentionTest(
  'a report leaves 18 days after its grain, from every table and every record, and its counts stay',
  async (zone) => {
    const report = await zone.report()
    zone.clock.set(at(GRAIN + 18 * DAY - 1))
    const later = await zone.report()
    assert.deepEqual(await zone.erase(), { report: 0, numbers: 0, statistics: 0, audit: 0 })
    assert.equal(shown(await zone.dump(), report.secrets), report.secrets.length)
    zone.clock.advance(1)
    assert.equal((await zone.erase()).report, 1)
    const dump = await zone.dump()
    assert.equal(shown(dump, report.secrets), 0)
    assert.equal(shown(dump, later.secrets), later.secrets.length)
    assert.deepEqual(await partsOf(zone, report.seq), ['statistics'])
    assert.equal(await zone.count('submission_statistics'), 2)
    assert.equal((await zone.erase()).report, 0)
  },
)

keyRetentionTest('a revision stays as long as its own report', async (zone) => {
  const first = await zone.report({ reportType: 'likely' })
  zone.clock.advance(10 * DAY)
  const second = await zone.report({ fields: { revisionToken: first.revisionToken } }, first.keys)
  assert.equal(await zone.count('key_revision'), 3)
  zone.clock.set(at(GRAIN + 18 * DAY))
  assert.equal((await zone.erase()).report, 1)
  assert.deepEqual([await zone.count('diagnosis_key'), await zone.count('key_revision')], [0, 3])
  zone.clock.advance(10 * DAY)
  assert.equal((await zone.erase()).report, 1)
  assert.equal(await zone.count('key_revision'), 0)
  assert.equal(shown(await zone.dump(), [...first.secrets, ...second.secrets]), 0)
})

keyRetentionTest('marks leave with the corrections that made them', async (zone) => {
  const reports = [await zone.report(), await zone.report()]
  zone.clock.advance(DAY)
  const key = randomBytes(16)
  const withdrawal = await zone.withdraw(reports, key)
  zone.clock.advance(DAY)
  const reinstatement = await zone.reinstate(reports.slice(1), withdrawal)
  const amendment = await zone.amend(reports.slice(1))
  const marks = async () => ({
    reports: await zone.count('report'),
    report: await zone.count('report_mark'),
    key: await zone.count('key_mark'),
    amended: await zone.count('report_amendment'),
    notes: await zone.count('correction'),
  })
  zone.clock.set(at(GRAIN + 18 * DAY))
  assert.equal((await zone.erase()).report, 2)
  assert.deepEqual(await marks(), { reports: 0, report: 3, key: 1, amended: 1, notes: 3 })
  zone.clock.advance(DAY - 1)
  assert.equal((await zone.erase()).report, 0)
  zone.clock.advance(1)
  assert.equal((await zone.erase()).report, 1)
  assert.deepEqual(await marks(), { reports: 0, report: 1, key: 0, amended: 1, notes: 3 })
  zone.clock.advance(DAY)
  assert.equal((await zone.erase()).report, 2)
  assert.deepEqual(await marks(), { reports: 0, report: 0, key: 0, amended: 0, notes: 3 })
  for (const seq of [withdrawal, reinstatement, amendment])
    assert.deepEqual(await partsOf(zone, seq), ['audit'])
  assert.equal(shown(await zone.dump(), [key]), 0)
})

keyRetentionTest('what a standing withdrawal held is forgotten, and it goes on', async (zone) => {
  const note = {
    id: randomBytes(16),
    by: 'command',
    reason: 'a mistake',
    scope: 'both' as const,
    reports: 0,
    keys: 0,
    published: 0,
    padding: 0,
  }
  const nothing = new Uint8Array()
  await zone.append(
    withdrawalEvent(
      { id: note.id, selection: {}, reports: nothing, padding: nothing, keys: nothing },
      note,
      { regions: ['US'] },
    ),
  )
  const held = await zone.report()
  assert.equal(await zone.count('report_mark'), 1)
  zone.clock.set(at(GRAIN + 18 * DAY))
  assert.equal((await zone.erase()).report, 2)
  assert.equal(await zone.count('report_mark'), 0)
  assert.equal(shown(await zone.dump(), held.secrets), 0)
  await zone.report()
  assert.equal(await zone.count('report_mark'), 1)
  assert.equal(await zone.count('standing_withdrawal'), 1)
})

keyRetentionTest('who corrected what leaves a year after its day', async (zone) => {
  const report = await zone.report()
  zone.clock.set('2026-03-10T23:59:59Z')
  const withdrawal = await zone.withdraw([report])
  zone.clock.set('2026-03-11T00:00:00Z')
  await zone.reinstate([report], withdrawal)
  zone.clock.set('2027-03-10T23:59:59Z')
  assert.equal((await zone.erase()).audit, 0)
  assert.equal(await zone.count('correction'), 2)
  zone.clock.advance(1)
  assert.equal((await zone.erase()).audit, 1)
  assert.equal(await zone.count('correction'), 1)
  assert.deepEqual(await partsOf(zone, withdrawal), [])
  zone.clock.advance(DAY)
  assert.equal((await zone.erase()).audit, 1)
  assert.equal(await zone.count('correction'), 0)
})

keyRetentionTest('counts leave 91 days after their day, whole hours at a time', async (zone) => {
  const hours = async () => {
    const { rows } = await zone.zone.db.query<{ hour: number; reports: number }>(
      sql`select hour, requests_android as reports from submission_statistics order by hour`,
    )
    return rows.map(({ hour, reports }) => [(hour - GRAIN) / HOUR, reports])
  }
  for (let round = 0; round < 3; round++) await zone.report()
  zone.clock.set('2026-03-10T23:59:59Z')
  await zone.report()
  zone.clock.advance(1)
  await zone.report()
  zone.clock.set('2026-06-09T23:59:59Z')
  assert.equal((await zone.erase()).statistics, 0)
  assert.deepEqual(await hours(), [
    [0, 3],
    [15, 1],
    [16, 1],
  ])
  zone.clock.advance(1)
  assert.equal((await zone.erase()).statistics, 4)
  assert.deepEqual(await hours(), [[16, 1]])
  zone.clock.advance(DAY)
  assert.equal((await zone.erase()).statistics, 1)
  assert.deepEqual(await hours(), [])
})

keyRetentionTest('padding leaves by the grain of its event, not by its own', async (zone) => {
  await zone.addStream('us', { minimum: 300 })
  zone.clock.advance(6 * HOUR)
  await zone.report()
  zone.clock.advance(HOUR)
  await publishDue(zone.zone.publisher)
  const events = (await zone.events()).filter(({ type }) => type === PADDING)
  const [first] = events
  assert.ok(first !== undefined)
  const { rows } = await zone.zone.db.query<{ grain: number }>(
    sql`select min(grain) as grain from report`,
  )
  assert.ok((rows[0]?.grain ?? Infinity) < first.grain)
  zone.clock.set(at(first.grain + 18 * DAY - 1))
  assert.equal((await zone.erase()).report, 1)
  assert.equal(await zone.count('report'), events.length)
  zone.clock.advance(1)
  assert.equal((await zone.erase()).report, events.length)
  assert.equal(await zone.count('report'), 0)
  assert.equal(await zone.count('diagnosis_key'), 0)
  for (const { seq } of events) assert.deepEqual(await partsOf(zone, seq), [])
})

keyRetentionTest('an old request that comes again, or its keys, store nothing', async (zone) => {
  const authority = await zone.addAuthority('org.example.other', ['US'])
  const keys = makeKeys(zone.clock.now(), 3, true)
  const body = encodeBody(await makeRequest(authority, keys, zone.clock.now()))
  const send = (bytes: Uint8Array) => publishV1(zone.zone.submit, bytes, 'okhttp android')
  assert.equal((await send(body)).status, 200)
  zone.clock.set(at(GRAIN + 18 * DAY))
  assert.equal((await zone.erase()).report, 1)
  const repeated = await send(body)
  assert.deepEqual(
    [repeated.status, repeated.body.code],
    [401, 'health_authority_verification_certificate_invalid'],
  )
  const anew = await send(encodeBody(await makeRequest(authority, keys, zone.clock.now())))
  assert.equal(anew.body.insertedExposures ?? 0, 0)
  assert.equal(await zone.count('diagnosis_key'), 0)
  await zone.report()
  assert.equal(await zone.count('diagnosis_key'), 3)
})

keyRetentionTest(
  'a file is made again until its reports are gone; then nothing takes its place',
  async (zone) => {
    await zone.addStream('us', { retention: 30 * DAY })
    await zone.report()
    zone.clock.advance(HOUR)
    await publishDue(zone.zone.publisher)
    const folder = zone.zone.publicFolder
    const published = await digestFolder(folder)
    const [zip] = Object.keys(published).filter((path) => path.endsWith('.zip'))
    assert.ok(zip !== undefined)
    const { store } = zone.zone.publisher
    const repair = async () => {
      const findings = []
      const leader = {
        ...zone.zone.publisher,
        mustHold: async () => undefined,
        settle: async () => true,
      }
      for await (const page of repairStore(leader, { removeStrays: false })) findings.push(...page)
      return findings.map(({ path, repaired, reason }) => ({ path, repaired, reason }))
    }
    await store.remove(zip)
    zone.clock.set(at(GRAIN + 18 * DAY - 1))
    await zone.erase()
    assert.deepEqual(await repair(), [{ path: zip, repaired: true, reason: undefined }])
    assert.equal((await digestFolder(folder))[zip], published[zip])
    await store.remove(zip)
    zone.clock.advance(1)
    await zone.erase()
    const [refused] = await repair()
    assert.equal(refused?.repaired, false)
    assert.match(refused?.reason ?? '', /^log_invalid: .* can't be made again/)
    assert.equal((await digestFolder(folder))[zip], undefined)
  },
)

keyRetentionTest('who has the login can erase, and do nothing else to the log', async (zone) => {
  const { seq } = await zone.report()
  for (const change of ['type = type', 'seq = seq + 1', 'leaf_hash = leaf_hash'])
    await assert.rejects(
      zone.zone.db.query({ text: `update event set ${change} where seq = ${seq}`, values: [] }),
      /permission denied/,
    )
  await assert.rejects(zone.zone.db.query(sql`delete from event`), /permission denied/)
})
