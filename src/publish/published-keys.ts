// Publish: how many keys went out where, for whoever is about to correct them; promises to count a key in the release that first brought it, by the rule that releases are made by.

import { bigintArray, byteaArray, textArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { PublisherContext } from './publisher-context.ts'
import { textLiteral } from './stream-filter.ts'

/** Keys that a release of a stream published for the first time. */
export interface PublishedCount {
  readonly stream: string
  readonly release: number
  readonly keys: number
  /** Whether they are identifiers of another kind than diagnosis keys. */
  readonly others?: true
}

/** How much a correction concerns, and what of it is known outside. */
export interface ConcernedCount {
  /** Where its diagnosis keys went out. */
  readonly published: readonly PublishedCount[]
  /** Keys that the reports brought or revised, each once. */
  readonly keys: number
  /** Identifiers of other kinds that they brought. */
  readonly others: number
  /** How many of the keys were changed by reports that are not concerned: these say something that nobody doubts. */
  readonly revisedByOthers: number
}

/**
 * Counts keys, and where they were published for the first time. The keys are read once: among millions each is on a page of its own.
 *
 * Most keys never change: those are counted together, by the release that their time belongs to. The others are looked at one by one.
 *
 * @param of numbers of events of reports, whose keys are meant; and single keys, 16 bytes each
 */
export async function countConcerned(
  db: Queryable,
  { reports, keys }: { readonly reports: readonly number[]; readonly keys: readonly Uint8Array[] },
): Promise<ConcernedCount> {
  const { rows } = await db.query<{ stream: string | null; release: number; keys: number }>(
    sql`with chosen as materialized (
          select key_data, seq, available, report_type, true as is_brought from diagnosis_key where seq = any(${bigintArray(reports)}::bigint[])
          union all select key_data, seq, available, report_type, false from diagnosis_key
            where key_data = any(${byteaArray(keys)}::bytea[]) and seq <> all(${bigintArray(reports)}::bigint[])
        ), judged as materialized (
          select c.*, r.seq as revised_by, r.key_data is not null or c.key_data in (select key_data from key_mark)
            or c.seq in (select report from report_mark union select report from report_amendment) as is_changed
          from chosen c left join key_revision r using (key_data)
        ), by_report as (
          select seq, available, report_type, count(*) as keys from judged where not is_changed group by 1, 2, 3
        ), usual as (
          select b.available, b.report_type, p.regions, p.traveler, sum(b.keys) as keys
          from by_report b cross join lateral (select regions, traveler from report where seq = b.seq offset 0) p group by 1, 2, 3, 4
        ), counted as (
          select f.stream, f.number as release, u.keys
          from usual u join release f on f.keys_from <= u.available and f.window_end > u.available
            join stream_filter taken using (configuration_seq)
          where stream_takes(u.regions, u.traveler, taken.input_regions, taken.excluded_regions, taken.travelers)
            and (cardinality(taken.report_types) = 0 or u.report_type = any (taken.report_types))
          union all
          select s.name, first.number, 1
          from judged j cross join stream s cross join lateral first_release(s.name, ${AFTER_ALL}, j.key_data) first
          where j.is_changed
        )
        (select stream, release, sum(keys)::bigint as keys from counted group by 1, 2 order by 1, 2)
        union all select null, ${KEYS}::integer, count(*) from judged where is_brought
        union all select null, ${KEYS}::integer, count(*) from key_revision v where v.seq = any(${bigintArray(reports)}::bigint[])
          and not exists (select from diagnosis_key k where k.key_data = v.key_data and k.seq = any(${bigintArray(reports)}::bigint[]))
        union all select null, ${OTHERS}::integer, coalesce(sum(identifiers), 0)::bigint from report
          where seq = any(${bigintArray(reports)}::bigint[]) and identifiers is not null
        union all select null, ${REVISED}::integer, count(*) from judged where revised_by is not null and revised_by <> all(${bigintArray(reports)}::bigint[])`,
  )
  const sumOf = (what: number) =>
    rows.reduce(
      (sum, row) => (row.stream === null && row.release === what ? sum + row.keys : sum),
      0,
    )
  return {
    published: rows.filter((row): row is PublishedCount => row.stream !== null),
    keys: sumOf(KEYS),
    others: sumOf(OTHERS),
    revisedByOthers: sumOf(REVISED),
  }
}

/** What rows without a stream count, in place of a release. */
const KEYS = 0
const REVISED = 1
const OTHERS = 2

/** Where diagnosis keys were published for the first time; see {@link countConcerned}. */
export async function countPublished(
  ...given: Parameters<typeof countConcerned>
): Promise<readonly PublishedCount[]> {
  return (await countConcerned(...given)).published
}

/**
 * Where identifiers of other kinds were published for the first time, report by report: what a kind calls its reports begins with its
 * own name, and its encoder says which of them a stream publishes.
 */
export async function countOthers(
  db: Queryable,
  { encoders }: Pick<PublisherContext, 'encoders'>,
  reports: readonly number[],
): Promise<PublishedCount[]> {
  const choices = [...encoders].flatMap(([kind, { publishes }]) =>
    publishes === undefined ? [] : [`and (s.kind <> ${textLiteral(kind)} or (${publishes}))`],
  )
  const { text, values } =
    sql`select s.name as stream, f.number as release, sum(p.identifiers)::bigint as keys, true as others
        from report p join event e on e.seq = p.seq join stream s on e.type = s.kind || '.report'
          join release f on f.stream = s.name and f.keys_from <= p.grain and f.window_end > p.grain and f.read_seq > p.seq
        where p.seq = any(${bigintArray(reports)}::bigint[]) and p.identifiers is not null
          and stream_takes(p.regions, p.traveler, s.input_regions, s.excluded_regions, s.travelers)
          and not report_is_held(p.seq, f.read_seq, 0)`
  const { rows } = await db.query<PublishedCount>({
    text: `${text} ${choices.join(' ')} group by 1, 2 order by 1, 2`,
    values,
  })
  return rows
}

/** Above every number of a release. */
const AFTER_ALL = 2_147_483_647

/** Numbers of the events of padding devices that any of some streams published and that are not withdrawn, ascending. */
export async function publishedPadding(
  db: Queryable,
  streams: readonly string[],
): Promise<number[]> {
  const { rows } = await db.query<{ seq: number }>(
    sql`select distinct p.seq
        from report p join diagnosis_key k on k.seq = p.seq
          join release f on f.stream = any(${textArray(streams)}::text[])
            and f.keys_from <= k.available and f.window_end > k.available
          join stream_filter taken using (configuration_seq)
        where p.source is null
          and stream_takes(p.regions, p.traveler, taken.input_regions, taken.excluded_regions, taken.travelers)
          and (cardinality(taken.report_types) = 0 or k.report_type = any (taken.report_types))
          and p.seq not in (select report from report_mark group by report having sum(change) > 0)
        order by p.seq`,
  )
  return rows.map(({ seq }) => seq)
}
