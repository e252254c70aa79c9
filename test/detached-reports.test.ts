// Test: reports whose numbers are kept apart, together with reports of keys; promises that each has its own time, and that what a release was read from is carried whole.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { readEventRows } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { CEN_REPORT } from '../src/submit/cen-report.ts'
import { archiveOf } from './archiving-zone.ts'
import { numbersReport } from './cen-zone.ts'
import { databaseTestOnce } from './database.ts'
import {
  keyRetentionTest,
  DAY,
  type KeyRetentionZone,
  type SentReport,
} from './key-retention-zone.ts'
import { makeKeys } from './key-zone.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverUntilFrom } from './recovered-zone.ts'

const someNumbers = () => new Uint8Array(randomBytes(320))

/** As a report of keys, for what corrections need of it. */
async function keepNumbers(zone: KeyRetentionZone): Promise<SentReport> {
  const [seq = -1] = await zone.append(numbersReport(someNumbers()))
  return { seq, secrets: [], keys: [], revisionToken: '' }
}

keyRetentionTest('what holds numbers stays as long as they', async (zone) => {
  const { clock } = zone
  const numbers = await keepNumbers(zone)
  const keys = await zone.report()
  const ofBoth = await zone.withdraw([numbers, keys])
  const ofKeys = await zone.withdraw([keys])
  await zone.reinstate([numbers], ofBoth)
  await zone.withdraw([numbers])
  await zone.amend([numbers])
  const marked = async () => {
    const { rows } = await zone.zone.db.query<{ seq: number; marks: number }>(
      sql`select seq, count(*) as marks from report_mark group by seq order by seq`,
    )
    return rows
  }
  const before = await marked()
  clock.advance(18 * DAY + 900)
  assert.deepEqual(
    await zone.erase(),
    // The report of keys and the correction of nothing else.
    { report: 2, numbers: 0, statistics: 0, audit: 0 },
  )
  assert.deepEqual(
    await marked(),
    before.filter(({ seq }) => seq !== ofKeys),
  )
  assert.equal(await zone.count('report_amendment'), 1)
  assert.deepEqual([await zone.count('report'), await zone.count('cen_report')], [1, 1])
  clock.set('2026-03-31T23:59:59Z')
  assert.equal((await zone.erase()).numbers, 0)
  clock.set('2026-04-01T00:00:00Z')
  // The numbers, what says whose they are, and four corrections.
  assert.equal((await zone.erase()).numbers, 6)
  for (const table of ['report', 'cen_report', 'report_mark', 'report_amendment', 'event_content'])
    assert.equal(await zone.count(table), 0, table)
  const left = (await zone.events()).flatMap(({ parts }) =>
    parts.flatMap(({ retention, content }) => (content === undefined ? [] : [retention])),
  )
  assert.ok(!left.some((retention) => ['report', 'numbers', 'numbers-report'].includes(retention)))
})

databaseTestOnce('numbers behind the point are carried with their report', async (database, t) => {
  await using town = await openPublishingZone(database, t)
  const { zone, clock, folder } = town
  const archive = await archiveOf(zone, 'key', folder, clock.now)
  await town.addStream('us')
  await town.upload()
  const { rows } = await zone.db.query<{ seq: number }>(sql`select max(seq) as seq from event`)
  const until = { seq: (rows[0]?.seq ?? 0) + 1 }
  const numbers = someNumbers()
  await append(town, numbersReport(numbers))
  await town.upload(makeKeys(clock.now(), 3))
  clock.advance(7_200)
  await publishDue(zone.publisher)
  // No release was read from this one.
  await append(town, numbersReport(someNumbers()))
  await archiveThrough(archive.context, Infinity)

  await using empty = await openEmpty(database, folder)
  const options = { now: clock.now() }
  await recoverUntilFrom(empty.key, archive.folder, 'key', archive.identity, until, options)
  const found: string[] = []
  for await (const page of readEventRows(empty.key.db, 0))
    for (const { type, record } of page)
      if (type === CEN_REPORT)
        found.push(Buffer.from(decodeEvent(record).parts[1]?.content as Uint8Array).toString('hex'))
  assert.deepEqual(found, [Buffer.from(numbers).toString('hex')])
  const findings = await verifyLog(empty.key.db, empty.key.writer.projections)
  assert.deepEqual(findings.problems, [])
})

async function append({ zone, clock }: PublishingZone, event: ReturnType<typeof numbersReport>) {
  await zone.db.transaction((tx) => appendEvents(tx, zone.writer, [event], clock.now()))
}
