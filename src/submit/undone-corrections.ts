// Submit: what a recovery to an earlier point undoes of later corrections; promises that what was there before the point is held, amended and ruled as it was then.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { LogRecoveredContent } from '../log/recovered-event.ts'
import type { StoredEvent } from '../log/record.ts'
import { insertMarks, packSeqs, unpackSeqs, type MarkedPairs } from './marks.ts'

/** A withdrawal of what comes from now on, as its table has it. What is null does not matter. */
export interface StandingRow {
  readonly seq: number
  readonly id: Uint8Array
  readonly apps: string[] | null
  readonly source: string | null
  readonly regions: string[] | null
  readonly issuerHandles: Uint8Array[] | null
  readonly acceptedFrom: number | null
  readonly acceptedBefore: number | null
}

/** What a recovery's event adds in the key zone, in the part that stays. */
export interface StandingAtPoint {
  /** The withdrawals that also hold what comes later, as of the point. */
  readonly standing: readonly StandingRow[]
}

/** What reports say, where that was changed behind the point. */
export interface AmendedAtPoint {
  /** Numbers of events, 8 bytes each. */
  readonly reports: Uint8Array
  /** As in export files; null for the report's own. */
  readonly reportType: number | null
  /** Days since the epoch; null for the report's own. */
  readonly onsetDay: number | null
}

/** What it adds in the part that leaves with the reports: how to undo what was corrected behind the point. */
export interface UndoneCorrections {
  /** What is held again, and by which withdrawal. */
  readonly held: MarkedPairs
  /** What is held no longer. */
  readonly released: MarkedPairs
  readonly amended: readonly AmendedAtPoint[]
}

/** The withdrawals of what comes from now on. */
export async function readStanding(db: Queryable): Promise<StandingRow[]> {
  const { rows } = await db.query<StandingRow & { seq: number }>(
    sql`select seq, id, apps, source, regions, issuer_handles as "issuerHandles", accepted_from as "acceptedFrom",
          accepted_before as "acceptedBefore" from standing_withdrawal order by seq`,
  )
  return rows
}

/**
 * What events from a point on have corrected of what was there before it. Of reports and keys that came later nothing is undone: a
 * withdrawal of their own holds those.
 */
export async function findUndone(db: Queryable, point: number): Promise<UndoneCorrections> {
  const { rows: reports } = await db.query<{ what: number; withdrawal: number; change: number }>(
    sql`select report as what, withdrawal, -sum(change)::smallint as change from report_mark
        where seq >= ${point} and report < ${point} group by report, withdrawal having sum(change) <> 0 order by report, withdrawal`,
  )
  const { rows: keys } = await db.query<{ what: Uint8Array; withdrawal: number; change: number }>(
    sql`select m.key_data as what, m.withdrawal, -sum(m.change)::smallint as change from key_mark m
        where m.seq >= ${point} and not exists (select from diagnosis_key k where k.key_data = m.key_data and k.seq >= ${point})
        group by m.key_data, m.withdrawal having sum(m.change) <> 0 order by m.key_data, m.withdrawal`,
  )
  const pairs = (change: number): MarkedPairs => {
    const [some, others] = [reports, keys].map((rows) =>
      rows.filter((row) => row.change === change),
    ) as [typeof reports, typeof keys]
    return {
      reports: packSeqs(some.map(({ what }) => what)),
      reportWithdrawals: packSeqs(some.map(({ withdrawal }) => withdrawal)),
      keys: Buffer.concat(others.map(({ what }) => what)),
      keyWithdrawals: packSeqs(others.map(({ withdrawal }) => withdrawal)),
    }
  }
  return { held: pairs(1), released: pairs(-1), amended: await findAmended(db, point) }
}

async function findAmended(db: Queryable, point: number): Promise<AmendedAtPoint[]> {
  const { rows } = await db.query<{ report: number; type: number | null; onset: number | null }>(
    sql`select c.report, a.report_type as type, a.onset_day as onset
        from (select distinct report from report_amendment where seq >= ${point} and report < ${point}) c
          left join lateral (select report_type, onset_day from report_amendment
            where report = c.report and seq < ${point} order by seq desc limit 1) a on true
        order by c.report`,
  )
  const groups = Map.groupBy(rows, ({ type, onset }) => `${type} ${onset}`)
  return [...groups.values()].map((group) => ({
    reports: packSeqs(group.map(({ report }) => report)),
    reportType: group[0]?.type ?? null,
    onsetDay: group[0]?.onset ?? null,
  }))
}

/** Writes what a recovery's event says: every rule as of the point, and of each mark and amendment the reverse. */
export async function undoCorrections(tx: Transaction, event: StoredEvent): Promise<void> {
  for (const { retention, content } of event.parts) {
    if (content === undefined) continue
    if (retention === 'configuration')
      await replaceStanding(tx, content as LogRecoveredContent & StandingAtPoint)
    else await undo(tx, event, content as UndoneCorrections)
  }
}

async function replaceStanding(tx: Transaction, { standing }: StandingAtPoint): Promise<void> {
  await tx.query(sql`delete from standing_withdrawal`)
  for (const row of standing)
    await tx.query(
      sql`insert into standing_withdrawal (seq, id, apps, source, regions, issuer_handles, accepted_from, accepted_before)
          values (${row.seq}::bigint, ${row.id}, ${row.apps}::text[], ${row.source}, ${row.regions}::text[], ${row.issuerHandles && byteaArray(row.issuerHandles)}::bytea[],
            ${row.acceptedFrom}::bigint, ${row.acceptedBefore}::bigint)`,
    )
}

async function undo(
  tx: Transaction,
  event: StoredEvent,
  { held, released, amended }: UndoneCorrections,
): Promise<void> {
  await insertMarks(tx, event, 1, held)
  await insertMarks(tx, event, -1, released)
  for (const { reports, reportType, onsetDay } of amended)
    await tx.query(
      sql`insert into report_amendment (report, seq, available, report_type, onset_day)
          select report, ${event.seq}::bigint, ${event.grain}::bigint, ${reportType}::smallint, ${onsetDay}::integer
          from unnest(${bigintArray(unpackSeqs(reports))}::bigint[]) as report`,
    )
}
