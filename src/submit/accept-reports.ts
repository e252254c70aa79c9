// Submit: makes a group of judged submissions durable; promises one set of keys for a request however often and however many at once it comes.

import { isUniqueViolation, type Database, type Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import { appendEvents, type LogWriter } from '../log/append-event.ts'
import { decodeEvent } from '../log/record.ts'
import {
  packKeys,
  reportContent,
  reportEvent,
  type ReportContent,
  type ReportStatistics,
} from './report.ts'
import type { RevisableKey } from './revision-token.ts'
import { OUTCOMES, type Outcome, type ValidKey } from './validate-keys.ts'

/** A submission after its rules were judged, before the database was asked. */
export interface Candidate {
  readonly fingerprint: Uint8Array
  /** Either what to store, or why it is refused unless it repeats an accepted one. */
  readonly judged: JudgedReport | TocsinError
}

/** What to store of a submission. */
export interface JudgedReport {
  readonly content: Omit<ReportContent, 'keys' | 'outcomes' | 'fingerprint'>
  readonly valid: readonly ValidKey[]
  readonly outcomes: readonly Outcome[]
  readonly platform: ReportStatistics['platform']
  /** The keys that a revision token covers; undefined when none was sent, empty when it was none of ours. */
  readonly revisable: readonly RevisableKey[] | undefined
}

/** What became of a submission: the report that was accepted, now or the first time, or the refusal. */
export type Acceptance = ReportContent | TocsinError

/** Commits a group. @throws TocsinError `unavailable` */
export type AcceptReports = (group: readonly Candidate[]) => Promise<readonly Acceptance[]>

/**
 * Accepts groups of submissions, each group in one transaction: look up, lock the head, append.
 *
 * Another process may store the same request or the same key between look-up and append. Then a unique index refuses,
 * and the group is done again behind the head's lock, where nobody can come between.
 */
export function createAcceptReports(
  db: Database,
  writer: LogWriter,
  now: () => Date,
): AcceptReports {
  return async (group) => {
    try {
      return await db.transaction((tx) => acceptGroup(tx, writer, group, now()))
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      return await db.transaction(async (tx) => {
        await tx.query({
          name: 'lock-head-first',
          text: 'select 1 from log_head for update',
          values: [],
        })
        return acceptGroup(tx, writer, group, now())
      })
    }
  }
}

async function acceptGroup(
  tx: Transaction,
  writer: LogWriter,
  group: readonly Candidate[],
  now: Date,
): Promise<Acceptance[]> {
  const [repeated, known] = await Promise.all([findRepeated(tx, group), findKnownKeys(tx, group)])
  const accepted: { content: ReportContent; platform: ReportStatistics['platform'] }[] = []
  const acceptances = group.map((candidate): Acceptance => {
    const first = repeated.get(nameOf(candidate.fingerprint))
    if (first !== undefined) return first
    if (candidate.judged instanceof TocsinError) return candidate.judged
    const content = settleKeys(candidate, candidate.judged, known)
    if (content instanceof TocsinError) return content
    // The same request may come twice in one group, and so may a key.
    repeated.set(nameOf(candidate.fingerprint), content)
    accepted.push({ content, platform: candidate.judged.platform })
    return content
  })
  const events = accepted.map(({ content, platform }) => reportEvent(content, platform))
  await appendEvents(tx, writer, events, now)
  return acceptances
}

/** A stored key, as far as a second upload is judged by it. */
interface KnownKey {
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly reportType: number
}

/** Decides for each valid key whether it is new; refuses the whole report when one may not be touched. */
function settleKeys(
  candidate: Candidate,
  judged: JudgedReport,
  known: Map<string, KnownKey>,
): ReportContent | TocsinError {
  const outcomes = Uint8Array.from(judged.outcomes)
  const reportType = EXPORT_REPORT_TYPES[judged.content.reportType]
  // A negative result brings nothing to warn of; its keys only go into the token.
  const storable = judged.content.reportType !== 'negative'
  const fresh: ValidKey[] = []
  for (const key of judged.valid) {
    const stored = known.get(nameOf(key.keyData))
    if (stored === undefined && storable) fresh.push(key)
    else outcomes[key.position] = OUTCOMES.unchanged
    const problem =
      stored === undefined ? undefined : refuseChange(key, stored, reportType, judged.revisable)
    if (problem !== undefined) return problem
  }
  for (const key of fresh) known.set(nameOf(key.keyData), { ...key, reportType })
  const keys = packKeys(judged.valid, (key) => fresh.includes(key))
  return { ...judged.content, fingerprint: candidate.fingerprint, keys, outcomes }
}

function refuseChange(
  key: ValidKey,
  stored: KnownKey,
  reportType: number,
  revisable: readonly RevisableKey[] | undefined,
): TocsinError | undefined {
  if (revisable === undefined) return new TocsinError('missing_revision_token')
  const covered = revisable.some(
    (each) =>
      Buffer.compare(each.keyData, key.keyData) === 0 &&
      each.rollingStart === key.rollingStart &&
      each.rollingPeriod === key.rollingPeriod,
  )
  const same =
    stored.rollingStart === key.rollingStart && stored.rollingPeriod === key.rollingPeriod
  if (!covered || !same) return new TocsinError('invalid_revision_token')
  return stored.reportType === reportType
    ? undefined
    : new TocsinError('invalid_report_type_transition')
}

async function findRepeated(
  tx: Transaction,
  group: readonly Candidate[],
): Promise<Map<string, ReportContent>> {
  const { rows } = await tx.query<{ record: Uint8Array }>({
    name: 'find-repeated',
    text: `select record from report join event using (seq) where fingerprint = any($1::bytea[])`,
    values: [group.map((candidate) => candidate.fingerprint)],
  })
  const contents = rows.map((row) => reportContent(decodeEvent(row.record)))
  return new Map(contents.map((content) => [nameOf(content.fingerprint), content]))
}

async function findKnownKeys(
  tx: Transaction,
  group: readonly Candidate[],
): Promise<Map<string, KnownKey>> {
  const keys = group.flatMap(({ judged }) =>
    judged instanceof TocsinError ? [] : judged.valid.map((key) => key.keyData),
  )
  if (keys.length === 0) return new Map()
  const { rows } = await tx.query<{
    key_data: Uint8Array
    rolling_start: number
    rolling_period: number
    report_type: number
  }>({
    name: 'find-known-keys',
    text: `select key_data, rolling_start, rolling_period, report_type from diagnosis_key where key_data = any($1::bytea[])`,
    values: [keys],
  })
  return new Map(
    rows.map((row) => [
      nameOf(row.key_data),
      {
        rollingStart: row.rolling_start,
        rollingPeriod: row.rolling_period,
        reportType: row.report_type,
      },
    ]),
  )
}

/** Bytes as something that a Map compares by value. */
function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
