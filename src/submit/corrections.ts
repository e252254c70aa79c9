// Submit: what became of reports after they were accepted: withdrawn, reinstated, amended; promises marks beside them that follow from events alone, and no row of a report or a key that is written again.

import { bigintArray, byteaArray, textArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import { LOG_RECOVERED } from '../log/recovered-event.ts'
import type { NewEvent, Part, StoredEvent } from '../log/record.ts'
import { insertMarks, packSeqs, unpackSeqs, type MarkedPairs } from './marks.ts'
import { reportContent } from './report.ts'
import { EVERY_REPORT, isReport } from './report-types.ts'
import { undoCorrections } from './undone-corrections.ts'

export { packSeqs, unpackKeys, unpackSeqs } from './marks.ts'

export const WITHDRAWAL = 'withdrawal'
export const REINSTATEMENT = 'reinstatement'
export const AMENDMENT = 'amendment'

/** Whether a withdrawal holds what was accepted before it, what comes after it, or both. */
export type WithdrawalScope = 'retroactive' | 'from-now-on' | 'both'

/** Which reports that come later are withdrawn at once. What is left out does not matter. */
export interface StandingRule {
  /** healthAuthorityIDs. */
  readonly apps?: readonly string[]
  readonly source?: string
  readonly regions?: readonly string[]
  /** 16 bytes each. */
  readonly issuerHandles?: readonly Uint8Array[]
  /** Only what is accepted from then on and before then, unix seconds. */
  readonly acceptedFrom?: number
  readonly acceptedBefore?: number
}

/** What a correction's event tells of itself for a year: who, why, how much; never which. */
export interface CorrectionNote {
  /** 16 bytes: whoever sends the same one again gets the first one's answer. */
  readonly id: Uint8Array
  /** `command`, an operator's name, or `order of` a realm's issuer. */
  readonly by: string
  /** Why, in words; nothing about a person. */
  readonly reason: string
  readonly scope: WithdrawalScope | null
  /** How many it concerns, and how many keys of them were published before. */
  readonly reports: number
  readonly keys: number
  readonly published: number
  /** How many padding devices it takes along. */
  readonly padding: number
}

/** What a withdrawal marks. */
export interface WithdrawalContent {
  readonly id: Uint8Array
  /** The conditions, as they were given. */
  readonly selection: Readonly<Record<string, unknown>>
  /** Numbers of events of reports, ascending, 8 bytes each, big-endian. */
  readonly reports: Uint8Array
  /** The same of padding that goes with them. */
  readonly padding: Uint8Array
  /** Single keys, 16 bytes each: those alone are withdrawn, and not their reports. */
  readonly keys: Uint8Array
}

/** What a reinstatement ends, pair by pair: of which report, or key, which withdrawal. */
export interface ReinstatementContent extends MarkedPairs {
  readonly id: Uint8Array
  readonly selection: Readonly<Record<string, unknown>>
}

/** What reports say instead of what they said. */
export interface AmendmentContent {
  readonly id: Uint8Array
  readonly selection: Readonly<Record<string, unknown>>
  /** Numbers of events, 8 bytes each. */
  readonly reports: Uint8Array
  /** Null: as it was. */
  readonly reportType: Exclude<ReportType, 'negative'> | null
  /** The day on which symptoms began, days since the epoch; null: as it was. */
  readonly onsetDay: number | null
}

/** The event of a withdrawal. @param standing which later reports it holds; undefined for none */
export function withdrawalEvent(
  content: WithdrawalContent,
  note: CorrectionNote,
  standing?: StandingRule,
): NewEvent {
  const rule: Part[] =
    standing === undefined
      ? []
      : [{ retention: 'configuration', content: { id: content.id, ...standing } }]
  return { type: WITHDRAWAL, parts: [...partsOf(content, note), ...rule] }
}

/** The event of a reinstatement. @param ended the numbers of withdrawals that hold nothing that comes later any more */
export function reinstatementEvent(
  content: ReinstatementContent,
  note: CorrectionNote,
  ended: readonly number[],
): NewEvent {
  const end: Part[] = ended.length === 0 ? [] : [{ retention: 'configuration', content: { ended } }]
  return { type: REINSTATEMENT, parts: [...partsOf(content, note), ...end] }
}

/** The event of an amendment. */
export function amendmentEvent(content: AmendmentContent, note: CorrectionNote): NewEvent {
  return { type: AMENDMENT, parts: partsOf(content, note) }
}

/** It leaves with the newest report that it can name. */
function partsOf(content: object, note: CorrectionNote): Part[] {
  return [
    { retention: 'report', content },
    { retention: 'audit', content: note },
  ]
}

/** Writes what became of reports. Parts that were erased mark nothing. */
export const correctionProjection: Projection = {
  types: [...EVERY_REPORT, WITHDRAWAL, REINSTATEMENT, AMENDMENT, LOG_RECOVERED],
  tables: ['report_mark', 'key_mark', 'report_amendment', 'standing_withdrawal', 'correction'],
  async apply(tx, events) {
    for (let from = 0; from < events.length;) {
      const first = events[from] as StoredEvent
      // What stands is different behind each correction; reports in between are taken together.
      const until = isReport(first.type) ? endOfReports(events, from) : from + 1
      if (isReport(first.type)) await markNewReports(tx, events.slice(from, until))
      else if (first.type === LOG_RECOVERED) await undoCorrections(tx, first)
      else await applyCorrection(tx, first)
      from = until
    }
  },
}

function endOfReports(events: readonly StoredEvent[], from: number): number {
  const end = events.findIndex((event, index) => index > from && !isReport(event.type))
  return end === -1 ? events.length : end
}

/** Withdraws those new reports that a standing withdrawal holds: nobody who sent one can tell. */
async function markNewReports(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const reports = events.filter(({ parts }) => parts[0]?.content !== undefined)
  if (reports.length === 0) return
  const contents = reports.map(reportContent)
  await tx.query({
    name: 'mark-new-reports',
    text: `insert into report_mark (report, seq, withdrawal, available, change)
           select t.seq, t.seq, s.seq, t.grain, 1
           from standing_withdrawal s cross join unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[])
             as t(seq, grain, app, source, regions, issuer_handle)
           where (s.apps is null or t.app = any(s.apps)) and (s.source is null or s.source = t.source)
             and (s.regions is null or s.regions && string_to_array(t.regions, ','))
             and (s.issuer_handles is null or t.issuer_handle = any(s.issuer_handles))
             and (s.accepted_from is null or t.grain >= s.accepted_from)
             and (s.accepted_before is null or t.grain < s.accepted_before)`,
    values: [
      bigintArray(reports.map(({ seq }) => seq)),
      bigintArray(reports.map(({ grain }) => grain)),
      textArray(contents.map(({ app }) => app)),
      textArray(contents.map(({ source }) => source)),
      textArray(contents.map(({ regions }) => regions.join(','))),
      byteaArray(contents.map(({ issuerHandle }) => issuerHandle)),
    ],
  })
}

async function applyCorrection(tx: Transaction, event: StoredEvent): Promise<void> {
  for (const { retention, content } of event.parts) {
    if (content === undefined) continue
    if (retention === 'audit') await insertNote(tx, event, content as CorrectionNote)
    else if (retention === 'configuration') await changeStanding(tx, event, content)
    else if (event.type === WITHDRAWAL) await withdraw(tx, event, content as WithdrawalContent)
    else if (event.type === REINSTATEMENT)
      await insertMarks(tx, event, -1, content as ReinstatementContent)
    else await amend(tx, event, content as AmendmentContent)
  }
}

async function withdraw(
  tx: Transaction,
  event: StoredEvent,
  { reports, padding, keys }: WithdrawalContent,
): Promise<void> {
  const itself = (length: number) => packSeqs(Array.from({ length }, () => event.seq))
  await insertMarks(tx, event, 1, {
    reports: Buffer.concat([reports, padding]),
    reportWithdrawals: itself((reports.length + padding.length) / SEQ_BYTES),
    keys,
    keyWithdrawals: itself(keys.length / KEY_BYTES),
  })
}

const SEQ_BYTES = 8
const KEY_BYTES = 16

async function amend(
  tx: Transaction,
  { seq, grain }: StoredEvent,
  { reports, reportType, onsetDay }: AmendmentContent,
): Promise<void> {
  const type = reportType === null ? null : EXPORT_REPORT_TYPES[reportType]
  await tx.query(
    sql`insert into report_amendment (report, seq, available, report_type, onset_day)
        select report, ${seq}::bigint, ${grain}::bigint, ${type}::smallint, ${onsetDay}::integer
        from unnest(${bigintArray(unpackSeqs(reports))}::bigint[]) as report`,
  )
}

async function insertNote(
  tx: Transaction,
  { seq, type, grain }: StoredEvent,
  note: CorrectionNote,
): Promise<void> {
  await tx.query(
    sql`insert into correction (seq, id, kind, made_by, reason, scope, reports, keys, published, padding, grain)
        values (${seq}::bigint, ${note.id}, ${type}, ${note.by}, ${note.reason}, ${note.scope}, ${note.reports}, ${note.keys}, ${note.published}, ${note.padding}, ${grain}::bigint)`,
  )
}

async function changeStanding(
  tx: Transaction,
  { seq, type, grain }: StoredEvent,
  content: unknown,
): Promise<void> {
  // Every report is compared with what stands: what holds nothing that comes any more must go.
  await tx.query(sql`delete from standing_withdrawal where accepted_before <= ${grain}::bigint`)
  if (type === REINSTATEMENT) {
    const { ended } = content as { readonly ended: readonly number[] }
    await tx.query(
      sql`delete from standing_withdrawal where seq = any(${bigintArray(ended)}::bigint[])`,
    )
    return
  }
  const rule = content as StandingRule & { readonly id: Uint8Array }
  await tx.query(
    sql`insert into standing_withdrawal (seq, id, apps, source, regions, issuer_handles, accepted_from, accepted_before)
        values (${seq}::bigint, ${rule.id}, ${rule.apps ?? null}::text[], ${rule.source ?? null}, ${rule.regions ?? null}::text[],
          ${rule.issuerHandles === undefined ? null : byteaArray(rule.issuerHandles)}::bytea[], ${rule.acceptedFrom ?? null}::bigint,
          ${rule.acceptedBefore ?? null}::bigint)`,
  )
}
