// Submit: decides what becomes of a group of judged submissions; promises verdicts that follow from the group and from what was looked up alone.

import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { packKeys } from './key-columns.ts'
import { reportEvent, type ReportContent, type ReportStatistics } from './report.ts'
import type { OpenedToken } from './revision-token.ts'
import { addReport } from './stored-reports.ts'
import { outcomeOf, settleKeys, type KnownKey } from './settle-keys.ts'
import { describeWarnings, nameOfBytes, type Outcome, type ValidKey } from './validate-keys.ts'

type Platform = ReportStatistics['platform']

/** A submission after its rules were judged, before the database was asked. */
export interface Candidate {
  readonly fingerprint: Uint8Array
  /** Either what to store, or why it is refused unless it repeats an accepted one. */
  readonly judged: JudgedReport | JudgedOther | TocsinError
}

/** A submission of diagnosis keys. */
export interface KeyCandidate extends Candidate {
  readonly judged: JudgedReport | TocsinError
}

/** What to store of a submission of diagnosis keys. */
export interface JudgedReport {
  readonly content: Omit<ReportContent, 'keys' | 'outcomes' | 'fingerprint'>
  readonly valid: readonly ValidKey[]
  readonly outcomes: readonly Outcome[]
  readonly platform: Platform
  readonly revisable: OpenedToken
  readonly partialRevisions: boolean
  /** Whether keys that are stored already are left as they are, whatever the submission says of them. */
  readonly ignoresKnown?: true
}

/** What to store of a submission of another kind: nothing of it depends on what is stored, but for a cap. */
export interface JudgedOther {
  /** Its first part has at least what every kind's report has (`OtherReportContent`). */
  readonly event: NewEvent
  /** About how many bytes it has. */
  readonly size: number
  /** What limits how many there may be. */
  readonly cap?: ReportCap
}

/** A limit to reports of one sort. */
export interface ReportCap {
  /** Of which sort: what has the same name counts together. */
  readonly name: string
  readonly most: number
  /** What is said beyond it. */
  readonly refusal: TocsinError
  /** How many count already. Asked with the head locked, so that none is under way. */
  count(db: Queryable): Promise<number>
}

/** A report that was accepted, now or the first time that it came. */
export interface AcceptedReport<Content = ReportContent> {
  readonly content: Content
  /** When: unix seconds, truncated to the time grain. */
  readonly grain: number
}

/** What became of a submission. */
export type Acceptance<Content = ReportContent> = AcceptedReport<Content> | TocsinError

/** What was found of a group. */
export interface Stored {
  /** Reports, by their fingerprints' names. */
  readonly repeated: ReadonlyMap<string, AcceptedReport>
  /** Keys, by their names. */
  readonly known: ReadonlyMap<string, KnownKey>
  /** How many reports count for a cap, by its name. */
  readonly used: ReadonlyMap<string, number>
}

/** Whether a submission is one of another kind than diagnosis keys. */
export function isOther(judged: Candidate['judged']): judged is JudgedOther {
  return 'event' in judged
}

/** About how many bytes a submission of another kind stores; 0 for one of diagnosis keys, of which none has many. */
export function sizeOfOther({ judged }: Candidate): number {
  return isOther(judged) ? judged.size : 0
}

/** The keys of a group's submissions of diagnosis keys. @param isWanted whose */
export function keysOf(
  group: readonly Candidate[],
  isWanted: (judged: JudgedReport) => boolean,
): Uint8Array[] {
  return group.flatMap(({ judged }) =>
    judged instanceof TocsinError || isOther(judged) || !isWanted(judged)
      ? []
      : judged.valid.map((key) => key.keyData),
  )
}

/**
 * Decides about each submission of a group.
 *
 * @returns the events to append; and what becomes of each submission once they have their numbers
 */
export function decide(
  group: readonly Candidate[],
  { repeated, ...stored }: Stored,
): {
  readonly events: NewEvent[]
  readonly verdicts: (stored: readonly StoredEvent[]) => Acceptance[]
} {
  const known = new Map(stored.known)
  const used = new Map(stored.used)
  const accepted = new Map<string, NewEvent>()
  const refused = group.map((candidate): TocsinError | undefined => {
    const name = nameOfBytes(candidate.fingerprint)
    // The same request may come twice in one group, and so may a key.
    if (repeated.has(name) || accepted.has(name)) return undefined
    const event = eventOf(candidate, known, used)
    if (event instanceof TocsinError) return event
    accepted.set(name, event)
    return undefined
  })
  return {
    events: [...accepted.values()],
    verdicts(events) {
      const reports = new Map(repeated)
      for (const event of events) addReport(reports, event)
      return group.map(
        ({ fingerprint }, index) =>
          refused[index] ?? (reports.get(nameOfBytes(fingerprint)) as AcceptedReport),
      )
    },
  }
}

function eventOf(
  candidate: Candidate,
  known: Map<string, KnownKey>,
  used: Map<string, number>,
): NewEvent | TocsinError {
  if (isOther(candidate.judged)) return admit(candidate.judged, used)
  const settled = settle(candidate, known)
  if (settled instanceof TocsinError) return settled
  return reportEvent(settled.content, settled.platform)
}

/** @param used is brought up to date */
function admit({ event, cap }: JudgedOther, used: Map<string, number>): NewEvent | TocsinError {
  if (cap === undefined) return event
  const count = used.get(cap.name) ?? 0
  if (count >= cap.most) return cap.refusal
  used.set(cap.name, count + 1)
  return event
}

/**
 * Decides about a submission of diagnosis keys that is no repetition, and for each of its valid keys what becomes of it; refuses the
 * whole when one may not be touched.
 *
 * @param known is brought up to date
 */
export function settle(
  { fingerprint, judged }: Candidate,
  known: Map<string, KnownKey>,
): { readonly content: ReportContent; readonly platform: Platform } | TocsinError {
  if (judged instanceof TocsinError) return judged
  if (isOther(judged)) throw new Error('this is no submission of diagnosis keys')
  const fates = settleKeys(judged.valid, { ...judged, ...judged.content }, known)
  if (typeof fates === 'string')
    return new TocsinError(fates, undefined, { warnings: describeWarnings(judged.outcomes) })
  const outcomes = Uint8Array.from(judged.outcomes)
  const reportType = EXPORT_REPORT_TYPES[judged.content.reportType]
  fates.forEach((fate, index) => {
    const key = judged.valid[index] as ValidKey
    outcomes[key.position] = outcomeOf(fate)
    // The same group may bring the key again.
    if (fate === 'new') {
      const { rollingStart, rollingPeriod } = key
      known.set(key.name, { rollingStart, rollingPeriod, reportType })
    }
    if (fate === 'revised')
      known.set(key.name, { ...(known.get(key.name) as KnownKey), revisedType: reportType })
  })
  const keys = packKeys(judged.valid, fates)
  return {
    content: { ...judged.content, fingerprint, keys, outcomes },
    platform: judged.platform,
  }
}
