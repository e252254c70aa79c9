// Publish: which keys a release brings, as SQL; promises each key once, in its final state, and no revised key that was not published before.

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
 * A key belongs to the window in which it became available; a revision that is in the log by then has changed it already, and one
 * that revoked it leaves nothing to publish. A key that comes into the stream only by its revision (by that one's type or
 * regions) belongs to the window of the revision.
 */
export function selectKeys(stream: Stream, span: ReleaseSpan): string {
  if (span.keysFrom === null)
    return `select ${COLUMNS}, seq, padding from diagnosis_key where false`
  const isIn = (available: string) =>
    `${available} >= ${span.keysFrom} and ${available} < ${span.end}`
  const finalType = 'coalesce(r.report_type, k.report_type)'
  return `
    select k.key_data, coalesce(r.transmission_risk, k.transmission_risk) as transmission_risk, k.rolling_start, k.rolling_period,
      ${finalType} as report_type, coalesce(r.days_since_onset, k.days_since_onset) as days_since_onset, k.seq, k.padding
    from diagnosis_key k join report p on p.seq = k.seq
      left join key_revision r on r.key_data = k.key_data and r.seq < ${span.readSeq}
    where ${isIn('k.available')} and k.seq < ${span.readSeq} and ${matchReport(stream, 'p')}
      and ${finalType} <> ${REVOKED} and ${matchType(stream, finalType)}
    union all
    select k.key_data, r.transmission_risk, k.rolling_start, k.rolling_period, r.report_type, r.days_since_onset, k.seq, k.padding
    from ${revisions(stream, span)}
    where ${isIn('r.available')} and r.report_type <> ${REVOKED} and ${matchType(stream, 'r.report_type')}
      and not ${WAS_PUBLISHED} and case when ${matchReport(stream, 'p')} then first.read_seq is not null else ${matchReport(stream, 'q')} end`
}

/** The keys that a release revises, unsorted: each was published before by this stream, and not yet in this state. */
export function selectRevised(stream: Stream, span: ReleaseSpan): string {
  return `
    select k.key_data, r.transmission_risk, k.rolling_start, k.rolling_period, r.report_type, r.days_since_onset
    from ${revisions(stream, span)}
    where r.available >= ${span.start} and r.available < ${span.end} and r.seq >= first.read_seq and ${WAS_PUBLISHED}`
}

/** What COPY gives out of a key: few columns, since each costs more than its bytes. */
const PACKED = `key_data, rolling_start,
  (rolling_period::integer << 24) | (transmission_risk::integer << 16) | (report_type::integer << 8) | (days_since_onset + 128)`

/** The same, sorted by the keys' bytes, packed as {@link PACKED} says. */
export function copySorted(select: string): string {
  return `copy (select ${PACKED} from (${select}) as chosen order by key_data) to stdout (format binary)`
}

/**
 * Revisions `r` with their keys `k`, the reports `p` and `q` that brought the two, and the release `first` in whose span the key
 * became available, with what the stream had `taken` then; null before the stream's start, and while the key waits for its release.
 */
function revisions(stream: Stream, { number, readSeq }: ReleaseSpan): string {
  return `key_revision r join diagnosis_key k on k.key_data = r.key_data and r.seq < ${readSeq}
    join report p on p.seq = k.seq
    join report q on q.seq = r.seq
    left join (release first join stream_filter taken using (configuration_seq))
      on first.stream = ${textLiteral(stream.name)} and first.number < ${number} and first.window_end > k.available
      and first.keys_from <= k.available and first.keys_from > k.available - ${LONGEST_SPAN}`
}

/** A release brings the keys of less: a window of a day, after a day of windows that were held. Few releases have to be looked at, then. */
const LONGEST_SPAN = 2 * 86_400 + 1

/** Whether `first` brought the key: in the state of its upload, or in that of a revision which was in the log by then. */
const WAS_PUBLISHED = `coalesce(
  stream_takes(p.regions, p.traveler, taken.input_regions, taken.excluded_regions, taken.travelers)
  and not (r.seq < first.read_seq and r.report_type = ${REVOKED})
  and (cardinality(taken.report_types) = 0
    or case when r.seq < first.read_seq then r.report_type else k.report_type end = any (taken.report_types)), false)`
