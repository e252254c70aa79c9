// Submit: makes a group of judged submissions durable; promises one report for a request however often and however many at once it comes.

import type { Database, Queryable, Transaction } from '../db/database.ts'
import { allWritten } from '../db/transactions.ts'
import { TocsinError } from '../errors.ts'
import {
  HeadMoved,
  lockHead,
  takeHead,
  truncateToGrain,
  writeEvents,
  type LogWriter,
} from '../log/append-event.ts'
import { followHead, type FollowedHead } from '../log/follow-head.ts'
import {
  decide,
  isOther,
  keysOf,
  settle,
  type Acceptance,
  type AcceptedReport,
  type Candidate,
  type JudgedReport,
  type ReportCap,
  type Stored,
} from './decide-reports.ts'
import { AlreadyStored } from './report.ts'
import { findKnownKeys, findRepeated } from './stored-reports.ts'
import type { KnownKey } from './settle-keys.ts'
import { nameOfBytes } from './validate-keys.ts'

export type {
  Acceptance,
  AcceptedReport,
  Candidate,
  JudgedReport,
  KeyCandidate,
} from './decide-reports.ts'

/** Commits a group. @throws TocsinError `unavailable` */
export type AcceptReports = (group: readonly Candidate[]) => Promise<readonly Acceptance[]>

/**
 * Accepts groups of submissions, each group in one transaction.
 *
 * Mostly nobody else appends, and most submissions are new. So a group is sent at once behind the head as this process knows it,
 * numbers included, and the next one behind that before it is answered; what is likely to be stored already is looked up
 * before, without a lock. The database tells whether all was as thought: numbers, requests, keys and revisions each go in only
 * once. When another process moved the head, the group is sent again behind the head's lock. When something was there
 * already, the whole group is done again behind that lock with everything looked up, where nobody can come between. So is
 * from the start a group with a report that a cap limits: what counts for it is known only there.
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
    const stored =
      doubtful.length === 0 ? NOTHING_STORED : await lookUp(db, doubtful, isLikelyKnown)
    const { events, verdicts } = decide(group, stored)
    if (events.length === 0) return verdicts([])
    return db.transactionAtOnce((tx) => {
      const head = followed.next(events.length, truncateToGrain(now(), writer.timeGrain))
      const taken = takeHead(tx, head)
      const { stored: appended, written } = writeEvents(tx, writer, head, events)
      tx.commitWith(allWritten([taken, written]))
      return verdicts(appended)
    })
  }

  return async (group) => {
    try {
      if (capsOf(group).length > 0) return await acceptAlone(group)
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
  return !(judged instanceof TocsinError) && (isOther(judged) || !isLikelyKnown(judged))
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
  const [stored, head] = await Promise.all([
    lookUp(tx, group, isLookedUp),
    // Given what it will most likely need.
    storable === 0 ? undefined : lockHead(tx, writer, storable, now),
  ])
  const { events, verdicts } = decide(group, stored)
  if (head === undefined) return verdicts([])
  followed.observe(head, events.length)
  const { stored: appended, written } = writeEvents(tx, writer, head, events)
  tx.commitWith(written)
  return verdicts(appended)
}

const NOTHING_STORED: Stored = { repeated: new Map(), known: new Map(), used: new Map() }

/** What is stored of a group already. @param isLookedUp whose keys are asked for */
async function lookUp(
  db: Queryable,
  group: readonly Candidate[],
  isLookedUp: (judged: JudgedReport) => boolean,
): Promise<Stored> {
  const [repeated, known, ...counts] = await Promise.all([
    findRepeated(db, group),
    findKnownKeys(db, keysOf(group, isLookedUp)),
    ...capsOf(group).map(async (cap) => [cap.name, await cap.count(db)] as const),
  ])
  return { repeated, known, used: new Map(counts) }
}

/** What limits the reports of a group, each once. */
function capsOf(group: readonly Candidate[]): ReportCap[] {
  const caps = group.flatMap(({ judged }) =>
    judged instanceof TocsinError || !isOther(judged) ? [] : (judged.cap ?? []),
  )
  return [...new Map(caps.map((cap) => [cap.name, cap])).values()]
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
  const reports = await findRepeated(db, [candidate])
  const repeated = reports.get(nameOfBytes(candidate.fingerprint))
  const known = await findKnownKeys(
    db,
    keysOf([candidate], () => true),
  )
  // A repetition gets the first one's answer, whatever the rules say of it now.
  if (repeated !== undefined) return { acceptance: repeated, repeated, known }
  const settled = settle(candidate, new Map(known))
  const acceptance = settled instanceof TocsinError ? settled : { content: settled.content, grain }
  return { acceptance, repeated, known }
}
