// Test: the life of a report: where it came from, where its keys are, what other reports and corrections made of it.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { amend } from '../src/correct/amend.ts'
import { reinstate } from '../src/correct/reinstate.ts'
import { readReportLife, type ReportLife } from '../src/correct/report-life.ts'
import { withdraw } from '../src/correct/withdraw.ts'
import { sql } from '../src/db/sql.ts'
import { eraseParts } from '../src/log/erase-parts.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'
import { sendReport } from './send-report.ts'

const HOUR = 3_600

function lifeOf(
  { zone, clock }: PublishingZone,
  { trackingId }: { readonly trackingId: string },
  withKeys = false,
): Promise<ReportLife> {
  const now = Math.floor(clock.now().getTime() / 1000)
  return readReportLife(zone.db, trackingId, withKeys, now)
}

/** A report of three keys, one of them still valid, and a health authority that can change them. */
async function openReport(test: PublishingZone) {
  const authority = await test.addAuthority('org.example.clinic', ['US'])
  const keys = makeKeys(test.clock.now(), 3, true)
  const first = await sendReport(test, authority, keys, { reportType: 'likely' })
  return { authority, keys, first }
}

databaseTestOnce('a report from acceptance to release, and its change', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  await test.addStream('us')
  const { authority, keys, first } = await openReport(test)
  const fresh = await lifeOf(test, first)
  assert.deepEqual(fresh, {
    trackingId: first.trackingId,
    padding: false,
    accepted: '2026-03-10T08:00:00Z',
    source: 'publish-v1',
    app: 'org.example.clinic',
    issuer: 'https://org.example.clinic/',
    reportType: 'likely',
    regions: ['US'],
    traveler: false,
    outcomes: { accepted: 3 },
    embargoedUntil: '2026-03-11T00:15:00Z',
    published: [],
    revisedBy: [],
    revises: [],
    withdrawn: false,
    withdrawnKeys: 0,
    corrections: [],
  })
  test.clock.advance(HOUR)
  await publishDue(test.zone.publisher)
  const out = await lifeOf(test, { trackingId: first.trackingId.toUpperCase() })
  assert.deepEqual(
    out.published.map(({ file, ...place }) => ({ ...place, isZip: file.endsWith('.zip') })),
    [{ stream: 'us', release: 1, list: 'keys', state: 'listed', keys: 2, isZip: true }],
  )

  const { revisionToken } = first.body as { revisionToken: string }
  const changed = keys.slice(1)
  const second = await sendReport(test, authority, changed, { fields: { revisionToken } })
  test.clock.advance(HOUR)
  await publishDue(test.zone.publisher)
  const before = await lifeOf(test, first)
  assert.deepEqual(before.revisedBy, [
    { trackingId: second.trackingId, accepted: '2026-03-10T09:00:00Z', keys: 2 },
  ])
  assert.deepEqual(
    before.published.map(({ release, list, keys: count }) => [release, list, count]),
    [
      [1, 'keys', 2],
      [2, 'revisedKeys', 2],
    ],
  )
  const after = await lifeOf(test, second)
  assert.deepEqual(after.outcomes, { revised: 2 })
  assert.deepEqual(after.revises, [
    { trackingId: first.trackingId, accepted: '2026-03-10T08:00:00Z', keys: 2 },
  ])
  assert.deepEqual(
    after.published.map(({ release, list, keys: count }) => [release, list, count]),
    [[2, 'revisedKeys', 2]],
    'what the first one published is not its own',
  )
})

databaseTestOnce('who corrected a report, when and why', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  const { authority, keys, first } = await openReport(test)
  const { trackingId } = first
  const selection = { trackingIds: [trackingId] }
  const by = 'ann'
  const withdrawal = await withdraw(
    zone,
    { selection, scope: 'retroactive', reason: 'a mistake', by },
    clock.now(),
  )
  clock.advance(HOUR)
  assert.equal((await lifeOf(test, first)).withdrawn, true)
  const back = await reinstate(
    zone,
    { withdrawal: withdrawal.id, reason: 'none after all', by: 'command' },
    clock.now(),
  )
  const amended = await amend(
    zone,
    { selection, reportType: 'confirmed', onset: '2026-03-08', reason: 'the test came', by },
    clock.now(),
  )
  const single = await withdraw(
    zone,
    {
      selection: { keys: [Buffer.from(keys[1]?.key ?? '', 'base64').toString('hex')] },
      scope: 'retroactive',
      reason: 'one key',
      by,
    },
    clock.now(),
  )
  const at = '2026-03-10T09:00:00Z'
  const life = await lifeOf(test, first)
  assert.deepEqual(life.corrections, [
    {
      kind: 'withdrawal',
      id: withdrawal.id,
      at: '2026-03-10T08:00:00Z',
      by,
      reason: 'a mistake',
      fromNowOn: false,
    },
    {
      kind: 'reinstatement',
      id: back.id,
      at,
      by: 'command',
      reason: 'none after all',
      withdrawal: withdrawal.id,
    },
    {
      kind: 'amendment',
      id: amended.id,
      at,
      by,
      reason: 'the test came',
      reportType: 'confirmed',
      onset: '2026-03-08',
    },
    { kind: 'withdrawal', id: single.id, at, by, reason: 'one key', fromNowOn: false, keys: 1 },
  ])
  assert.deepEqual([life.withdrawn, life.withdrawnKeys, life.reportType], [false, 1, 'likely'])

  // A rule for what comes later holds it from the first.
  const rule = await withdraw(
    zone,
    {
      selection: { healthAuthority: authority.app },
      scope: 'from-now-on',
      reason: 'a leak',
      by,
    },
    clock.now(),
  )
  const late = await sendReport(test, authority, makeKeys(clock.now(), 1))
  const held = await lifeOf(test, late)
  assert.equal(held.withdrawn, true)
  assert.deepEqual(held.corrections, [
    { kind: 'withdrawal', id: rule.id, at, by, reason: 'a leak', fromNowOn: true },
  ])
})

