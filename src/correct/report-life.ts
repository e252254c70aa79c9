// Correct: the life of one report, from its acceptance to what became of it; promises to name no key unless asked, to say so where something was erased, and to change nothing.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { decodeHex, encodeHex } from '../format/bytes.ts'
import { readEvent } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { explainReport, type ExplainedKey } from '../publish/explain-key.ts'
import type { PublishedKey } from '../publish/find-published.ts'
import { reportContent } from '../submit/report.ts'
import { correctionsOf, type LifeCorrection } from './report-corrections.ts'

/** What became of a report. Times are ISO 8601, UTC, truncated to the time grain. */
export interface ReportLife {
  /** Hex. */
  readonly trackingId: string
  /** Made here so that small numbers tell nothing, and nobody's. */
  readonly padding: boolean
  readonly accepted: string
  /** Which API brought it; null for padding. */
  readonly source: string | null
  /** healthAuthorityID as the app sent it; can be empty for padding. */
  readonly app: string
  /** The issuer of its certificate; null for padding. */
  readonly issuer: string | null
  /** As it was sent: an amendment is among the corrections. */
  readonly reportType: string
  readonly regions: readonly string[]
  readonly traveler: boolean
  /** How many keys of the request had which outcome; empty for padding, which nobody sent. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Until when its last key is kept back, as it was still valid when it came; null when none was. */
  readonly embargoedUntil: string | null
  /** Where its keys are, oldest first: those that it brought, and what it changed of others. */
  readonly published: readonly LifeRelease[]
  /** Later reports that changed keys of this one. */
  readonly revisedBy: readonly RelatedReport[]
  /** Earlier reports of which it changed keys. */
  readonly revises: readonly RelatedReport[]
  /** Whether it is withdrawn now. */
  readonly withdrawn: boolean
  /** How many of the keys that it brought are withdrawn now as single keys. */
  readonly withdrawnKeys: number
  /** Oldest first. */
  readonly corrections: readonly LifeCorrection[]
  /** Only when asked for. */
  readonly keys?: readonly ExplainedKey[]
}

/** A file that keys of the report are in. */
export interface LifeRelease extends Pick<PublishedKey, 'release' | 'list' | 'state'> {
  readonly stream: string
  /** As the index names it. */
  readonly file: string
  /** How many of the report's keys are in it. */
  readonly keys: number
}

/** Another report with which it has keys in common. */
export interface RelatedReport {
  /** Hex; null when it was erased. */
  readonly trackingId: string | null
  readonly accepted: string | null
  /** How many keys were changed. */
  readonly keys: number
}

/**
 * What became of an accepted report.
 *
 * @param trackingId 32 hex digits
 * @param withKeys whether its keys are named
 * @param now unix seconds
 * @throws TocsinError `report_unknown`
 */
export async function readReportLife(
  db: Queryable,
  trackingId: string,
  withKeys: boolean,
  now: number,
): Promise<ReportLife> {
  const id = readTrackingId(trackingId)
  const row = id === undefined ? undefined : await findReport(db, id)
  const event = row === undefined ? undefined : await readEvent(db, row.seq)
  const explained = id === undefined ? undefined : await explainReport(db, id, now)
  if (row === undefined || event?.parts[0]?.content === undefined || explained === undefined)
    throw new TocsinError('report_unknown')
  const { seq, source, app } = row
  const { healthAuthority, reportType } = reportContent(event)
  const { padding, accepted, regions, traveler, outcomes, keys } = explained
  return {
    trackingId: explained.trackingId,
    padding,
    accepted,
    source,
    app,
    // Padding has none.
    issuer: padding ? null : healthAuthority,
    reportType,
    regions,
    traveler,
    outcomes,
    embargoedUntil: row.embargoed === null ? null : formatTimestamp(row.embargoed),
    published: await countPlaces(db, seq, keys),
    revisedBy: await readRelated(db, seq, 'later'),
    revises: await readRelated(db, seq, 'earlier'),
    ...(await correctionsOf(db, seq)),
    ...(withKeys ? { keys } : {}),
  }
}

/** The bytes of a tracking id; undefined when it has not the form of one. */
export function readTrackingId(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{32}$/i.test(text) ? decodeHex(text) : undefined
}

interface ReportRow {
  seq: number
  source: string | null
  app: string
  /** The latest time before which a key must not be published, if that is later than its acceptance. */
  embargoed: number | null
}

async function findReport(db: Queryable, trackingId: Uint8Array): Promise<ReportRow | undefined> {
  const { rows } = await db.query<ReportRow>(
    sql`select p.seq, p.source, p.app, (select max(k.available) from (
          select available from diagnosis_key where seq = p.seq union all select available from key_revision where seq = p.seq
        ) k where k.available > p.grain) as embargoed
        from report p where p.tracking_id = ${trackingId}`,
  )
  return rows[0]
}

/** Adds up, file by file, where a report's keys are: as keys those that it brought first, as revised ones those as well whose change it brought. */
async function countPlaces(
  db: Queryable,
  seq: number,
  keys: readonly ExplainedKey[],
): Promise<LifeRelease[]> {
  const { rows } = await db.query<{ key: string }>(
    sql`select encode(key_data, 'base64') as key from diagnosis_key where seq = ${seq}`,
  )
  const brought = new Set(rows.map(({ key }) => key))
  const places = new Map<string, LifeRelease>()
  for (const key of keys) {
    if (!key.known) continue
    for (const { stream, published } of key.streams)
      for (const { list, release, path: file, state } of published) {
        // Its first publication is another report's when that brought it.
        if (list === 'keys' && !brought.has(key.key)) continue
        const place = `${list} ${file}`
        const before = places.get(place)?.keys ?? 0
        places.set(place, { stream, release, file, list, state, keys: before + 1 })
      }
  }
  return [...places.values()].sort(
    (a, b) => compare(a.stream, b.stream) || a.release - b.release || compare(a.file, b.file),
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The reports that changed keys of a report, or of whose keys it changed some. */
async function readRelated(
  db: Queryable,
  seq: number,
  which: 'later' | 'earlier',
): Promise<RelatedReport[]> {
  const { rows } = await db.query<{
    tracking_id: Uint8Array | null
    grain: number | null
    keys: number
  }>(
    which === 'later'
      ? sql`select p.tracking_id, p.grain, count(*) as keys
            from diagnosis_key k join key_revision r using (key_data) join report p on p.seq = r.seq
            where k.seq = ${seq} group by p.seq, p.tracking_id, p.grain order by p.seq`
      : sql`select p.tracking_id, p.grain, count(*) as keys
            from key_revision r left join diagnosis_key k using (key_data) left join report p on p.seq = k.seq
            where r.seq = ${seq} group by p.seq, p.tracking_id, p.grain order by p.seq`,
  )
  return rows.map(({ tracking_id: id, grain, keys }) => ({
    trackingId: id === null ? null : encodeHex(id),
    accepted: grain === null ? null : formatTimestamp(grain),
    keys,
  }))
}
