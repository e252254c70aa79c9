// Submit: a report of contact event numbers as the log keeps it, and the table that follows from it; promises that its numbers are stored once, packed, and no row for each.

import { bigintArray, integerArray, textArray } from '../db/binary-array.ts'
import { CopyRows } from '../db/copy-rows.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import type { ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { ReportCap } from './decide-reports.ts'
import type { OtherReportContent } from './report-types.ts'

/** The type of the event of a report of contact event numbers. */
export const CEN_REPORT = 'cen.report'

/**
 * Why a report was let in: `verified` by a code or a certificate of a health authority, `located` by the address that it came from,
 * `shared` by the secret that all phones share, `trusted` by nothing.
 */
export const TRUST_LEVELS = ['verified', 'located', 'trusted', 'shared'] as const

/** One of {@link TRUST_LEVELS}. */
export type TrustLevel = (typeof TRUST_LEVELS)[number]

/** The part that says what the report is. */
export interface CenReportContent extends OtherReportContent {
  readonly reportType: ReportType
  readonly trust: TrustLevel
  /** A geohash of 1 to 4 characters; null for none. */
  readonly cell: string | null
}

/** The part that is kept longer. */
export interface CenReportStatistics {
  readonly healthAuthority: string
  readonly trust: TrustLevel
  readonly count: number
}

/** The event of an accepted report. @param numbers 16 bytes each, in the order of their bytes, each once */
export function cenReportEvent(content: CenReportContent, numbers: Uint8Array): NewEvent {
  const { healthAuthority, trust, count } = content
  const statistics: CenReportStatistics = { healthAuthority, trust, count }
  return {
    type: CEN_REPORT,
    parts: [
      // As long as the numbers: for as long as these are published they can be withdrawn.
      { retention: 'numbers-report', content },
      { retention: 'numbers', content: numbers, detached: true },
      { retention: 'statistics', content: statistics },
    ],
  }
}

/** Writes what releases look up of reports of numbers; a row leaves with the report's own. */
export const cenProjection: Projection = {
  types: [CEN_REPORT],
  tables: ['cen_report'],
  async apply(tx, events) {
    const reports = events.filter(isKept)
    if (reports.length > 0) await insertReports(tx, reports)
  },
  rowsOf(events) {
    const rows = new CopyRows()
    for (const event of events.filter(isKept)) {
      const { seq, grain } = event
      const { count, cell, trust } = contentOf(event)
      rows.start(5).bigint(seq).bigint(grain).integer(count).text(cell).text(trust)
    }
    return [{ table: 'cen_report', columns: 'seq, available, count, cell, trust', rows }]
  },
}

function isKept({ parts }: StoredEvent): boolean {
  return parts[0]?.content !== undefined
}

function contentOf({ parts }: StoredEvent): CenReportContent {
  return parts[0]?.content as CenReportContent
}

async function insertReports(tx: Transaction, reports: readonly StoredEvent[]): Promise<void> {
  const contents = reports.map(contentOf)
  await tx.query({
    name: 'store-cen-reports',
    text: `insert into cen_report (seq, available, count, cell, trust)
           select * from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[])`,
    values: [
      bigintArray(reports.map(({ seq }) => seq)),
      bigintArray(reports.map(({ grain }) => grain)),
      integerArray(contents.map(({ count }) => count)),
      textArray(contents.map(({ cell }) => cell)),
      textArray(contents.map(({ trust }) => trust)),
    ],
  })
}

const DAY = 86_400

/** Limits how many reports of a trust level one day, UTC, may bring. */
export function dailyCap(trust: TrustLevel, most: number, now: Date): ReportCap {
  const seconds = Math.floor(now.getTime() / 1000)
  const today = Math.floor(seconds / DAY) * DAY
  return {
    name: `cen ${trust}`,
    most,
    refusal: new TocsinError('daily_cap_reached', undefined, {
      retryAfter: today + DAY - seconds,
    }),
    count: (db) => countSince(db, trust, today),
  }
}

async function countSince(db: Queryable, trust: TrustLevel, since: number): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    sql`select count(*) as n from cen_report where available >= ${since}::bigint and trust = ${trust}`,
  )
  return rows[0]?.n ?? 0
}
