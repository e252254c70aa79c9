// Publish: which reports of contact event numbers a release is made from, as SQL; promises the same ones whenever it is asked again while they are kept.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { cenSettings } from './cen-settings.ts'
import { matchReport, textLiteral } from './stream-filter.ts'
import type { Stream } from './streams.ts'
import type { ReleaseSpan } from './window-keys.ts'

/** A report, without its numbers. */
export interface NumberReport {
  readonly seq: number
  /** Numbers. */
  readonly count: number
  /** Where it was, as a geohash; null when it doesn't say. */
  readonly cell: string | null
}

/** How long numbers count, in seconds: those of a report, from the time on at which it may be published. */
export const CURRENT_SECONDS = 21 * 86_400

/** At whole multiples of this all current numbers are published anew, in seconds: midnight, UTC. */
export const WHOLE_SECONDS = 86_400

/** What of the releases before counts for the next one. */
export interface CenHistory {
  /** Up to where reports were published, unix seconds. */
  readonly published: number
  /** What the newest release that brought numbers was read at; 0 before the first. */
  readonly addedAt: number
  /** The newest release that told of withdrawals: what it was read at, and up to where reports were published then. */
  readonly told: { readonly number: number; readonly readSeq: number; readonly published: number }
}

/**
 * What the releases before one say.
 *
 * @param number of the release
 * @param toldBy a regular expression of the paths of files that tell of withdrawals
 */
export async function readHistory(
  db: Queryable,
  { name, start }: Pick<Stream, 'name' | 'start'>,
  number: number,
  toldBy: string,
): Promise<CenHistory> {
  const { rows } = await db.query<{
    published: number | null
    added_at: number | null
    told: number | null
    told_at: number | null
    told_published: number | null
  }>(
    sql`select added.window_end as published, added.read_seq as added_at, told.number as told, told.read_seq as told_at,
          (select window_end from release where stream = ${name} and number <= told.number and keys_from is not null
           order by number desc limit 1) as told_published
        from (select) as one
          left join lateral (select window_end, read_seq from release where stream = ${name} and number < ${number}
            and keys_from is not null order by number desc limit 1) as added on true
          left join lateral (select r.number, r.read_seq from release_file f join release r using (stream, number)
            where f.stream = ${name} and f.number < ${number} and f.path ~ ${toldBy}
            order by f.number desc limit 1) as told on true`,
  )
  const [row] = rows
  return {
    published: row?.published ?? start,
    addedAt: row?.added_at ?? 0,
    told: {
      number: row?.told ?? 0,
      readSeq: row?.told_at ?? 0,
      published: row?.told_published ?? start,
    },
  }
}

/** Reports that a release brings: those of its span, and those whose withdrawal has ended since the last one that brought any. */
export function selectAdded(
  stream: Stream,
  { end, keysFrom, readSeq }: ReleaseSpan,
  { addedAt }: CenHistory,
): string {
  if (keysFrom === null) return `${selectReports(stream, readSeq)} and false`
  return `${selectReports(stream, readSeq)} and c.available < ${end} and c.available >= ${end - CURRENT_SECONDS}
    and ${notHeld(readSeq)}
    and (c.available >= ${keysFrom} or c.seq in (${heldBy(addedAt)}))`
}

/**
 * Reports whose numbers phones have, and which are withdrawn: published when withdrawals were told of last and not withdrawn then, or published
 * since.
 */
export function selectRemoved(
  stream: Stream,
  { number, end, readSeq }: ReleaseSpan,
  { published, told }: CenHistory,
): string {
  return `${selectReports(stream, readSeq)} and c.available < ${published} and c.available >= ${end - CURRENT_SECONDS}
    and c.seq in (${heldBy(readSeq)})
    and ((c.available < ${told.published} and not ${isHeldAt(`${told.readSeq}`)})
      or exists (select from release e where e.stream = ${textLiteral(stream.name)} and e.number > ${told.number}
        and e.number < ${number} and e.keys_from is not null and e.window_end > c.available and not ${isHeldAt('e.read_seq')}))`
}

/** All reports whose numbers count at a window's end, as far as they are published by then. */
export function selectCurrent(
  stream: Stream,
  { end, keysFrom, readSeq }: ReleaseSpan,
  { published }: CenHistory,
): string {
  return `${selectReports(stream, readSeq)} and c.available >= ${end - CURRENT_SECONDS}
    and c.available < ${keysFrom === null ? published : end} and ${notHeld(readSeq)}`
}

/** Reads what one of these statements selects. */
export async function readReports(db: Queryable, select: string): Promise<NumberReport[]> {
  const { rows } = await db.query<NumberReport>({ text: `${select} order by c.seq`, values: [] })
  return rows
}

/** Whether anything was published that a phone may still have. */
export async function wasPublished(
  db: Queryable,
  { name }: Pick<Stream, 'name'>,
  { number, end }: Pick<ReleaseSpan, 'number' | 'end'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    sql`select 1 from release_file f join release r using (stream, number)
        where f.stream = ${name} and f.number < ${number} and f.size > 0 and r.window_end > ${end - CURRENT_SECONDS - WHOLE_SECONDS} limit 1`,
  )
  return rowCount !== 0
}

/** Reports of a stream whose numbers are there still. */
function selectReports(stream: Stream, readSeq: number): string {
  const levels = cenSettings(stream).trust.map(textLiteral).join()
  return `select c.seq, c.count, c.cell from cen_report c join report p on p.seq = c.seq
    where c.seq < ${readSeq} and c.trust in (${levels}) and ${matchReport(stream, 'p')} and c.seq in (select seq from event_content)`
}

/** What withdrawals hold, by the events below a number. */
function heldBy(readSeq: number): string {
  return `select report from report_mark where seq < ${readSeq} group by report having sum(change) > 0`
}

function notHeld(readSeq: number): string {
  return `c.seq not in (${heldBy(readSeq)})`
}

/** The same for one report and a number that a row has. */
function isHeldAt(readSeq: string): string {
  return `coalesce((select sum(m.change) from report_mark m where m.report = c.seq and m.seq < ${readSeq}), 0) > 0`
}
