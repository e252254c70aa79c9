// Submit: makes a group of judged submissions durable; promises one set of keys for a request however often and however many at once it comes.

import type { Database, Queryable, Transaction } from '../db/database.ts'
import { allWritten } from '../db/transactions.ts'
import { TocsinError } from '../errors.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import {
  HeadMoved,
  lockHead,
  takeHead,
  truncateToGrain,
  writeEvents,
  type LogWriter,
} from '../log/append-event.ts'
import { followHead, type FollowedHead } from '../log/follow-head.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { packKeys } from './key-columns.ts'
import { AlreadyStored, reportEvent, type ReportContent, type ReportStatistics } from './report.ts'
import type { OpenedToken } from './revision-token.ts'
import { addReport, findKnownKeys, findRepeated } from './stored-reports.ts'
import { outcomeOf, settleKeys, type KnownKey } from './settle-keys.ts'
import { describeWarnings, nameOfBytes, type Outcome, type ValidKey } from './validate-keys.ts'

type Platform = ReportStatistics['platform']

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
  readonly platform: Platform
  readonly revisable: OpenedToken
  readonly partialRevisions: boolean
}

/** A report that was accepted, now or the first time that it came. */
export interface AcceptedReport {
  readonly content: ReportContent
  /** When: unix seconds, truncated to the time grain. */
  readonly grain: number
}

/** What became of a submission. */
export type Acceptance = AcceptedReport | TocsinError

/** Commits a group. @throws TocsinError `unavailable` */
export type AcceptReports = (group: readonly Candidate[]) => Promise<readonly Acceptance[]>

/**
 * Accepts groups of submissions, each group in one transaction.
 *
 * Mostly nobody else appends, and most submissions are new. So a group is sent at once behind the head as this process knows it,
 * numbers included, and the next one behind that before it is answered; what is likely to be stored already is looked up
 * before, without a lock. The database tells whether all was as thought: numbers, requests, keys and revisions each go in only
 * once. When another process moved the head, the group is sent again behind the head's lock. When something was there
 * already, the whole group is done again behind that lock with everything looked up, where nobody can come between.
 */
export function createAcceptReports(
  db: Database,
  writer: LogWriter,
  now: () => Date,
): AcceptReports {
  const followed = followHead()
  const acceptBehindLock = (group: readonly Candidate[]) =>
    db.transaction((tx) => acceptLocked(tx, writer, group, isLikelyKnown, followed, now()))
  const acceptAlone = (group: readonly Candidate[]) =>
    db.transaction(async (tx) => {
      await tx.query({
        name: 'lock-head-first',
        text: 'select 1 from log_head for update',
        values: [],
      })
      return acceptLocked(tx, writer, group, () => true, followed, now())
    })
  const acceptAtOnce = async (group: readonly Candidate[]) => {
    const doubtful = group.filter((candidate) => !isLikelyNew(candidate))
    const [repeated, known] =
      doubtful.length === 0 ? NOTHING_STORED : await lookUp(db, doubtful, isLikelyKnown)
    const { events, verdicts } = decide(group, repeated, known)
    if (events.length === 0) return verdicts([])
    return db.transactionAtOnce((tx) => {
      const head = followed.next(events.length, truncateToGrain(now(), writer.timeGrain))
      const taken = takeHead(tx, head)
      const { stored, written } = writeEvents(tx, writer, head, events)
      tx.commitWith(allWritten([taken, written]))
      return verdicts(stored)
    })
  }

  return async (group) => {
    try {
      if (!followed.isKnown()) return await acceptBehindLock(group)
      return await acceptAtOnce(group).catch((error: unknown) => {
        followed.forget()
        if (error instanceof HeadMoved) return acceptBehindLock(group)
        throw error
      })
    } catch (error) {
      if (error instanceof AlreadyStored) return await acceptAlone(group)
      throw error
    }
  }
}

/** A token says that keys were uploaded before, and a negative result stores none that could collide. */
function isLikelyKnown({ revisable, content }: JudgedReport): boolean {
  return revisable !== undefined || content.reportType === 'negative'
}

/** Whether what becomes of a submission depends on nothing that is stored, unless it comes again. */
function isLikelyNew({ judged }: Candidate): boolean {
  return !(judged instanceof TocsinError) && !isLikelyKnown(judged)
}

/** Accepts a group behind the head's lock, which is taken with the look-ups in one round trip. */
async function acceptLocked(
  tx: Transaction,
  writer: LogWriter,
  group: readonly Candidate[],
  isLookedUp: (judged: JudgedReport) => boolean,
  followed: FollowedHead,
  now: Date,
): Promise<Acceptance[]> {
  const storable = group.filter(({ judged }) => !(judged instanceof TocsinError)).length
  const [[repeated, known], head] = await Promise.all([
    lookUp(tx, group, isLookedUp),
    // Given what it will most likely need.
    storable === 0 ? undefined : lockHead(tx, writer, storable, now),
  ])
  const { events, verdicts } = decide(group, repeated, known)
  if (head === undefined) return verdicts([])
  followed.observe(head, events.length)
  const { stored, written } = writeEvents(tx, writer, head, events)
  tx.commitWith(written)
  return verdicts(stored)
}

