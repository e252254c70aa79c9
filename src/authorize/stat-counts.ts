// Authorize: what is counted of codes and tokens, by day; promises that the table of counts follows from the log alone, and that a part holds counts of one day.

import { bigintArray, integerArray, textArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, Part, StoredEvent } from '../log/record.ts'

/** The phone's system, as far as its request tells. */
export type OperatingSystem = 'ios' | 'android' | 'unknown_os'

/** The systems. */
export const OPERATING_SYSTEMS: readonly OperatingSystem[] = ['unknown_os', 'ios', 'android']

/** What went wrong at a phone: a code, a token, the nonce of a self-report. One failure is of one kind. */
export type FailureKind = 'codes_invalid' | 'tokens_invalid' | 'user_reports_invalid_nonce'

/**
 * What is counted. `claim_age_seconds` is a sum of seconds and `claim_age_0` to `claim_age_10` are the buckets of
 * {@link CLAIM_AGE_LIMITS}; `quota_extra` is how many codes were allowed beyond the quota; all others are counts of what they
 * name. Self-reports are among the codes and tokens as well.
 */
export type StatKind =
  | FailureKind
  | `${'codes_invalid' | 'user_reports_invalid_nonce'}_${OperatingSystem}`
  | 'codes_issued'
  | 'codes_claimed'
  | 'tokens_claimed'
  | 'user_reports_issued'
  | 'user_reports_claimed'
  | 'user_report_tokens_claimed'
  | 'claim_age_seconds'
  | `claim_age_${number}`
  | 'sms_errors'
  | 'quota_extra'
  | 'paper_codes_issued'
  | 'user_reports_repeated'

/** Of whom: of the realm, an API key (its prefix), a member of staff (the name), an external issuer, a gateway's error code. */
export type StatSubjectKind = 'realm' | 'key' | 'staff' | 'issuer' | 'sms'

/** So many of something on a day. */
export interface StatCount {
  readonly realm: string
  /** UTC: days since the epoch. */
  readonly day: number
  readonly kind: StatKind
  readonly subjectKind: StatSubjectKind
  /** Empty for the realm. */
  readonly subject: string
  /** A whole number. */
  readonly count: number
}

/** Whose, and on which day. */
export type StatPlace = Pick<StatCount, 'realm' | 'day'>

/**
 * How old a code was when it was claimed, at the most, in seconds: as existing readers know the buckets. The last one holds
 * older ones as well.
 */
export const CLAIM_AGE_LIMITS: readonly number[] = [
  60,
  300,
  900,
  1_800,
  3_600,
  2 * 3_600,
  3 * 3_600,
  6 * 3_600,
  12 * 3_600,
  24 * 3_600,
  14 * 86_400,
]

/** Codes were issued: by an API key or a member of staff, and for an external issuer when there is one. */
export function countIssued(
  place: StatPlace,
  by: { readonly key: string } | { readonly staff: string } | null,
  externalIssuer: string,
  isUserReport: boolean,
  count: number,
): StatCount[] {
  const kind = 'codes_issued'
  return [
    ...ofRealm(place, isUserReport ? [kind, 'user_reports_issued'] : [kind], count),
    ...(by === null
      ? []
      : 'key' in by
        ? [{ ...place, kind, subjectKind: 'key', subject: by.key, count } as const]
        : [{ ...place, kind, subjectKind: 'staff', subject: by.staff, count } as const]),
    ...(externalIssuer === ''
      ? []
      : [{ ...place, kind, subjectKind: 'issuer', subject: externalIssuer, count } as const]),
  ]
}

/**
 * Paper codes were printed: among all that were issued, but nobody's own, and apart, since no quota is meant for them.
 */
export function countPrinted(place: StatPlace, count: number): StatCount[] {
  return ofRealm(place, ['codes_issued', 'paper_codes_issued'], count)
}

/** Somebody reported themselves again, and was sent nothing. */
export function countRepeatedReport(place: StatPlace): StatCount[] {
  return ofRealm(place, ['user_reports_repeated'], 1)
}

/** A code was claimed for the first time. @param ageSeconds since it was issued */
export function countClaimed(
  place: StatPlace,
  ageSeconds: number,
  isUserReport: boolean,
): StatCount[] {
  const age = Math.max(0, Math.round(ageSeconds))
  const found = CLAIM_AGE_LIMITS.findIndex((limit) => age <= limit)
  const bucket = found < 0 ? CLAIM_AGE_LIMITS.length - 1 : found
  const kinds: StatKind[] = ['codes_claimed', `claim_age_${bucket}`]
  return [
    ...ofRealm(place, isUserReport ? [...kinds, 'user_reports_claimed'] : kinds, 1),
    ...ofRealm(place, ['claim_age_seconds'], age),
  ]
}

/** A token was swapped for its first certificate. */
export function countCertified(place: StatPlace, isUserReport: boolean): StatCount[] {
  const kind = 'tokens_claimed'
  return ofRealm(place, isUserReport ? [kind, 'user_report_tokens_claimed'] : [kind], 1)
}

