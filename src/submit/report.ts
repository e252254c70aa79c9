// Submit: an accepted report as the log keeps it, and the tables that follow from it; promises that all of a report is in its event.

import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  smallintArray,
  textArray,
} from '../db/binary-array.ts'
import { sqlStateOf } from '../db/database-errors.ts'
import type { Transaction } from '../db/database.ts'
import { allWritten } from '../db/transactions.ts'
import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { Fate } from './settle-keys.ts'
import type { Onset, Outcome, ValidKey } from './validate-keys.ts'
import { OUTCOMES } from './validate-keys.ts'

/** The type of a report's event. */
export const REPORT = 'report'

/** The part of a report's event that is erased with it. */
export interface ReportContent {
  /** Which API brought it. */
  readonly source: 'publish-v1' | 'publish-v1alpha1'
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

/** The valid keys of a report packed as columns, in the order of their bytes; integers big-endian. */
export interface KeyColumns {
  /** 16 bytes each. */
  readonly keyData: Uint8Array
  /** 4 bytes each. */
  readonly rollingStart: Uint8Array
  /** 1 byte each. */
  readonly rollingPeriod: Uint8Array
  readonly transmissionRisk: Uint8Array
  /** 1 byte each, two's complement. */
  readonly daysSinceOnset: Uint8Array
  /** 1 byte each: bit 0 embargoed until its end; bit 1 not stored as new (changed, unchanged, or nothing to publish); bit 2 changed. */
  readonly flags: Uint8Array
}

/** Bits of {@link KeyColumns.flags}. */
export const FLAG_EMBARGOED = 1
export const FLAG_NOT_NEW = 2
export const FLAG_REVISED = 4

/** Packs keys as columns, but for those that were dropped. @param fates what becomes of each */
export function packKeys(valid: readonly ValidKey[], fates: readonly Fate[]): KeyColumns {
  const kept = fates.map((_, index) => index).filter((index) => fates[index] !== 'not_covered')
  const count = kept.length
  const columns = {
    keyData: new Uint8Array(count * 16),
    rollingStart: new Uint8Array(count * 4),
    rollingPeriod: new Uint8Array(count),
    transmissionRisk: new Uint8Array(count),
    daysSinceOnset: new Uint8Array(count),
    flags: new Uint8Array(count),
  }
  const starts = new DataView(columns.rollingStart.buffer)
  kept.forEach((from, index) => {
    const key = valid[from] as ValidKey
    const fate = fates[from]
    columns.keyData.set(key.keyData, index * 16)
    starts.setUint32(index * 4, key.rollingStart)
    columns.rollingPeriod[index] = key.rollingPeriod
    columns.transmissionRisk[index] = key.transmissionRisk
    columns.daysSinceOnset[index] = key.daysSinceOnset
    columns.flags[index] =
      (key.embargoed ? FLAG_EMBARGOED : 0) |
      (fate === 'new' ? 0 : FLAG_NOT_NEW) |
      (fate === 'revised' ? FLAG_REVISED : 0)
  })
  return columns
}

/** The event of an accepted report. */
export function reportEvent(
  content: ReportContent,
  platform: ReportStatistics['platform'],
): NewEvent {
  const count = (outcome: Outcome) =>
    content.outcomes.reduce((sum, each) => (each === outcome ? sum + 1 : sum), 0)
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

function startsOf({ rollingStart }: KeyColumns): DataView {
  return new DataView(rollingStart.buffer, rollingStart.byteOffset, rollingStart.byteLength)
}

/** Writes the tables of reports and their keys. */
export const reportProjection: Projection = {
  types: [REPORT],
  tables: ['report', 'diagnosis_key', 'key_revision'],
  async apply(tx, events) {
    try {
      await allWritten([
        insertKeys(tx, events),
        insertRevisions(tx, events),
        insertReports(tx, events),
      ])
    } catch (error) {
      throw sqlStateOf(error) === STORED_ALREADY ? new AlreadyStored() : error
    }
  },
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

async function insertReports(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const contents = events.map(reportContent)
  await tx.query({
    name: 'store-reports',
    text: 'select store_reports($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      bigintArray(events.map((event) => event.seq)),
      byteaArray(contents.map((content) => content.trackingId)),
      byteaArray(contents.map((content) => content.fingerprint)),
      textArray(contents.map((content) => content.app)),
      textArray(contents.map((content) => content.regions.join(','))),
      booleanArray(contents.map((content) => content.traveler)),
      byteaArray(contents.map((content) => content.issuerHandle)),
      bigintArray(events.map((event) => event.grain)),
    ],
  })
}

async function insertKeys(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const columns = new KeyRows((flags) => (flags & FLAG_NOT_NEW) === 0)
  for (const event of events) columns.add(event)
  if (columns.seq.length === 0) return
  await tx.query({
    name: 'store-keys',
    text: 'select store_keys($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      byteaArray(columns.keyData),
      bigintArray(columns.seq),
      bigintArray(columns.available),
      integerArray(columns.rollingStart),
      smallintArray(columns.rollingPeriod),
      smallintArray(columns.transmissionRisk),
      smallintArray(columns.reportType),
      smallintArray(columns.daysSinceOnset),
    ],
  })
}

async function insertRevisions(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const columns = new KeyRows((flags) => (flags & FLAG_REVISED) !== 0)
  for (const event of events) columns.add(event)
  if (columns.seq.length === 0) return
  await tx.query({
    name: 'store-revisions',
    text: 'select store_revisions($1, $2, $3, $4, $5, $6)',
    values: [
      byteaArray(columns.keyData),
      bigintArray(columns.seq),
      bigintArray(columns.available),
      smallintArray(columns.transmissionRisk),
      smallintArray(columns.reportType),
      smallintArray(columns.daysSinceOnset),
    ],
  })
}

/** Rows that follow from some keys of reports, column by column, as the statements take them. */
class KeyRows {
  readonly keyData: Uint8Array[] = []
  readonly seq: number[] = []
  readonly available: number[] = []
  readonly rollingStart: number[] = []
  readonly rollingPeriod: number[] = []
  readonly transmissionRisk: number[] = []
  readonly reportType: number[] = []
  readonly daysSinceOnset: number[] = []
  readonly #isWanted: (flags: number) => boolean

