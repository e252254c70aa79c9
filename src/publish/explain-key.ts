// Publish: what became of a key, or of a report's keys, stream by stream; promises to say no more than the tables hold, and to change nothing.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { encodeBase64, encodeHex } from '../format/bytes.ts'
import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { REPORT_TYPE_NAMES } from '../format/report-type.ts'
import { readEvent } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { unpackColumns } from '../submit/key-columns.ts'
import { PADDING } from '../submit/padding-report.ts'
import { reportContent } from '../submit/report.ts'
import { isOtherReport } from '../submit/report-types.ts'
import { OUTCOMES } from '../submit/validate-keys.ts'
import { explainInStream, type ExplainedStream } from './explain-stream.ts'
import type { StoredKey } from './find-published.ts'
import { readStandings } from './releases.ts'
import { listStreams } from './streams.ts'

/** What is to be said of a key. Times are ISO 8601, UTC. */
export type ExplainedKey = UnknownKey | KnownKey

/** A key of which nothing is stored. */
export interface UnknownKey {
  /** Base64. */
  readonly key: string
  readonly known: false
  readonly says: string
}

/** A stored key. */
export interface KnownKey {
  readonly key: string
  readonly known: true
  /** Made here so that small numbers tell nothing, and nobody's. */
  readonly padding: boolean
  readonly accepted: string
  /** When its own validity begins and ends. */
  readonly validFrom: string
  readonly validThrough: string
  /** From when on it may be published: later than `accepted` when it was still valid then. */
  readonly available: string
  readonly reportType: string
  /** Null when its report type was not changed. */
  readonly revised: {
    readonly accepted: string
    readonly available: string
    readonly reportType: string
  } | null
  readonly withdrawn: boolean
  readonly streams: readonly ExplainedStream[]
}

/** What is to be said of an accepted report. */
export interface ExplainedReport {
  /** Hex. */
  readonly trackingId: string
  readonly padding: boolean
  readonly accepted: string
  readonly regions: readonly string[]
  readonly traveler: boolean
  readonly withdrawn: boolean
  /** How many keys of the request had which outcome; empty for padding, which nobody sent. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Those that were valid. */
  readonly keys: readonly ExplainedKey[]
}

/** Says why a key is not out yet, or where it is. @param now unix seconds */
export async function explainKey(
  db: Queryable,
  keyData: Uint8Array,
  now: number,
): Promise<ExplainedKey> {
  const key = encodeBase64(keyData)
  const stored = await findKey(db, keyData)
  if (stored === undefined)
    return {
      key,
      known: false,
      says: 'No accepted report brought it as a new key: it was never sent here, its report was refused or is a negative result, it was dropped as invalid, or it was erased 18 days after its upload. Nothing is kept of a refused report; tocsin explain-submission judges a captured one.',
    }
  const streams = (await listStreams(db)).filter(({ diagnosisKeys }) => diagnosisKeys)
  const standings = await readStandings(db, streams)
  const explained: ExplainedStream[] = []
  for (const stream of streams) {
    const standing = standings.get(stream.name)
    if (standing !== undefined)
      explained.push(await explainInStream(db, stream, standing, stored, now))
  }
  const { first, revision } = stored
  return {
    key,
    known: true,
    padding: stored.padding,
    accepted: formatTimestamp(first.accepted),
    validFrom: formatTimestamp(stored.rollingStart * INTERVAL_SECONDS),
    validThrough: formatTimestamp((stored.rollingStart + stored.rollingPeriod) * INTERVAL_SECONDS),
    available: formatTimestamp(first.available),
    reportType: REPORT_TYPE_NAMES[first.reportType] ?? '',
    revised:
      revision === undefined
        ? null
        : {
            accepted: formatTimestamp(revision.accepted),
            available: formatTimestamp(revision.available),
            reportType: REPORT_TYPE_NAMES[revision.reportType] ?? '',
          },
    withdrawn: stored.withdrawn,
    streams: explained,
  }
}

