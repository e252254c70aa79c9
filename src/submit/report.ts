// Submit: an accepted report as the log keeps it, and the tables that follow from it; promises that all of a report is in its event.

import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  packedByteaArray,
  smallintArray,
  textArray,
} from '../db/binary-array.ts'
import { sqlStateOf } from '../db/database-errors.ts'
import type { Transaction } from '../db/database.ts'
import { allWritten } from '../db/transactions.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { rowsOfReports } from './copy-reports.ts'
import { FLAG_NOT_NEW, FLAG_REVISED, startsOf, type KeyColumns } from './key-columns.ts'
import { broughtReport, KeyRows, type BroughtReport } from './key-rows.ts'
import { PADDING } from './padding-report.ts'
import { EVERY_REPORT, REPORT } from './report-types.ts'
import type { Onset, Outcome } from './validate-keys.ts'
import { OUTCOMES } from './validate-keys.ts'

export { REPORT } from './report-types.ts'

/** The part of a report's event that is erased with it. */
export interface ReportContent {
  /** Which API brought it. */
  readonly source: string
  /** 128 random bits. */
  readonly trackingId: Uint8Array
  /** HMAC of the request under a key of this zone, 16 bytes. */
  readonly fingerprint: Uint8Array
  readonly app: string
  readonly healthAuthority: string
  readonly regions: readonly string[]
  readonly reportType: ReportType
  readonly onset: Onset
  readonly traveler: boolean
  readonly issuerHandle: Uint8Array | null
  /** Seconds to which times were truncated at acceptance. */
  readonly timeGrain: number
  readonly keys: KeyColumns
  /** One outcome for each key of the request, in the order of the text sent. */
  readonly outcomes: Uint8Array
}

/**
 * The part that is kept longer: with the event's grain, all that statistics are made of. Days are UTC days since the epoch: how
 * long before the acceptance they are is what is counted, but its grain is known only after this was made.
 */
export interface ReportStatistics {
  /** The issuer of the certificate. */
  readonly healthAuthority: string
  readonly platform: 'android' | 'ios' | 'unknown'
  readonly code: '' | 'partial_failure'
  readonly accepted: number
  readonly revised: number
  readonly unchanged: number
  readonly dropped: number
  /** On which the oldest valid key starts; null without a valid key, and for a report that revised any: its ages don't count. */
  readonly oldestKeyDay: number | null
  /** The onset's; null when nobody named one, and for a report that revised a key. */
  readonly onsetDay: number | null
}

/** The event of an accepted report. */
export function reportEvent(
  content: ReportContent,
  platform: ReportStatistics['platform'],
): NewEvent {
  const count = (outcome: Outcome) => {
    let sum = 0
    for (const each of content.outcomes) if (each === outcome) sum++
    return sum
  }
  const accepted = count(OUTCOMES.accepted)
  const revised = count(OUTCOMES.revised)
  const unchanged = count(OUTCOMES.unchanged)
  const dropped = content.outcomes.length - accepted - revised - unchanged
  const { healthAuthority, keys, onset } = content
  const statistics: ReportStatistics = {
    healthAuthority,
    platform,
    code: dropped > count(OUTCOMES.onset_too_far) ? 'partial_failure' : '',
    accepted,
    revised,
    unchanged,
    dropped,
    oldestKeyDay: revised > 0 ? null : oldestDay(keys),
    onsetDay: revised > 0 || onset.source === 'default' ? null : dayOf(onset.interval),
  }
  return {
    type: REPORT,
    parts: [
      { retention: 'report', content },
      { retention: 'statistics', content: statistics },
    ],
  }
}

function oldestDay(keys: KeyColumns): number | null {
  const starts = startsOf(keys)
  let oldest = Infinity
  for (let offset = 0; offset < starts.byteLength; offset += 4)
    oldest = Math.min(oldest, starts.getUint32(offset))
  return oldest === Infinity ? null : dayOf(oldest)
}

const dayOf = (interval: number) => Math.floor(interval / INTERVALS_PER_DAY)

/** Writes the tables of reports and their keys, padding among them; of reports of other kinds what all reports have. */
export const reportProjection: Projection = {
  types: [...EVERY_REPORT, PADDING],
  tables: ['report', 'diagnosis_key', 'key_revision'],
  async apply(tx, events) {
    // One that was erased brings nothing any more.
    const reports = events.filter(isKept).map(broughtReport)
    if (reports.length === 0) return
    const ofKeys = reports.filter(({ identifiers }) => identifiers === null)
    const others = reports.filter(({ identifiers }) => identifiers !== null)
    try {
      await allWritten([
        insertKeys(tx, ofKeys),
        insertPaddingKeys(tx, ofKeys),
        insertRevisions(tx, ofKeys),
        ...(ofKeys.length === 0 ? [] : [insertReports(tx, ofKeys)]),
        ...(others.length === 0 ? [] : [insertOthers(tx, others)]),
      ])
    } catch (error) {
      throw sqlStateOf(error) === STORED_ALREADY ? new AlreadyStored() : error
    }
  },
  rowsOf: (events) => rowsOfReports(events.filter(isKept).map(broughtReport)),
}

