// Submit: the rules for keys, as pure functions of the request and the clock; promises the same verdict for the same keys in any order.

import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { ReportType } from '../format/report-type.ts'
import { compareKeys, type SubmittedKey } from './parse-publish.ts'
import { MAX_SAME_START, refuseOverlaps } from './refuse-overlaps.ts'

/** The limits of a submission. */
export const LIMITS = {
  /** Keys in one request. */
  maxKeys: 30,
  /** Keys that share one start. */
  maxSameStart: MAX_SAME_START,
  /** A key can be uploaded until this long after its end, in intervals: 15 days. */
  maxAge: 15 * INTERVALS_PER_DAY,
  maxRollingPeriod: INTERVALS_PER_DAY,
  maxTransmissionRisk: 8,
  /** Greatest distance between a key's day and the onset, in days. */
  maxDaysSinceOnset: 14,
  /** An onset further back than this is not believed, in days. */
  maxOnsetAgeDays: 28,
  /** The onset that is assumed when none can be believed, in days before now. */
  defaultOnsetDaysAgo: 4,
} as const

/** What became of a key; the number is what the log keeps. */
export const OUTCOMES = {
  accepted: 0,
  revised: 1,
  unchanged: 2,
  not_base64: 10,
  wrong_length: 11,
  wrong_period: 12,
  too_old: 13,
  in_future: 14,
  wrong_risk: 15,
  onset_too_far: 20,
  not_covered: 21,
} as const

/** One of {@link OUTCOMES}. */
export type Outcome = (typeof OUTCOMES)[keyof typeof OUTCOMES]

/** What is said of a key that was dropped. */
const PROBLEMS: Readonly<Record<number, string>> = {
  [OUTCOMES.not_base64]: 'it is not base64',
  [OUTCOMES.wrong_length]: 'it must have 16 bytes',
  [OUTCOMES.wrong_period]: `rollingPeriod must be 1 to ${LIMITS.maxRollingPeriod}`,
  [OUTCOMES.too_old]: 'it ended more than 15 days ago',
  [OUTCOMES.in_future]: 'it starts in the future',
  [OUTCOMES.wrong_risk]: `transmissionRisk must be 0 to ${LIMITS.maxTransmissionRisk}`,
  [OUTCOMES.not_covered]: 'it was uploaded before, and the revision token does not cover it',
}

/** A key that passed every rule. */
export interface ValidKey {
  readonly keyData: Uint8Array
  /** Its bytes as a text, a character each: what maps and comparisons take. */
  readonly name: string
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly transmissionRisk: number
  readonly daysSinceOnset: number
  /** Its period has not ended: it is kept back until the first time grain after it has. */
  readonly embargoed: boolean
  /** Its place among the outcomes. */
  readonly position: number
}

/** When the first symptoms were, and who said so. */
export interface Onset {
  readonly interval: number
  readonly source: 'request' | 'certificate' | 'default'
}

/** The verdict on the keys of a request. */
export interface ValidatedKeys {
  /** In the order of their bytes. */
  readonly valid: readonly ValidKey[]
  /** One for each key of the request, in the order of the text sent. */
  readonly outcomes: readonly Outcome[]
}

/**
 * Judges the keys of a request, each for itself and then together.
 *
 * @throws TocsinError `bad_request` when there are too many or none, when periods overlap, or when none is valid
 */
export function validateKeys(
  submitted: readonly SubmittedKey[],
  onset: Onset,
  now: Date,
  maxKeys: number = LIMITS.maxKeys,
): ValidatedKeys {
  refuseCount(submitted, maxKeys)
  const { passed, valid, outcomes } = judgeKeys(submitted, onset, now)
  refuseNoneValid(outcomes)
  refuseOverlaps(passed, describeWarnings(outcomes))
  return { valid, outcomes }
}

/** There must be a key, and not too many. @throws TocsinError `bad_request` */
export function refuseCount(
  submitted: readonly SubmittedKey[],
  maxKeys: number = LIMITS.maxKeys,
): void {
  if (submitted.length === 0)
    throw new TocsinError('bad_request', 'There must be at least one key.')
  if (submitted.length > maxKeys)
    throw new TocsinError('bad_request', `There may be at most ${maxKeys} keys.`)
}

/** What is to be said of each key by itself. */
export interface JudgedKeys {
  /** In the order of the text sent. */
  readonly sorted: readonly SubmittedKey[]
  /** One for each of `sorted`. */
  readonly outcomes: readonly Outcome[]
  /** Those that passed. */
  readonly passed: readonly ValidKey[]
  /** The same in the order of their bytes, each key once: of one that is named several times the entry that starts last, then the one that lasts longest. */
  readonly valid: readonly ValidKey[]
}

/** Judges each key of a request by itself. */
export function judgeKeys(submitted: readonly SubmittedKey[], onset: Onset, now: Date): JudgedKeys {
  const current = intervalOf(now)
  const sorted = [...submitted].sort(compareKeys)
  const passed: ValidKey[] = []
  const outcomes = sorted.map((key, position): Outcome => {
    const judged = judgeKey(key, position, onset, current)
    if (typeof judged === 'number') return judged
    passed.push(judged)
    return OUTCOMES.accepted
  })
  const valid: ValidKey[] = []
  for (const key of passed.toSorted(compareNames)) {
    const other = valid.at(-1)
    if (other?.name !== key.name) valid.push(key)
    else {
      const [loser, winner] = isLater(key, other) ? [other, key] : [key, other]
      valid[valid.length - 1] = winner
      outcomes[loser.position] = OUTCOMES.unchanged
    }
  }
  return { sorted, outcomes, passed, valid }
}

