// Submit: counts of accepted reports for each hour of a health authority; promises that they follow from the log alone, also once reports are erased.

import { bigintArray, integerArray, textArray } from '../db/binary-array.ts'
import type { Projection } from '../log/projection.ts'
import type { StoredEvent } from '../log/record.ts'
import { REPORT, reportStatistics, type ReportStatistics } from './report.ts'

/** What was accepted of one health authority, in an hour or in a day. */
export interface SubmissionCounts {
  /** Requests, by the platform that the app named. */
  unknown: number
  android: number
  ios: number
  /** Keys that were new. */
  keys: number
  /** Requests that revised at least one key. What follows counts the others only. */
  revisions: number
  /** Requests that named no onset, nor did their certificate. */
  missingOnset: number
  /** Requests by the days from their oldest key to the upload; the last bucket holds more as well. */
  readonly oldestKeyDays: number[]
  /** Requests by the days from the onset to the upload; the last bucket holds more as well. */
  readonly onsetDays: number[]
}

/** How many buckets there are: as existing apps' health authorities get them. */
export const OLDEST_KEY_BUCKETS = 16
export const ONSET_BUCKETS = 30

/** Counts of nothing. */
export function noCounts(): SubmissionCounts {
  return {
    unknown: 0,
    android: 0,
    ios: 0,
    keys: 0,
    revisions: 0,
    missingOnset: 0,
    oldestKeyDays: emptyBuckets(OLDEST_KEY_BUCKETS),
    onsetDays: emptyBuckets(ONSET_BUCKETS),
  }
}

function emptyBuckets(length: number): number[] {
  return Array.from({ length }, () => 0)
}

/** The start of the hour in which a moment lies; both in unix seconds. */
export function startOfHour(seconds: number): number {
  return Math.floor(seconds / HOUR) * HOUR
}

const HOUR = 3_600
const DAY = 86_400

/** Writes the counts, in the transaction that accepts the reports. Of an event it reads the part that is kept longer, and the grain. */
export const statsProjection: Projection = {
  types: [REPORT],
  tables: ['submission_statistics'],
  async apply(tx, events) {
    // What was erased counts no more.
    const hours = countByHour(events.filter(isCounted))
    if (hours.length === 0) return
    const counts = hours.map((hour) => hour.counts)
    const column = (name: 'unknown' | 'android' | 'ios' | 'keys' | 'revisions' | 'missingOnset') =>
      integerArray(counts.map((each) => each[name]))
    await tx.query({
      name: 'count-submissions',
      text: 'select count_submissions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
      values: [
        textArray(hours.map((hour) => hour.healthAuthority)),
        bigintArray(hours.map((hour) => hour.start)),
        column('unknown'),
        column('android'),
        column('ios'),
        column('keys'),
        column('revisions'),
        column('missingOnset'),
        integerArray(counts.flatMap((each) => each.oldestKeyDays)),
        integerArray(counts.flatMap((each) => each.onsetDays)),
      ],
    })
  },
}

function isCounted(event: StoredEvent): boolean {
  return (reportStatistics(event) as ReportStatistics | undefined) !== undefined
}

interface HourOfAuthority {
  /** The issuer of its certificates: several apps may share one. */
  readonly healthAuthority: string
  /** Unix seconds. */
  readonly start: number
  readonly counts: SubmissionCounts
}

/** A group of events is mostly one hour of one authority, so one row is written for all of them. */
function countByHour(events: readonly StoredEvent[]): HourOfAuthority[] {
  const hours = new Map<string, HourOfAuthority>()
  for (const event of events) {
    const { healthAuthority } = reportStatistics(event)
    const start = startOfHour(event.grain)
    const name = `${start} ${healthAuthority}`
    const hour = hours.get(name) ?? { healthAuthority, start, counts: noCounts() }
    hours.set(name, hour)
    addReport(hour.counts, event)
  }
  return [...hours.values()]
}

function addReport(counts: SubmissionCounts, event: StoredEvent): void {
  const statistics = reportStatistics(event)
  counts[statistics.platform]++
  counts.keys += statistics.accepted
  if (statistics.revised > 0) {
    counts.revisions++
    return
  }
  const { oldestKeyDay, onsetDay } = statistics
  const today = Math.floor(event.grain / DAY)
  if (oldestKeyDay !== null) addToBucket(counts.oldestKeyDays, today - oldestKeyDay)
  if (onsetDay === null) counts.missingOnset++
  else addToBucket(counts.onsetDays, today - onsetDay)
}

/** Counts one more under so many days. */
function addToBucket(buckets: number[], days: number): void {
  const bucket = Math.min(Math.max(days, 0), buckets.length - 1)
  buckets[bucket] = (buckets[bucket] ?? 0) + 1
}
