// Publish: which keys a release brings, as SQL; promises each key once, in its final state, and no revised key that was not published before.

import type { Queryable } from '../db/database.ts'
import { REVOKED } from '../format/report-type.ts'
import { matchReport, matchType, textLiteral } from './stream-filter.ts'
import type { Stream } from './streams.ts'

/** What a release is made from: enough to make it again, whatever has come since. */
export interface ReleaseSpan {
  readonly number: number
  /** The window's start, unix seconds: corrections from here on. */
  readonly start: number
  /** The window's end. */
  readonly end: number
  /** Keys from here on; null when the release is held and brings corrections only. */
  readonly keysFrom: number | null
  /** The number of events that it is read from. */
  readonly readSeq: number
}

/** The columns of {@link selectKeys} and {@link selectRevised}, in order. */
const COLUMNS =
  'key_data, transmission_risk, rolling_start, rolling_period, report_type, days_since_onset'

/**
 * The keys that a release publishes for the first time, unsorted.
 *
 * A key belongs to the window in which it became available; what is in the log by then has changed it already (a revision, a
 * correction), and one that is revoked or withdrawn leaves nothing to publish. A key that comes into the stream only by such a
 * change (by a revision's type or regions, by a reinstatement) belongs to the window of the change.
 *
 * @param hasChanges what {@link findChanges} says of the span: without changes the statement is simpler, and the server sorts its rows by several
 * processes
 */
export function selectKeys(stream: Stream, span: ReleaseSpan, hasChanges = true): string {
  if (span.keysFrom === null)
    return `select ${COLUMNS}, seq, padding from diagnosis_key where false`
  const { keysFrom, end, readSeq } = span
  // No amendment brings back what a negative result revoked.
  const finalType = `case when r.report_type = ${REVOKED} then ${REVOKED} else coalesce(a.report_type, r.report_type, k.report_type) end`
  const amendedDays = `k.rolling_start / 144 - a.onset_day`
  return `
    select k.key_data, coalesce(r.transmission_risk, k.transmission_risk) as transmission_risk, k.rolling_start, k.rolling_period,
      ${finalType} as report_type, coalesce(${amendedDays}, r.days_since_onset, k.days_since_onset)::smallint as days_since_onset, k.seq, k.padding
    from diagnosis_key k join report p on p.seq = k.seq
      left join key_revision r on r.key_data = k.key_data and r.seq < ${readSeq}
        and r.seq not in (${heldBy('report', readSeq)})
      left join (select distinct on (report) report, report_type, onset_day from report_amendment
        where seq < ${readSeq} order by report, seq desc) a on a.report = coalesce(r.seq, k.seq)
    where k.available >= ${keysFrom} and k.available < ${end} and k.seq < ${readSeq} and ${matchReport(stream, 'p')}
      and k.seq not in (${heldBy('report', readSeq)}) and k.key_data not in (${heldBy('key', readSeq)})
      and ${finalType} <> ${REVOKED} and ${matchType(stream, finalType)}
      and coalesce(${amendedDays}, 0) between -14 and 14
    ${hasChanges ? `union all ${selectChangedInto(stream, span, keysFrom)}` : ''}`
}

/** Those that come into the stream by a change. */
function selectChangedInto(
  stream: Stream,
  { number, end, readSeq }: ReleaseSpan,
  keysFrom: number,
): string {
  return ofChanged(
    [keysFrom, end, readSeq],
    `select j.key_data as judged, s.*
      from (select distinct judged as key_data from changed) c join diagnosis_key j using (key_data) join report p on p.seq = j.seq
        cross join lateral key_state(j.key_data, ${readSeq}, 0) s
        left join key_revision r on r.key_data = j.key_data and r.seq = s.revising and r.available < ${end}
        left join report q on q.seq = r.seq
      where s.report_type <> ${REVOKED} and ${matchType(stream, 's.report_type')}
        and not exists (select from first_release(${textLiteral(stream.name)}, ${number}, j.key_data))
        and case when ${matchReport(stream, 'p')} then exists (select from release e
            where e.stream = ${textLiteral(stream.name)} and e.number < ${number} and e.window_end > j.available
              and e.keys_from <= j.available and e.keys_from > j.available - ${LONGEST_SPAN})
          else ${matchReport(stream, 'q')} end`,
  )
}

