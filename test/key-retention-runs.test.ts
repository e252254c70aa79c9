// Test: erasing in the key zone when it is killed, done twice at once, or while others write, and the job that does it; promises that the log's check finds nothing wrong after any of it.

import assert from 'node:assert/strict'
import { publishDue } from '../src/publish/publish-due.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { EVENTS_A_PAGE } from '../src/log/retention-cursor.ts'
import { eraseDue } from '../src/submit/retention.ts'
import { runRetention } from '../src/submit/run-retention.ts'
import { DAY, HOUR, keyRetentionTest, shown, type KeyRetentionZone } from './key-retention-zone.ts'
import { killedAt } from './killed-transactions.ts'
import { publishedKeys } from './publishing-zone.ts'

/** Days with reports, revisions and corrections of every kind. @returns what must be gone in the end */
async function fill(zone: KeyRetentionZone): Promise<Uint8Array[]> {
  const secrets: Uint8Array[] = []
  for (let day = 0; day < 3; day++) {
    const reports = [await zone.report({ reportType: 'likely' }), await zone.report()]
    const [likely] = reports
    zone.clock.advance(HOUR)
    const fields = { revisionToken: likely?.revisionToken }
    reports.push(await zone.report({ fields }, likely?.keys))
    const withdrawal = await zone.withdraw(reports)
    await zone.reinstate(reports.slice(0, 1), withdrawal)
    await zone.amend(reports.slice(1))
    secrets.push(...reports.flatMap((report) => report.secrets))
    zone.clock.advance(DAY)
  }
  return secrets
}

/** That nothing is left which has a time of its own. */
async function assertAllGone(zone: KeyRetentionZone, secrets: readonly Uint8Array[]) {
  assert.equal(shown(await zone.dump(), secrets), 0)
  for (const { parts, type } of await zone.events())
    for (const { retention, content } of parts)
      assert.ok(
        content === undefined || ['configuration', 'release'].includes(retention),
        `${type} still has its part ${retention}`,
      )
  for (const table of [
    'report',
    'diagnosis_key',
    'key_revision',
    'report_mark',
    'report_amendment',
  ])
    assert.equal(await zone.count(table), 0, table)
}

for (const when of ['begin', 'commit'] as const)
  keyRetentionTest(
    `killed before any of its transactions can ${when}, erasing in the key zone goes on`,
    async (zone) => {
      const secrets = await fill(zone)
      zone.clock.advance(2 * 365 * DAY)
      let runs = 0
      for (let ended = false; !ended; runs++) {
        const { failures } = await eraseDue(killedAt(zone.zone, runs, when), zone.clock.now())
        ended = failures.size === 0
        await zone.check()
      }
      assert.ok(runs > 5)
      await assertAllGone(zone, secrets)
    },
  )

keyRetentionTest('two processes that erase in the key zone at once erase once', async (zone) => {
  const secrets = await fill(zone)
  zone.clock.advance(2 * 365 * DAY)
  const runs = await Promise.all([
    eraseDue(zone.zone, zone.clock.now()),
    eraseDue(zone.other, zone.clock.now()),
  ])
  for (const { failures } of runs) assert.deepEqual([...failures], [])
  const total = (kind: 'report' | 'statistics' | 'audit') =>
    runs.reduce((sum, { erased }) => sum + erased[kind], 0)
  assert.deepEqual([total('report'), total('statistics'), total('audit')], [18, 9, 9])
  await assertAllGone(zone, secrets)
})

keyRetentionTest(
  'in each week of a month, with uploads, revisions, corrections and releases, tables and log agree',
  async (zone) => {
    await zone.addStream('us', { period: 24 * HOUR, minimum: 10 })
    for (let round = 0; round < 10; round++) {
      zone.clock.advance(19 * HOUR)
      await fill(zone)
      await zone.erase()
      await publishDue(zone.zone.publisher)
      await zone.check()
    }
    const oldest = zone.clock.now().getTime() / 1000 - 18 * DAY
    for (const { grain, parts } of await zone.events())
      for (const { retention, content } of parts)
        if (retention === 'report') assert.equal(content === undefined, grain <= oldest)
  },
)

