// Submit: a health authority's statistics by day; promises that no day is shown that would tell of few people while it is fresh.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { noCounts, startOfHour, type SubmissionCounts } from './stats-projection.ts'

/** A day of a health authority. */
export interface DayCounts extends SubmissionCounts {
  /** UTC midnight at which it starts, unix seconds. */
  readonly start: number
}

/** What was accepted in one hour. */
export interface HourCounts extends SubmissionCounts {
  /** Unix seconds. */
  readonly hour: number
}

/** A day with fewer requests is kept back, as such a count could be about somebody. */
export const LEAST_REQUESTS = 10

/**
 * How long it is kept back after its end, in seconds: what it tells then is no news about anybody, and small health
 * authorities would otherwise never see a number. The same in the reference API, whose clients add up the days.
 */
export const EMBARGO_SECONDS = 48 * 3_600

/**
 * The days of a health authority that may be shown now, the oldest first.
 *
 * @param issuer of its certificates
 * @param timeGrain seconds to which times were truncated at acceptance
 */
export async function readDays(
  db: Queryable,
  issuer: string,
  now: Date,
  timeGrain: number,
): Promise<DayCounts[]> {
  // Nothing of an hour that still grows: whoever asked twice would see what one request brought. With a grain above an hour
  // it is the hour in which the current grain began.
  const seconds = now.getTime() / 1000
  const open = startOfHour(Math.floor(seconds / timeGrain) * timeGrain)
  const { rows } = await db.query<HourCounts>(
    sql`select hour, requests_unknown as unknown, requests_android as android, requests_ios as ios,
          keys_published as keys, requests_with_revisions as revisions, requests_missing_onset as "missingOnset",
          oldest_key_days as "oldestKeyDays", onset_days as "onsetDays"
        from submission_statistics where health_authority = ${issuer} and hour < ${open} order by hour`,
  )
  return sumDays(rows).filter((day) => mayBeShown(day, seconds))
}

/** Adds up hours by their UTC day. @param hours in order */
export function sumDays(hours: readonly HourCounts[]): DayCounts[] {
  const days: DayCounts[] = []
  for (const hour of hours) {
    const start = Math.floor(hour.hour / DAY) * DAY
    if (days.at(-1)?.start !== start) days.push({ start, ...noCounts() })
    addTo(days.at(-1) as DayCounts, hour)
  }
  return days
}

const DAY = 86_400

function mayBeShown(day: DayCounts, seconds: number): boolean {
  return (
    day.unknown + day.android + day.ios >= LEAST_REQUESTS ||
    seconds >= day.start + DAY + EMBARGO_SECONDS
  )
}

function addTo(sum: SubmissionCounts, more: SubmissionCounts): void {
  for (const name of ['unknown', 'android', 'ios', 'keys', 'revisions', 'missingOnset'] as const)
    sum[name] += more[name]
  for (const name of ['oldestKeyDays', 'onsetDays'] as const)
    more[name].forEach((count, bucket) => (sum[name][bucket] = (sum[name][bucket] ?? 0) + count))
}