/** Reports that are stored, by their fingerprints' names, and keys that are, by their own. */
type Stored = readonly [Map<string, AcceptedReport>, Map<string, KnownKey>]

const NOTHING_STORED: Stored = [new Map(), new Map()]

/** What is stored of a group already. @param isLookedUp whose keys are asked for */
function lookUp(
  db: Queryable,
  group: readonly Candidate[],
  isLookedUp: (judged: JudgedReport) => boolean,
): Promise<Stored> {
  const keys = group.flatMap(({ judged }) =>
    judged instanceof TocsinError || !isLookedUp(judged)
      ? []
      : judged.valid.map((key) => key.keyData),
  )
  return Promise.all([findRepeated(db, group), findKnownKeys(db, keys)])
}

/**
 * Decides about each submission of a group.
 *
 * @param repeated reports that are stored
 * @param stored keys that are stored
 * @returns the events to append; and what becomes of each submission once they have their numbers
 */
function decide(
  group: readonly Candidate[],
  repeated: ReadonlyMap<string, AcceptedReport>,
  stored: ReadonlyMap<string, KnownKey>,
): {
  readonly events: NewEvent[]
  readonly verdicts: (stored: readonly StoredEvent[]) => Acceptance[]
} {
  const known = new Map(stored)
  const accepted = new Map<string, { content: ReportContent; platform: Platform }>()
  const refused = group.map((candidate): TocsinError | undefined => {
    const name = nameOfBytes(candidate.fingerprint)
    // The same request may come twice in one group, and so may a key.
    const settled = settle(candidate, repeated.has(name) || accepted.has(name), known)
    if (settled === undefined || settled instanceof TocsinError) return settled
    accepted.set(name, settled)
    return undefined
  })
  return {
    events: [...accepted.values()].map((each) => reportEvent(each.content, each.platform)),
    verdicts(stored) {
      const reports = new Map(repeated)
      for (const event of stored) addReport(reports, event)
      return group.map(
        ({ fingerprint }, index) =>
          refused[index] ?? (reports.get(nameOfBytes(fingerprint)) as AcceptedReport),
      )
    },
  }
}

/** What a submission would come to if it were accepted now, and what that follows from. */
export interface AcceptancePreview {
  readonly acceptance: Acceptance
  /** The report that it repeats. */
  readonly repeated: AcceptedReport | undefined
  /** Those of its keys that are stored, by their names. */
  readonly known: ReadonlyMap<string, KnownKey>
}

/** Decides about a submission as accepting it would, and stores nothing. @param grain when it would be accepted */
export async function previewAcceptance(
  db: Queryable,
  candidate: Candidate,
  grain: number,
): Promise<AcceptancePreview> {
  const { judged, fingerprint } = candidate
  const reports = await findRepeated(db, [candidate])
  const repeated = reports.get(nameOfBytes(fingerprint))
  const keys = judged instanceof TocsinError ? [] : judged.valid.map((key) => key.keyData)
  const known = await findKnownKeys(db, keys)
  const settled = settle(candidate, repeated !== undefined, new Map(known))
  if (settled instanceof TocsinError) return { acceptance: settled, repeated, known }
  const acceptance =
    settled === undefined ? (repeated as AcceptedReport) : { content: settled.content, grain }
  return { acceptance, repeated, known }
}

/**
 * Decides about a submission, and for each of its valid keys what becomes of it; refuses the whole when one may not be touched.
 *
 * @param known is brought up to date
 * @returns undefined for a repetition: it gets the first one's answer, whatever the rules say of it now
 */
function settle(
  { fingerprint, judged }: Candidate,
  isRepetition: boolean,
  known: Map<string, KnownKey>,
): { readonly content: ReportContent; readonly platform: Platform } | TocsinError | undefined {
  if (isRepetition) return undefined
  if (judged instanceof TocsinError) return judged
  const fates = settleKeys(judged.valid, { ...judged, ...judged.content }, known)
  if (typeof fates === 'string')
    return new TocsinError(fates, undefined, { warnings: describeWarnings(judged.outcomes) })
  const outcomes = Uint8Array.from(judged.outcomes)
  const reportType = EXPORT_REPORT_TYPES[judged.content.reportType]
  fates.forEach((fate, index) => {
    const key = judged.valid[index] as ValidKey
    outcomes[key.position] = outcomeOf(fate)
    // The same group may bring the key again.
    if (fate === 'new') known.set(key.name, { ...key, reportType })
    if (fate === 'revised')
      known.set(key.name, { ...(known.get(key.name) as KnownKey), revisedType: reportType })
  })
  const keys = packKeys(judged.valid, fates)
  return {
    content: { ...judged.content, fingerprint, keys, outcomes },
    platform: judged.platform,
  }
}