/** Says what became of the keys of an accepted report; undefined when there is none of that tracking id. @param now unix seconds */
export async function explainReport(
  db: Queryable,
  trackingId: Uint8Array,
  now: number,
): Promise<ExplainedReport | undefined> {
  const { rows } = await db.query<{
    seq: number
    regions: string[]
    traveler: boolean
    withdrawn: boolean
    grain: number
    identifiers: number | null
  }>(
    sql`select seq, regions, traveler, report_is_held(seq, ${ALL}, 0) as withdrawn, grain, identifiers from report where tracking_id = ${trackingId}`,
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { seq, grain, regions, traveler, withdrawn, identifiers } = row
  const event = await readEvent(db, seq)
  const isPadding = event?.type === PADDING
  const other = event !== undefined && isOtherReport(event.type) ? event : undefined
  const content = event === undefined || other !== undefined ? undefined : reportContent(event)
  const keys: ExplainedKey[] = []
  for (const { keyData } of content === undefined ? [] : unpackColumns(content.keys))
    keys.push(await explainKey(db, keyData, now))
  return {
    trackingId: encodeHex(trackingId),
    padding: isPadding,
    accepted: formatTimestamp(grain),
    regions,
    traveler,
    withdrawn,
    outcomes:
      other !== undefined
        ? { accepted: identifiers ?? 0 }
        : isPadding || content === undefined
          ? {}
          : countOutcomes(content.outcomes),
    keys,
  }
}

function countOutcomes(outcomes: Uint8Array): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [name, outcome] of Object.entries(OUTCOMES)) {
    const count = outcomes.filter((each) => each === outcome).length
    if (count > 0) counts[name] = count
  }
  return counts
}

/** Above every number of an event. */
const ALL = Number.MAX_SAFE_INTEGER

interface KeyRow {
  rolling_start: number
  rolling_period: number
  padding: boolean
  withdrawn: boolean
  seq: number
  available: number
  report_type: number
  grain: number
  regions: string[]
  traveler: boolean
  revision_seq: number | null
  revision_available: number
  revision_type: number
  revision_grain: number
  revision_regions: string[]
  revision_traveler: boolean
  revision_withdrawn: boolean
  corrected: number | null
}

async function findKey(db: Queryable, keyData: Uint8Array): Promise<StoredKey | undefined> {
  const { rows } = await db.query<KeyRow>(
    sql`select k.rolling_start, k.rolling_period, k.padding, k.seq, k.available, k.report_type,
          p.grain, p.regions, p.traveler, report_is_held(k.seq, ${ALL}, 0) or (select coalesce(sum(change), 0) > 0 from key_mark m
            where m.key_data = k.key_data) as withdrawn,
          q.seq as revision_seq, r.available as revision_available, r.report_type as revision_type, q.grain as revision_grain,
          q.regions as revision_regions, q.traveler as revision_traveler, report_is_held(r.seq, ${ALL}, 0) as revision_withdrawn,
          (select max(available) from (select available from report_mark where report in (k.seq, r.seq)
            union all select available from report_amendment where report in (k.seq, r.seq)
            union all select available from key_mark m where m.key_data = k.key_data) c) as corrected
        from diagnosis_key k join report p using (seq)
          left join key_revision r on r.key_data = k.key_data left join report q on q.seq = r.seq
        where k.key_data = ${keyData}`,
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { revision_seq: revisionSeq } = row
  return {
    keyData,
    rollingStart: row.rolling_start,
    rollingPeriod: row.rolling_period,
    padding: row.padding,
    withdrawn: row.withdrawn,
    corrected: row.corrected,
    first: {
      seq: row.seq,
      accepted: row.grain,
      available: row.available,
      reportType: row.report_type,
      regions: row.regions,
      traveler: row.traveler,
    },
    // One that is withdrawn counts no more.
    ...(revisionSeq === null || row.revision_withdrawn
      ? {}
      : {
          revision: {
            seq: revisionSeq,
            accepted: row.revision_grain,
            available: row.revision_available,
            reportType: row.revision_type,
            regions: row.revision_regions,
            traveler: row.revision_traveler,
          },
        }),
  }
}