databaseTestOnce(
  'what was erased is said to be, and keys are named only when asked for',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const { authority, keys, first } = await openReport(test)
    const { id } = await withdraw(
      zone,
      {
        selection: { healthAuthority: authority.app },
        scope: 'both',
        reason: 'a leak',
        by: 'ann',
      },
      clock.now(),
    )
    const plain = JSON.stringify(await lifeOf(test, first))
    for (const { key } of keys) assert.ok(!plain.includes(key))
    const named = await lifeOf(test, first, true)
    assert.deepEqual(named.keys?.map(({ key }) => key).sort(), keys.map(({ key }) => key).sort())

    // Who and why leave before the rule does.
    await zone.db.transaction(async (tx) => {
      const { rows } = await tx.query<{ seq: number }>(
        sql`select seq from correction where id = ${Buffer.from(id, 'hex')}`,
      )
      await eraseParts(
        tx,
        rows.map(({ seq }) => seq),
        'audit',
      )
      await tx.query(sql`delete from correction`)
    })
    const [left] = (await lifeOf(test, first)).corrections
    assert.deepEqual([left?.kind, left?.id, left?.by, left?.reason], ['withdrawal', id, null, null])
    for (const unknown of ['0'.repeat(32), 'x', '', `${first.trackingId}0`])
      await assert.rejects(lifeOf(test, { trackingId: unknown }), {
        code: 'report_unknown',
        message: /it was erased/,
      })
  },
)

databaseTestOnce('padding says that it is padding', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  await test.addStream('us', { minimum: 10 })
  await test.upload()
  test.clock.advance(2 * HOUR)
  await publishDue(test.zone.publisher)
  const { rows } = await test.zone.db.query<{ id: string }>(
    sql`select encode(tracking_id, 'hex') as id from report where source is null limit 1`,
  )
  const life = await lifeOf(test, { trackingId: rows[0]?.id ?? '' })
  assert.deepEqual([life.padding, life.source, life.issuer, life.outcomes], [true, null, null, {}])
  assert.equal(life.published[0]?.list, 'keys')
})

databaseTestOnce('the command tells it and leaves a line in the log', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  await test.addStream('us')
  const { keys, first } = await openReport(test)
  await withdraw(
    test.zone,
    {
      selection: { trackingIds: [first.trackingId] },
      scope: 'retroactive',
      reason: 'a mistake',
      by: 'ann',
    },
    test.clock.now(),
  )
  const env = {
    TOCSIN_DATABASE_URL: database.url,
    TOCSIN_MASTER_KEY_FILE: join(test.folder, 'master.key'),
    TOCSIN_DATA: test.folder,
  }
  const told = await tocsin(['report', first.trackingId], env)
  assert.equal(told.status, 0, told.err)
  assert.match(told.out, /accepted 2026-03-10T08:00:00Z, by publish-v1 of org\.example\.clinic /)
  assert.match(told.out, /\n {2}likely, of US\n {2}keys: 3 accepted\n/)
  assert.match(told.out, /\n {2}withdrawn 2026-03-10T08:00:00Z, .*, by ann: a mistake\n/)
  for (const { key } of keys) assert.ok(!told.out.includes(key))
  const withKeys = await tocsin(['report', first.trackingId, '--keys'], env)
  for (const { key } of keys) assert.ok(withKeys.out.includes(key))
  const { rows } = await test.zone.db.query<{ record: Uint8Array }>(
    sql`select record from event where type = 'looked-up'`,
  )
  assert.equal(rows.length, 2)
  for (const { record } of rows)
    assert.ok(!Buffer.from(record).toString('hex').includes(first.trackingId), 'never which')
  for (const wrong of [[], ['abc']])
    assert.equal((await tocsin(['report', ...wrong], env)).status, 2)
  const unknown = await tocsin(['report', '0'.repeat(32)], env)
  assert.match(unknown.err, /^tocsin: report_unknown: /)
})