keyRetentionTest(
  'while it is erased, submissions, corrections and releases go on',
  async (zone) => {
    await zone.addStream('us')
    const old = await fill(zone)
    await zone.append(
      ...Array.from({ length: EVENTS_A_PAGE }, () => ({
        type: 'looked-up',
        parts: [{ retention: 'audit' as const, content: { what: 'reports', by: 'command' } }],
      })),
    )
    await publishDue(zone.zone.publisher)
    zone.clock.advance(18 * DAY)
    const young: Uint8Array[] = []
    const youngKeys = new Set<string>()
    const work = async () => {
      for (let round = 0; round < 10; round++) {
        const report = await zone.report()
        young.push(...report.secrets)
        for (const { key } of report.keys) youngKeys.add(Buffer.from(key, 'base64').toString('hex'))
        const withdrawal = await zone.withdraw([report])
        await zone.reinstate([report], withdrawal)
      }
    }
    const [{ failures, erased }] = await Promise.all([
      eraseDue(zone.other, zone.clock.now()),
      work(),
      publishDue(zone.zone.publisher),
      work(),
    ])
    assert.deepEqual([...failures], [])
    assert.equal(erased.report, 18)
    await zone.check()
    const dump = await zone.dump()
    assert.deepEqual([shown(dump, old), shown(dump, young)], [0, young.length])
    zone.clock.advance(HOUR)
    await publishDue(zone.zone.publisher)
    assert.deepEqual(new Set((await publishedKeys(zone, 'us')).flat()), youngKeys)
  },
)

keyRetentionTest('a clock that goes back erases nothing, and nothing twice', async (zone) => {
  await zone.report()
  zone.clock.advance(20 * DAY)
  assert.equal((await zone.erase()).report, 1)
  zone.clock.advance(-15 * DAY)
  const late = await zone.report()
  assert.equal((await zone.erase()).report, 0)
  // It was accepted at the log's time, which is later.
  zone.clock.advance(18 * DAY)
  assert.equal((await zone.erase()).report, 0)
  assert.equal(shown(await zone.dump(), late.secrets), late.secrets.length)
  zone.clock.advance(15 * DAY)
  assert.equal((await zone.erase()).report, 1)
})

keyRetentionTest(
  'the key zone is erased by one process, and by another when that one has gone',
  async (zone) => {
    await fill(zone)
    zone.clock.advance(20 * DAY)
    const metrics = createMetrics()
    const context = (of: KeyRetentionZone['zone']) => ({
      zone: of,
      now: () => zone.clock.now(),
      logger: {
        info: () => undefined,
        error: (event: string, error: unknown) => assert.fail(`${event}: ${String(error)}`),
      },
      metrics,
    })
    await using other = runRetention(context(zone.other), 'manual')
    {
      await using first = runRetention(context(zone.zone), 'manual')
      assert.equal((await first.runNow())?.erased.report, 18)
      assert.equal(await other.runNow(), undefined)
    }
    const run = await other.runNow()
    assert.equal(run?.erased.report, 0)
    const told = metrics.gauges.map(({ name, values }) => [name, Object.fromEntries(values())])
    const seconds = zone.clock.now().getTime() / 1000
    const all = { report: seconds, numbers: seconds, statistics: seconds, audit: seconds }
    assert.deepEqual(told, [
      ['tocsin_key_zone_erased_total', { report: 0, numbers: 0, statistics: 0, audit: 0 }],
      ['tocsin_key_zone_erasing_last_success_timestamp_seconds', all],
      ['tocsin_key_zone_erased_total', { report: 18, numbers: 0, statistics: 0, audit: 0 }],
      ['tocsin_key_zone_erasing_last_success_timestamp_seconds', all],
    ])
  },
)