/** A phone's request was refused. */
export function countFailure(
  place: StatPlace,
  kind: FailureKind,
  system: OperatingSystem,
): StatCount[] {
  return ofRealm(place, kind === 'tokens_invalid' ? [kind] : [kind, `${kind}_${system}`], 1)
}

/** A text was not taken by the gateway. @param code the gateway's, never its sentence: that may hold the number */
export function countTextError(place: StatPlace, code: string): StatCount[] {
  return [{ ...place, kind: 'sms_errors', subjectKind: 'sms', subject: code, count: 1 }]
}

function ofRealm(place: StatPlace, kinds: readonly StatKind[], count: number): StatCount[] {
  return kinds.map((kind) => ({ ...place, kind, subjectKind: 'realm', subject: '', count }))
}

/** Which system a phone's request names in `User-Agent`; what it sends there is kept nowhere. */
export function systemOf(userAgent: string): OperatingSystem {
  const text = userAgent.toLowerCase()
  if (/darwin|iphone|ipad/.test(text)) return 'ios'
  // Dalvik is Android's own client, okhttp the one that most apps there bring.
  return /dalvik|okhttp|android/.test(text) ? 'android' : 'unknown_os'
}

/**
 * The part of an event that says what to count. Erasing takes all parts of a retention that an event has, so all counts of an
 * event are of one day: then they go when that day's time is over, and no other day's with them.
 */
export function statPart(counts: readonly StatCount[]): Part {
  if (new Set(counts.map((each) => each.day)).size !== 1)
    throw new Error('the counts of an event must be of one day')
  return { retention: 'statistics', content: { counts: mergeCounts(counts) } }
}

/** Events for what has none of its own: one for each day that there are counts of. */
export function statEvents(counts: readonly StatCount[]): NewEvent[] {
  const days = [...new Set(counts.map((each) => each.day))]
  return days.map((day) => ({
    type: COUNTED,
    parts: [statPart(counts.filter((each) => each.day === day))],
  }))
}

const COUNTED = 'stats.counted'

/** The day of a part of counts; undefined when it is erased, or none. */
export function statDay({ retention, content }: Part): number | undefined {
  if (retention !== 'statistics' || content === undefined) return undefined
  return (content as { readonly counts: readonly StatCount[] }).counts[0]?.day
}

/** Adds up what is of the same realm, day, kind and subject. */
export function mergeCounts(counts: readonly StatCount[]): StatCount[] {
  const merged = new Map<string, StatCount>()
  addCounts(merged, counts)
  return [...merged.values()]
}

/** The same into what was merged before. */
export function addCounts(merged: Map<string, StatCount>, counts: readonly StatCount[]): void {
  for (const each of counts) {
    const name = JSON.stringify([each.realm, each.day, each.kind, each.subjectKind, each.subject])
    merged.set(name, { ...each, count: each.count + (merged.get(name)?.count ?? 0) })
  }
}

/** The types of event that carry counts. */
export const STAT_EVENTS: readonly string[] = [
  'code.issued',
  'code.claimed',
  'code.certified',
  'code.failed',
  'batch.codes',
  COUNTED,
]

/**
 * Writes the table of counts. A part that was erased adds nothing: whoever erases all parts of a day deletes that day's rows, and
 * since no event holds two days, what a rebuild gives is what is left.
 */
export const statProjection: Projection = {
  types: STAT_EVENTS,
  tables: ['authority_stat'],
  apply: (tx, events) => writeCounts(tx, events.flatMap(countsIn)),
}

/** Adds counts to the table, or takes away those below 0. Where nothing is left there is no row: whatever was added and taken away. */
export async function writeCounts(tx: Transaction, given: readonly StatCount[]): Promise<void> {
  // One statement must not write a row twice.
  const counts = mergeCounts(given).filter(({ count }) => count !== 0)
  if (counts.length === 0) return
  const { rows } = await tx.query<{ count: number }>({
    name: 'add-authority-stats',
    text: `insert into authority_stat (realm, day, kind, subject_kind, subject, count)
           select * from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[])
           on conflict (realm, day, kind, subject_kind, subject)
           do update set count = authority_stat.count + excluded.count returning count`,
    values: [
      textArray(counts.map((each) => each.realm)),
      integerArray(counts.map((each) => each.day)),
      textArray(counts.map((each) => each.kind)),
      textArray(counts.map((each) => each.subjectKind)),
      textArray(counts.map((each) => each.subject)),
      bigintArray(counts.map((each) => each.count)),
    ],
  })
  if (rows.every(({ count }) => count !== 0)) return
  const days = integerArray(counts.map((each) => each.day))
  await tx.query(sql`delete from authority_stat where count = 0 and day = any(${days}::integer[])`)
}

/** What an event counts, as far as it was not erased. */
export function countsIn({ parts }: StoredEvent): readonly StatCount[] {
  return parts.flatMap(({ retention, content }) =>
    retention === 'statistics' && content !== undefined
      ? (content as { readonly counts: readonly StatCount[] }).counts
      : [],
  )
}