  /** @param isWanted tells by its flags whether a key has a row */
  constructor(isWanted: (flags: number) => boolean) {
    this.#isWanted = isWanted
  }

  add(event: StoredEvent): void {
    const content = reportContent(event)
    const { keys, timeGrain } = content
    const starts = startsOf(keys)
    const reportType = EXPORT_REPORT_TYPES[content.reportType]
    for (let index = 0; index < keys.flags.length; index++) {
      const flags = keys.flags[index] ?? 0
      if (!this.#isWanted(flags)) continue
      const rollingStart = starts.getUint32(index * 4)
      const rollingPeriod = keys.rollingPeriod[index] ?? 0
      this.keyData.push(keys.keyData.subarray(index * 16, index * 16 + 16))
      this.seq.push(event.seq)
      const embargoed = (flags & FLAG_EMBARGOED) !== 0
      const end = rollingStart + rollingPeriod
      this.available.push(embargoed ? availableAfter(end, timeGrain, event.grain) : event.grain)
      this.rollingStart.push(rollingStart)
      this.rollingPeriod.push(rollingPeriod)
      this.transmissionRisk.push(keys.transmissionRisk[index] ?? 0)
      this.reportType.push(reportType)
      this.daysSinceOnset.push(((keys.daysSinceOnset[index] ?? 0) << 24) >> 24)
    }
  }
}

/** From when on an embargoed key may be published, in unix seconds: the first time grain strictly after its end, never before its acceptance. */
export function availableAfter(endInterval: number, timeGrain: number, acceptance: number): number {
  const end = endInterval * INTERVAL_SECONDS
  return Math.max(Math.floor(end / timeGrain) * timeGrain + timeGrain, acceptance)
}
