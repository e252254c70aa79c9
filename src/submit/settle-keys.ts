// Submit: what a submission may do to keys that are known already; promises one verdict for the same state, whatever the order of the keys.

import type { ErrorCode } from '../errors.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import type { OpenedToken } from './revision-token.ts'
import { OUTCOMES, type Outcome, type ValidKey } from './validate-keys.ts'

/** A stored key, as far as a second upload is judged by it. */
export interface KnownKey {
  readonly rollingStart: number
  readonly rollingPeriod: number
  /** As in export files. */
  readonly reportType: number
  /** What it was changed to; undefined when it was not. */
  readonly revisedType?: number
}

/** What becomes of a key that every other rule let pass: stored, changed, left as it is, left to the report that has it, or dropped. */
export type Fate = 'new' | 'revised' | 'unchanged' | 'ignored' | 'not_covered'

/** What of a submission decides about keys that are known already. */
export interface Claim {
  readonly reportType: ReportType
  readonly revisable: OpenedToken
  /** Whether known keys that the token does not cover are dropped, instead of refusing the submission. */
  readonly partialRevisions: boolean
  /** Whether known keys are left as they are, whatever the submission says of them. */
  readonly ignoresKnown?: true
}

/**
 * Decides about each valid key of a submission.
 *
 * Several faults in one submission: the one that comes first in the list of codes is told, whatever key it befell.
 *
 * @param known the stored keys by their names ({@link ValidKey.name})
 * @returns one fate for each key; or why nothing of the submission may be stored
 */
export function settleKeys(
  valid: readonly ValidKey[],
  claim: Claim,
  known: ReadonlyMap<string, KnownKey>,
): readonly Fate[] | Fault {
  const verdicts = judgeKnownKeys(valid, claim, known)
  const fault = FAULTS.find((code) => verdicts.includes(code))
  return fault ?? (verdicts as Fate[])
}

/** What is to be said of each valid key of a submission by itself: what becomes of it, or which fault it has. */
export function judgeKnownKeys(
  valid: readonly ValidKey[],
  claim: Claim,
  known: ReadonlyMap<string, KnownKey>,
): (Fate | Fault)[] {
  return valid.map((key) => settleKey(key, claim, known.get(key.name)))
}

/** Why a submission that touches known keys is refused, in the order in which it is told. */
const FAULTS = [
  'missing_revision_token',
  'key_metadata_mismatch',
  'invalid_revision_token',
  'key_already_revised',
  'invalid_report_type_transition',
] as const satisfies readonly ErrorCode[]

/** A code with which a submission that touches known keys is refused. */
export type Fault = (typeof FAULTS)[number]

function settleKey(key: ValidKey, claim: Claim, stored: KnownKey | undefined): Fate | Fault {
  // A negative result brings nothing to warn of; its keys only go into the token.
  if (stored === undefined) return claim.reportType === 'negative' ? 'unchanged' : 'new'
  if (claim.ignoresKnown) return 'ignored'
  if (claim.revisable === undefined) return 'missing_revision_token'
  if (claim.revisable === 'unreadable') return 'invalid_revision_token'
  if (!isSamePeriod(stored, key)) return 'key_metadata_mismatch'
  const covered = claim.revisable.some(
    (each) => isSamePeriod(each, key) && Buffer.compare(each.keyData, key.keyData) === 0,
  )
  if (!covered) return claim.partialRevisions ? 'not_covered' : 'invalid_revision_token'
  return judgeTransition(stored, claim.reportType)
}

function isSamePeriod(
  a: { readonly rollingStart: number; readonly rollingPeriod: number },
  b: { readonly rollingStart: number; readonly rollingPeriod: number },
): boolean {
  return a.rollingStart === b.rollingStart && a.rollingPeriod === b.rollingPeriod
}

/** From which report type, as in export files, a key may be changed to which. */
const TRANSITIONS: Readonly<Record<number, readonly ReportType[]>> = {
  [EXPORT_REPORT_TYPES.likely]: ['confirmed', 'negative'],
  [EXPORT_REPORT_TYPES['user-report']]: ['confirmed', 'likely', 'negative'],
}

/** Whether a stored key is changed to a report type, left as it is, or neither. */
export function judgeTransition(
  { reportType, revisedType }: Pick<KnownKey, 'reportType' | 'revisedType'>,
  wanted: ReportType,
): 'revised' | 'unchanged' | 'key_already_revised' | 'invalid_report_type_transition' {
  const type = EXPORT_REPORT_TYPES[wanted]
  // What was said before may be said again, also after a change.
  if (type === reportType || type === revisedType) return 'unchanged'
  if (revisedType !== undefined) return 'key_already_revised'
  return TRANSITIONS[reportType]?.includes(wanted) === true
    ? 'revised'
    : 'invalid_report_type_transition'
}

/** What the log keeps of a fate. */
export function outcomeOf(fate: Fate): Outcome {
  if (fate === 'ignored') return OUTCOMES.unchanged
  return fate === 'new' ? OUTCOMES.accepted : OUTCOMES[fate]
}