function isKept({ parts }: StoredEvent): boolean {
  return parts[0]?.content !== undefined
}

/** The content of a report's event. */
export function reportContent(event: StoredEvent): ReportContent {
  return event.parts[0]?.content as ReportContent
}

/** What a report's event keeps longer. */
export function reportStatistics(event: StoredEvent): ReportStatistics {
  return event.parts[1]?.content as ReportStatistics
}

// What store_reports and store_keys raise, in place of PostgreSQL's own error.
const STORED_ALREADY = 'TC001'

/** Thrown when another transaction stored the same request or the same key in between. */
export class AlreadyStored extends Error {
  override readonly name = 'AlreadyStored'
}

async function insertReports(tx: Transaction, reports: readonly BroughtReport[]): Promise<void> {
  await tx.query({
    name: 'store-reports',
    text: 'select store_reports($1, $2, $3, $4, $5, $6, $7, $8, $9)',
    values: reportColumns(reports),
  })
}

async function insertOthers(tx: Transaction, reports: readonly BroughtReport[]): Promise<void> {
  await tx.query({
    name: 'store-other-reports',
    text: 'select store_other_reports($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
    values: [
      ...reportColumns(reports),
      integerArray(reports.map(({ identifiers }) => identifiers ?? 0)),
    ],
  })
}

/** The rows of reports, as both statements take them. */
function reportColumns(reports: readonly BroughtReport[]): Buffer[] {
  const contents = reports.map((report) => report.content)
  return [
    bigintArray(reports.map((report) => report.seq)),
    byteaArray(contents.map((content) => content.trackingId)),
    byteaArray(contents.map((content) => content.fingerprint)),
    textArray(contents.map((content) => content.app)),
    textArray(contents.map((content) => content.regions.join(','))),
    booleanArray(contents.map((content) => content.traveler)),
    byteaArray(contents.map((content) => content.issuerHandle ?? null)),
    bigintArray(reports.map((report) => report.acceptance)),
    textArray(contents.map((content) => content.source ?? null)),
  ]
}

function isReal({ isPadding }: BroughtReport): boolean {
  return !isPadding
}

async function insertKeys(tx: Transaction, reports: readonly BroughtReport[]): Promise<void> {
  const columns = new KeyRows(reports.filter(isReal), (flags) => (flags & FLAG_NOT_NEW) === 0)
  if (columns.count === 0) return
  await tx.query({
    name: 'store-keys',
    text: 'select store_keys($1, $2, $3, $4, $5, $6, $7, $8)',
    values: keyColumns(columns),
  })
}

/** The rows of new keys, as both statements take them. */
function keyColumns(columns: KeyRows): Buffer[] {
  return [
    packedByteaArray(columns.keyData, 16),
    bigintArray(columns.seq),
    bigintArray(columns.available),
    integerArray(columns.rollingStart),
    smallintArray(columns.rollingPeriod),
    smallintArray(columns.transmissionRisk),
    smallintArray(columns.reportType),
    smallintArray(columns.daysSinceOnset),
  ]
}

async function insertPaddingKeys(
  tx: Transaction,
  reports: readonly BroughtReport[],
): Promise<void> {
  const padding = reports.filter((report) => report.isPadding)
  const columns = new KeyRows(padding, () => true)
  if (columns.count === 0) return
  await tx.query({
    name: 'store-padding-keys',
    text: `insert into diagnosis_key
             (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset, padding)
           select *, true from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::smallint[], $6::smallint[],
             $7::smallint[], $8::smallint[])`,
    values: keyColumns(columns),
  })
}

async function insertRevisions(tx: Transaction, reports: readonly BroughtReport[]): Promise<void> {
  const columns = new KeyRows(reports.filter(isReal), (flags) => (flags & FLAG_REVISED) !== 0)
  if (columns.count === 0) return
  await tx.query({
    name: 'store-revisions',
    text: 'select store_revisions($1, $2, $3, $4, $5, $6)',
    values: [
      packedByteaArray(columns.keyData, 16),
      bigintArray(columns.seq),
      bigintArray(columns.available),
      smallintArray(columns.transmissionRisk),
      smallintArray(columns.reportType),
      smallintArray(columns.daysSinceOnset),
    ],
  })
}
