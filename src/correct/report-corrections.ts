// Correct: the corrections that concern one report; promises each withdrawal with its end, and to say so where who and why were erased.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { encodeHex } from '../format/bytes.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { AMENDMENT, REINSTATEMENT, WITHDRAWAL } from '../submit/corrections.ts'

/** A correction as it concerns a report. */
export interface LifeCorrection {
  readonly kind: typeof WITHDRAWAL | typeof REINSTATEMENT | typeof AMENDMENT
  /** Hex; null when it was erased. */
  readonly id: string | null
  /** ISO 8601, UTC. */
  readonly at: string
  /** Who made it, and why; null when that was erased. */
  readonly by: string | null
  readonly reason: string | null
  /** Of a withdrawal: whether it stood before the report came, which was withdrawn from the first. */
  readonly fromNowOn?: boolean
  /** Of a reinstatement: the withdrawal that it ends for this report; null when its id was erased. */
  readonly withdrawal?: string | null
  /** How many single keys of the report it concerns, where it is not the report as a whole. */
  readonly keys?: number
  /** Of an amendment: what the report says instead; null for what it said itself. */
  readonly reportType?: string | null
  /** YYYY-MM-DD. */
  readonly onset?: string | null
}

/** Where a report stands by its corrections. */
export interface CorrectedReport {
  readonly withdrawn: boolean
  readonly withdrawnKeys: number
  readonly corrections: readonly LifeCorrection[]
}

interface MarkRow {
  seq: number
  available: number
  change: number
  /** Null for the report as a whole. */
  keys: number | null
  id: Uint8Array | null
  made_by: string | null
  reason: string | null
  withdrawal_id: Uint8Array | null
}

interface AmendmentRow extends Pick<MarkRow, 'seq' | 'available' | 'id' | 'made_by' | 'reason'> {
  report_type: number | null
  onset_day: number | null
}

/** The corrections of a report, oldest first. @param report the number of its event */
export async function correctionsOf(db: Queryable, report: number): Promise<CorrectedReport> {
  // Who made a withdrawal stands beside its own event, which is not that of a report which came later. Its id is kept for as long
  // as it stands, who made it for a year.
  const { rows: marks } = await db.query<MarkRow>(
    sql`with mark as (
          select seq, withdrawal, available, change, null::bigint as keys from report_mark where report = ${report}
          union all
          select m.seq, m.withdrawal, m.available, m.change, count(*) from key_mark m join diagnosis_key k using (key_data)
            where k.seq = ${report} group by m.seq, m.withdrawal, m.available, m.change
        )
        select m.seq, m.available, m.change, m.keys, c.id, c.made_by, c.reason, coalesce(w.id, s.id) as withdrawal_id
        from mark m left join correction c on c.seq = case when m.change > 0 then m.withdrawal else m.seq end
          left join correction w on w.seq = m.withdrawal left join standing_withdrawal s on s.seq = m.withdrawal
        order by m.seq, m.withdrawal, m.keys`,
  )
  const { rows: amendments } = await db.query<AmendmentRow>(
    sql`select a.seq, a.available, a.report_type, a.onset_day, c.id, c.made_by, c.reason
        from report_amendment a left join correction c using (seq) where a.report = ${report}`,
  )
  const { rows: held } = await db.query<{ keys: number }>(
    sql`select count(*) as keys from (select m.key_data from key_mark m join diagnosis_key k using (key_data)
        where k.seq = ${report} group by m.key_data having sum(m.change) > 0) as held`,
  )
  const dated = [
    ...marks.map((mark) => ({ seq: mark.seq, correction: describeMark(mark, report) })),
    ...amendments.map((row) => ({ seq: row.seq, correction: describeAmendment(row) })),
  ]
  return {
    withdrawn: marks.reduce((sum, mark) => sum + (mark.keys === null ? mark.change : 0), 0) > 0,
    withdrawnKeys: held[0]?.keys ?? 0,
    corrections: dated.sort((a, b) => a.seq - b.seq).map(({ correction }) => correction),
  }
}

function describeMark(mark: MarkRow, report: number): LifeCorrection {
  const { seq, available, change, keys } = mark
  const withdrawal = hexOrNull(mark.withdrawal_id)
  const common = { at: formatTimestamp(available), by: mark.made_by, reason: mark.reason }
  const single = keys === null ? {} : { keys }
  return change > 0
    ? { kind: WITHDRAWAL, id: withdrawal, ...common, fromNowOn: seq === report, ...single }
    : { kind: REINSTATEMENT, id: hexOrNull(mark.id), ...common, withdrawal, ...single }
}

function describeAmendment(row: AmendmentRow): LifeCorrection {
  const { report_type: type, onset_day: day } = row
  return {
    kind: AMENDMENT,
    id: hexOrNull(row.id),
    at: formatTimestamp(row.available),
    by: row.made_by,
    reason: row.reason,
    reportType: type === null ? null : (TYPE_NAMES.get(type) ?? null),
    onset: day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10),
  }
}

/** Report types as certificates and corrections name them, by their numbers. */
const TYPE_NAMES = new Map(Object.entries(EXPORT_REPORT_TYPES).map(([name, type]) => [type, name]))

function hexOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : encodeHex(bytes)
}