/** Whether anything that was there already was changed in the span of a release's keys: found with one look at each index. */
export async function findChanges(
  db: Queryable,
  { keysFrom, end, readSeq }: ReleaseSpan,
): Promise<boolean> {
  const found = (table: string) =>
    `exists (select from ${table} where available >= $1 and available < $2 and seq < $3)`
  const { rows } = await db.query<{ found: boolean }>({
    text: `select ${['key_revision', 'key_mark', 'report_mark', 'report_amendment'].map(found).join(' or ')} as found`,
    values: [keysFrom ?? end, end, readSeq],
  })
  return rows[0]?.found === true
}

/** What withdrawals hold, by the events below a number: numbers of reports, or keys. */
function heldBy(what: 'report' | 'key', readSeq: number): string {
  const [column, table] = what === 'report' ? ['report', 'report_mark'] : ['key_data', 'key_mark']
  return `select ${column} from ${table} where seq < ${readSeq} group by ${column} having sum(change) > 0`
}

/**
 * The keys that a release revises, unsorted: each was published before by this stream, and not yet in this state.
 *
 * What counts for a key is what was in the log when it was first published, and what has become available since.
 */
export function selectRevised(
  stream: Stream,
  { number, start, end, readSeq }: ReleaseSpan,
): string {
  return ofChanged(
    [start, end, readSeq],
    `select j.key_data as judged, s.*
      from (select distinct judged as key_data from changed) j
        cross join lateral first_release(${textLiteral(stream.name)}, ${number}, j.key_data) first
        cross join lateral (${stateInStream(start)}) was cross join lateral (${stateInStream(end)}) s
      where (was.report_type, was.transmission_risk, was.days_since_onset)
          is distinct from (s.report_type, s.transmission_risk, s.days_since_onset)
        and (was.report_type <> ${REVOKED} or s.report_type <> ${REVOKED})`,
  )
}

/**
 * Keys that something became available of in a span. Thousands of keys that were withdrawn with their reports are judged by one key
 * of each report; such keys have the same type, and the rest is each one's own.
 *
 * @param judge selects the keys to tell of, `judged`, among those of `changed`, with what is to be told
 */
function ofChanged([from, until, below]: readonly number[], judge: string): string {
  const own = (column: string) =>
    `case when k.key_data = s.judged then s.${column} else k.${column} end as ${column}`
  return `select * from (
    with changed as materialized (select * from changed_keys(${from}, ${until}, ${below})), s as materialized (${judge})
    select k.key_data, ${own('transmission_risk')}, k.rolling_start, k.rolling_period, s.report_type, ${own('days_since_onset')}, k.seq, k.padding
    from s join changed using (judged) join diagnosis_key k on k.key_data = changed.key_data) as told`
}

/** What a stream says of a key that it published: nothing for a report that it takes no part of, once its revision is withdrawn. */
function stateInStream(due: number): string {
  return `select case when first.by_report or revising is not null then report_type else ${REVOKED} end as report_type,
    transmission_risk, days_since_onset from key_state(j.key_data, first.read_seq, ${due})`
}

/** What COPY gives out of a key: few columns, since each costs more than its bytes. */
const PACKED = `key_data, rolling_start,
  (rolling_period::integer << 24) | (transmission_risk::integer << 16) | (report_type::integer << 8) | (days_since_onset + 128)`

/** The same, sorted by the keys' bytes, packed as {@link PACKED} says. */
export function copySorted(select: string): string {
  return `copy (select ${PACKED} from (${select}) as chosen order by key_data) to stdout (format binary)`
}

/** A release brings the keys of less: a window of a day, after a day of windows that were held. Few releases have to be looked at, then. */
const LONGEST_SPAN = 2 * 86_400 + 1
