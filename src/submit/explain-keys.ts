// Submit: what the rules say of each key of a request; promises to name keys by their place and their period, never by their bytes.

import { ERRORS, TocsinError } from '../errors.ts'
import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { judgeRequest, type GivenSubmission } from './explain-rules.ts'
import { availableAfter } from './key-rows.ts'
import type { SubmittedKey } from './parse-publish.ts'
import { judgeKnownKeys, type Fate, type Fault, type KnownKey } from './settle-keys.ts'
import {
  LIMITS,
  OUTCOMES,
  problemOf,
  withRisk,
  type Outcome,
  type ValidKey,
} from './validate-keys.ts'

/** What the rules say of a key. */
export interface ExplainedKey {
  /** Its number in the sentences of replies: its place in the order of the text sent. */
  readonly key: number
  /** Its place in the request, from 0. */
  readonly sent: number
  readonly rollingStart: number
  readonly rollingPeriod: number
  /** `valid`, `repeated` (the request has it twice), or why it is dropped. */
  readonly verdict: string
  readonly says: string
  readonly daysSinceOnset?: number
  /** That it is stored with. */
  readonly transmissionRisk?: number
  /** Whether it is kept back until its period has ended. */
  readonly embargoed?: boolean
  /** From when on it can be published: ISO 8601. */
  readonly availableFrom?: string
  /** The report type that it is stored with, and that it was changed to since; left out when it is not known. */
  readonly known?: { readonly reportType: string; readonly revisedTo?: string }
  /** What becomes of it, or with which code it has the request refused; left out when that was not reached. */
  readonly becomes?: Fate | Fault
}

/** The keys in the order in which replies count them. */
export function explainKeys(given: GivenSubmission): ExplainedKey[] {
  const { trace, now } = given
  const { request } = trace
  if (request === undefined) return []
  const { judged } = judgeRequest(request, trace, now)
  const sent = new Map(request.keys.map((key, index) => [key, index]))
  const valid = new Map(judged.valid.map((key) => [key.position, key]))
  const settled = settledKeys(given)
  return judged.sorted.map((submitted, position) => {
    const { rollingStart, rollingPeriod } = submitted
    const named = { key: position, sent: sent.get(submitted) ?? 0, rollingStart, rollingPeriod }
    const key = valid.get(position)
    const outcome = judged.outcomes[position] ?? OUTCOMES.unchanged
    const told =
      key === undefined
        ? { verdict: verdictOf(outcome), says: describeDrop(outcome, submitted, given) }
        : describeValid(key, given, settled.get(position))
    return { ...named, ...told }
  })
}

interface SettledKey {
  readonly becomes: Fate | Fault
  readonly known: KnownKey | undefined
}

/** What becomes of the keys, by their positions; none where that was not reached, or was decided long ago. */
function settledKeys({ trace, preview }: GivenSubmission): ReadonlyMap<number, SettledKey> {
  const judged = trace.candidate?.judged
  if (judged === undefined || judged instanceof TocsinError) return new Map()
  if (preview === undefined || preview.repeated !== undefined) return new Map()
  const verdicts = judgeKnownKeys(judged.valid, { ...judged, ...judged.content }, preview.known)
  return new Map(
    verdicts.map((becomes, index) => {
      const { name, position } = judged.valid[index] as ValidKey
      return [position, { becomes, known: preview.known.get(name) }]
    }),
  )
}

function describeValid(
  valid: ValidKey,
  { trace: { claims }, context, preview, grain }: GivenSubmission,
  settled: SettledKey | undefined,
): Omit<ExplainedKey, 'key' | 'sent' | 'rollingStart' | 'rollingPeriod'> {
  const key = claims === undefined ? valid : withRisk(valid, claims.reportType)
  const { daysSinceOnset, transmissionRisk, embargoed } = key
  const end = key.rollingStart + key.rollingPeriod
  const available = embargoed ? availableAfter(end, context.timeGrain, grain) : grain
  const isRepetition = preview?.repeated !== undefined
  const facts = [
    `${daysSinceOnset} days from the onset`,
    `transmission risk ${transmissionRisk}`,
    ...(isRepetition
      ? []
      : [
          `${embargoed ? 'still in use, ' : ''}can be published from ${formatTimestamp(available)} on`,
        ]),
    ...(settled === undefined ? [] : [describeFate(settled)]),
  ]
  return {
    verdict: 'valid',
    says: `${facts.join('; ')}.`,
    daysSinceOnset,
    transmissionRisk,
    embargoed,
    ...(isRepetition ? {} : { availableFrom: formatTimestamp(available) }),
    ...(settled?.known === undefined ? {} : { known: describeKnown(settled.known) }),
    ...(settled === undefined ? {} : { becomes: settled.becomes }),
  }
}

function describeFate({ becomes, known }: SettledKey): string {
  if (becomes === 'new') return 'new: it is stored'
  if (becomes === 'not_covered') return `dropped: ${problemOf(OUTCOMES.not_covered)}`
  if (known === undefined) return 'not known, and a negative result stores nothing'
  const { reportType, revisedTo } = describeKnown(known)
  const before = `known as ${reportType}${revisedTo === undefined ? '' : `, changed to ${revisedTo} since`}`
  if (becomes === 'revised') return `${before}: it is changed`
  if (becomes === 'unchanged' || becomes === 'ignored') return `${before}: it stays as it is`
  return `${before}: ${ERRORS[becomes].sentence.replace(/\.$/, '')}`
}

function describeKnown({ reportType, revisedType }: KnownKey): {
  reportType: string
  revisedTo?: string
} {
  return {
    reportType: nameOfType(reportType),
    ...(revisedType === undefined ? {} : { revisedTo: nameOfType(revisedType) }),
  }
}

function nameOfType(exported: number): string {
  const found = Object.entries(EXPORT_REPORT_TYPES).find(([, type]) => type === exported)
  return found?.[0] ?? 'unknown'
}

function verdictOf(outcome: Outcome): string {
  if (outcome === OUTCOMES.unchanged) return 'repeated'
  return Object.entries(OUTCOMES).find(([, number]) => number === outcome)?.[0] ?? 'unknown'
}

/** Why a key is dropped, with the moments that tell how far off it is. */
function describeDrop(
  outcome: Outcome,
  { rollingStart, rollingPeriod }: SubmittedKey,
  { now }: GivenSubmission,
): string {
  if (outcome === OUTCOMES.unchanged) return 'The request has this key twice: it counts once.'
  if (outcome === OUTCOMES.onset_too_far)
    return `It is more than ${LIMITS.maxDaysSinceOnset} days from the onset: dropped with a warning.`
  const at = (interval: number) => formatTimestamp(interval * INTERVAL_SECONDS)
  const present = formatTimestamp(now.getTime() / 1000)
  const why = `Dropped: ${problemOf(outcome)}`
  if (outcome === OUTCOMES.too_old)
    return `${why} (${at(rollingStart + rollingPeriod)}; it is ${present}).`
  if (outcome === OUTCOMES.in_future) return `${why} (${at(rollingStart)}; it is ${present}).`
  return `${why}.`
}
