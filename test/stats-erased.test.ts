// Test: the counts of submissions when reports were erased; promises that they follow from the parts that are kept longer.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import { decodeEvent, erasePart } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import type { ReportStatistics } from '../src/submit/report.ts'
import { statsProjection } from '../src/submit/stats-projection.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { asOwner, openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

// 2026-03-20, when these submissions come, as whole days since the epoch.
const TODAY = Date.parse('2026-03-20') / 86_400_000

databaseTestOnce(
  'once the reports are erased, the same counts follow from the log',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await submitEveryKind(town)
    const { rows } = await town.zone.db.query<{ seq: number; record: Uint8Array }>(
      sql`select seq, record from event where type = 'report' order by seq`,
    )
    assert.equal(rows.length, 5)
    const erased = rows.map(({ seq, record }) => ({ seq, record: erasePart(record, 'report') }))
    for (const { record } of erased) assert.equal(decodeEvent(record).parts[0]?.content, undefined)
    await asOwner(
      db,
      erased.map(
        ({ seq, record }) =>
          `update key_zone.event set record = '\\x${Buffer.from(record).toString('hex')}' where seq = ${seq}`,
      ),
    )
    const { events, problems } = await verifyLog(town.zone.db, [statsProjection])
    assert.deepEqual(problems, [])
    assert.equal(events, 7)
  },
)

databaseTestOnce(
  'of a report, its days alone are kept longer, and none of a revision',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await submitEveryKind(town)
    const { rows } = await town.zone.db.query<{ record: Uint8Array }>(
      sql`select record from event where type = 'report' order by seq`,
    )
    const kept = rows.map((row) => decodeEvent(row.record).parts[1]?.content as ReportStatistics)
    assert.deepEqual(
      kept.map((each) => [each.accepted, each.revised, each.oldestKeyDay, each.onsetDay]),
      [
        [3, 0, TODAY - 3, TODAY - 3],
        [7, 0, TODAY - 7, null],
        [0, 0, null, TODAY - 20],
        [0, 0, TODAY - 2, TODAY - 3],
        [0, 3, null, null],
      ],
    )
    for (const { healthAuthority } of kept) assert.equal(healthAuthority, town.authority.issuer)
  },
)

/** Submissions that count in different ways, over two hours of a day. */
async function submitEveryKind(town: SubmittingZone): Promise<void> {
  const { clock } = town
  const submit = async (...request: Parameters<SubmittingZone['body']>) => {
    const reply = await town.submit(await town.body(...request))
    assert.equal(reply.status, 200, reply.body.error)
    return reply.body
  }
  const keys = makeKeys(clock.now(), 3)
  const { revisionToken } = await submit(keys, { reportType: 'likely' })
  // Nobody knows the onset.
  await submit(makeKeys(clock.now(), 7), { claims: { symptomOnsetInterval: undefined } })
  // Every key is too far from the onset, so none is valid.
  const symptomOnsetInterval = Math.floor(clock.now().getTime() / 600_000) - 20 * 144
  await submit(makeKeys(clock.now(), 2), { claims: { symptomOnsetInterval } })
  clock.advance(3600)
  // Nothing is published of a negative result, and yet it has ages.
  await submit(makeKeys(clock.now(), 2), { reportType: 'negative' })
  await submit(keys, { reportType: 'confirmed', fields: { revisionToken } })
}
