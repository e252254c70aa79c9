// Authorize: the counts that reports are made of; promises those of one realm and period alone.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { StatCount, StatSubjectKind } from './stat-counts.ts'

/** Whose statistics. */
export interface StatRealm {
  readonly name: string
  /** As `realm_id`. */
  readonly number: number
}

/** Days since the epoch, UTC: the last one told, and how many before it are told as well. */
export interface StatPeriod {
  readonly today: number
  readonly days: number
}

/** How many days before today are told; counts are kept for one day more. */
export const STAT_DAYS = 90

/** What a day tells, under its first moment: RFC 3339, UTC. */
export interface StatDay<Data> {
  readonly date: string
  readonly data: Data
}

/** The days of a period, the newest first. */
export function daysOf({ today, days }: StatPeriod): number[] {
  return Array.from({ length: days + 1 }, (_, index) => today - index)
}

/** A day's first moment. */
export function dateOf(day: number): string {
  return `${new Date(day * 86_400_000).toISOString().slice(0, 10)}T00:00:00Z`
}

/** A realm's counts of some kinds of subject, by day and subject. Not yet fit to be told. */
export async function readCounts(
  db: Queryable,
  realm: StatRealm,
  subjectKinds: readonly StatSubjectKind[],
  { today, days }: StatPeriod,
): Promise<StatCount[]> {
  const { rows } = await db.query<StatCount>(
    sql`select realm, day, kind, subject_kind as "subjectKind", subject, count from authority_stat
        where realm = ${realm.name} and day between ${today - days}::integer and ${today}::integer
          and subject_kind = any (${subjectKinds}::text[])
        order by day, subject_kind, subject, kind`,
  )
  return rows
}