function compareNames(a: ValidKey, b: ValidKey): number {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}

function isLater(a: ValidKey, b: ValidKey): boolean {
  return a.rollingStart !== b.rollingStart
    ? a.rollingStart > b.rollingStart
    : a.rollingPeriod > b.rollingPeriod
}

/** A request of whose keys none passed, and not only for their distance from the onset. @throws TocsinError `bad_request` */
export function refuseNoneValid(outcomes: readonly Outcome[]): void {
  if (!outcomes.includes(OUTCOMES.accepted) && outcomes.some((each) => each in PROBLEMS))
    throw new TocsinError('bad_request', `No key was valid: ${describeDropped(outcomes)}`, {
      warnings: describeWarnings(outcomes),
    })
}

/** Why a key was dropped; undefined when it was not, or only for its distance from the onset. */
export function problemOf(outcome: number): string | undefined {
  return PROBLEMS[outcome]
}

/** The sentence for keys that were dropped as errors; empty when none was. */
export function describeDropped(outcomes: readonly number[]): string {
  return outcomes
    .flatMap((outcome, index) =>
      PROBLEMS[outcome] === undefined
        ? []
        : [`key ${index} cannot be imported: ${PROBLEMS[outcome]}`],
    )
    .join('; ')
}

/** The warnings for keys that were dropped without error: old apps take an error beside success for failure. */
export function describeWarnings(outcomes: readonly number[]): string[] {
  return outcomes.flatMap((outcome, index) =>
    outcome === OUTCOMES.onset_too_far
      ? [
          `key ${index} symptom onset is too large, at most ${LIMITS.maxDaysSinceOnset} days are accepted`,
        ]
      : [],
  )
}

/** Chooses the onset: the app's if it can be believed, else the certificate's, else four days ago. */
export function chooseOnset(requested: number, certified: number, now: Date): Onset {
  const current = intervalOf(now)
  const earliest = startOfDay(current) - LIMITS.maxOnsetAgeDays * INTERVALS_PER_DAY
  const believable = (interval: number) => interval >= earliest && interval < current
  if (believable(requested)) return { interval: requested, source: 'request' }
  if (believable(certified)) return { interval: certified, source: 'certificate' }
  return { interval: current - LIMITS.defaultOnsetDaysAgo * INTERVALS_PER_DAY, source: 'default' }
}

/** The interval of 10 minutes in which a moment lies. */
export function intervalOf(now: Date): number {
  return Math.floor(now.getTime() / 1000 / INTERVAL_SECONDS)
}

function judgeKey(
  key: SubmittedKey,
  position: number,
  onset: Onset,
  current: number,
): ValidKey | Outcome {
  const keyData = decodeBase64(key.key)
  if (keyData === undefined) return OUTCOMES.not_base64
  if (keyData.length !== 16) return OUTCOMES.wrong_length
  if (key.rollingPeriod < 1 || key.rollingPeriod > LIMITS.maxRollingPeriod)
    return OUTCOMES.wrong_period
  const end = key.rollingStart + key.rollingPeriod
  if (end < current - LIMITS.maxAge) return OUTCOMES.too_old
  if (key.rollingStart > current) return OUTCOMES.in_future
  if (key.transmissionRisk < 0 || key.transmissionRisk > LIMITS.maxTransmissionRisk)
    return OUTCOMES.wrong_risk
  const daysSinceOnset =
    (startOfDay(key.rollingStart) - startOfDay(onset.interval)) / INTERVALS_PER_DAY
  if (Math.abs(daysSinceOnset) > LIMITS.maxDaysSinceOnset) return OUTCOMES.onset_too_far
  const { rollingStart, rollingPeriod, transmissionRisk } = key
  return {
    keyData,
    name: nameOfBytes(keyData),
    rollingStart,
    rollingPeriod,
    transmissionRisk,
    daysSinceOnset,
    embargoed: end > current,
    position,
  }
}

/** The transmission risk of a key whose app leaves it to the server. */
const DEFAULT_RISKS = {
  confirmed: 2,
  likely: 4,
  negative: 6,
  'user-report': 0,
} as const satisfies Record<ReportType, number>

/** A key with the transmission risk that it is stored with. */
export function withRisk<Key extends Pick<ValidKey, 'transmissionRisk'>>(
  key: Key,
  reportType: ReportType,
): Key {
  return key.transmissionRisk === 0 ? { ...key, transmissionRisk: DEFAULT_RISKS[reportType] } : key
}

function startOfDay(interval: number): number {
  return Math.floor(interval / INTERVALS_PER_DAY) * INTERVALS_PER_DAY
}

type Sixteen = readonly [...Eight, ...Eight]
type Eight = readonly [number, number, number, number, number, number, number, number]

/** The 16 bytes of a key or a fingerprint as a text, a character each. Spelt out, since a loop or a buffer's conversion costs five times as much. */
export function nameOfBytes(bytes: Uint8Array): string {
  const b = bytes as unknown as Sixteen
  return String.fromCharCode(
    b[0],
    b[1],
    b[2],
    b[3],
    b[4],
    b[5],
    b[6],
    b[7],
    b[8],
    b[9],
    b[10],
    b[11],
    b[12],
    b[13],
    b[14],
    b[15],
  )
}
