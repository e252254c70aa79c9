// Submit: an accepted report as the log keeps it, and the tables that follow from it; promises that all of a report is in its event.

import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  smallintArray,
  textArray,
} from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { Onset, Outcome, ValidKey } from './validate-keys.ts'
import { OUTCOMES } from './validate-keys.ts'

/** The type of a report's event. */
export const REPORT = 'report'

/** The part of a report's event that is erased with it. */
export interface ReportContent {
  /** Which API brought it. */
  readonly source: 'publish-v1'
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

/** The part that is kept longer: what statistics are made of. */
export interface ReportStatistics {
  readonly platform: 'android' | 'ios' | 'unknown'
  readonly code: '' | 'partial_failure'
  readonly accepted: number
  readonly revised: number
  readonly unchanged: number
  readonly dropped: number
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
  /** 1 byte each: bit 0 embargoed until its end; bit 1 not stored as new (unchanged, or nothing to publish). */
  readonly flags: Uint8Array
}

/** Bits of {@link KeyColumns.flags}. */
export const FLAG_EMBARGOED = 1
export const FLAG_NOT_NEW = 2

/** Packs keys as columns. @param isNew for each key, whether it is stored */
export function packKeys(keys: readonly ValidKey[], isNew: readonly boolean[]): KeyColumns {
  const keyData = new Uint8Array(keys.length * 16)
  const rollingStart = new DataView(new ArrayBuffer(keys.length * 4))
  keys.forEach((key, index) => {
    keyData.set(key.keyData, index * 16)
    rollingStart.setUint32(index * 4, key.rollingStart)
  })
  return {
    keyData,
    rollingStart: new Uint8Array(rollingStart.buffer),
    rollingPeriod: Uint8Array.from(keys, (key) => key.rollingPeriod),
    transmissionRisk: Uint8Array.from(keys, (key) => key.transmissionRisk),
    daysSinceOnset: Uint8Array.from(keys, (key) => key.daysSinceOnset & 0xff),
    flags: Uint8Array.from(
      keys,
      (key, index) =>
        (key.embargoed ? FLAG_EMBARGOED : 0) | (isNew[index] === true ? 0 : FLAG_NOT_NEW),
    ),
  }
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
  const statistics: ReportStatistics = {
    platform,
    code: dropped > count(OUTCOMES.onset_too_far) ? 'partial_failure' : '',
    accepted,
    revised,
    unchanged,
    dropped,
  }
  return {
    type: REPORT,
    parts: [
      { retention: 'report', content },
      { retention: 'statistics', content: statistics },
    ],
  }
}

/** Writes the tables of reports and their keys. */
export const reportProjection: Projection = {
  types: [REPORT],
  tables: ['report', 'diagnosis_key'],
  async apply(tx, events) {
    await Promise.all([insertReports(tx, events), insertKeys(tx, events)])
  },
}

/** The content of a report's event. */
export function reportContent(event: StoredEvent): ReportContent {
  return event.parts[0]?.content as ReportContent
}

/** Thrown when another transaction stored the same request or the same key in between. */
export class AlreadyStored extends Error {
  override readonly name = 'AlreadyStored'
}

async function insertReports(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const contents = events.map(reportContent)
  const { rowCount } = await tx.query({
    name: 'insert-reports',
    text: `insert into report (seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain)
           select seq, tracking_id, fingerprint, app, string_to_array(regions, ','), traveler, issuer_handle, grain
           from unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::boolean[], $7::bytea[], $8::bigint[])
             as t(seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain)
           on conflict do nothing`,
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
  // An error of PostgreSQL's own would write the key into its log.
  if (rowCount !== events.length) throw new AlreadyStored()
}

async function insertKeys(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const columns = new KeyRows()
  for (const event of events) columns.add(event)
  if (columns.seq.length === 0) return
  const { rowCount } = await tx.query({
    name: 'insert-keys',
    text: `insert into diagnosis_key
             (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
           select * from unnest
             ($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::smallint[], $6::smallint[], $7::smallint[], $8::smallint[])
           on conflict do nothing`,
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
  if (rowCount !== columns.seq.length) throw new AlreadyStored()
}

/** The rows of the key table that follow from reports, column by column, as the statement takes them. */
class KeyRows {
  readonly keyData: Uint8Array[] = []
  readonly seq: number[] = []
  readonly available: number[] = []
  readonly rollingStart: number[] = []
  readonly rollingPeriod: number[] = []
  readonly transmissionRisk: number[] = []
  readonly reportType: number[] = []
  readonly daysSinceOnset: number[] = []

  add(event: StoredEvent): void {
    const content = reportContent(event)
    const { keys, timeGrain } = content
    const starts = new DataView(
      keys.rollingStart.buffer,
      keys.rollingStart.byteOffset,
      keys.rollingStart.byteLength,
    )
    const reportType = EXPORT_REPORT_TYPES[content.reportType]
    for (let index = 0; index < keys.flags.length; index++) {
      const flags = keys.flags[index] ?? 0
      if ((flags & FLAG_NOT_NEW) !== 0) continue
      const rollingStart = starts.getUint32(index * 4)
      const rollingPeriod = keys.rollingPeriod[index] ?? 0
      this.keyData.push(keys.keyData.subarray(index * 16, index * 16 + 16))
      this.seq.push(event.seq)
      this.available.push(
        (flags & FLAG_EMBARGOED) === 0
          ? event.grain
          : availableAfter(rollingStart + rollingPeriod, timeGrain, event.grain),
      )
      this.rollingStart.push(rollingStart)
      this.rollingPeriod.push(rollingPeriod)
      this.transmissionRisk.push(keys.transmissionRisk[index] ?? 0)
      this.reportType.push(reportType)
      this.daysSinceOnset.push(((keys.daysSinceOnset[index] ?? 0) << 24) >> 24)
    }
  }
}

/** The first time grain strictly after a key's end, and never before its acceptance. */
function availableAfter(endInterval: number, timeGrain: number, acceptance: number): number {
  const end = endInterval * INTERVAL_SECONDS
  return Math.max(Math.floor(end / timeGrain) * timeGrain + timeGrain, acceptance)
}
