// Publish: what devices look like where too few real ones are known; promises keys that any app could have sent.

import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { ReportType } from '../format/report-type.ts'
import { LIMITS } from '../submit/validate-keys.ts'
import { below, pick, type RandomSource } from './padding-random.ts'
import type { Audience, KeyShape } from './padding-templates.ts'
import type { Stream } from './streams.ts'

const DAY = 86_400

/** A key of the prior: its transmission risk is the app's affair, of which the prior knows nothing. */
export type PriorKey = Omit<KeyShape, 'transmissionRisk'>

/** What an app does with the key of the day of the upload: leaves it out, sends it whole (it is kept back), or ends it at once. */
export type TodaysKey = 'none' | 'whole' | 'ended'

// A test is taken some days after the first symptoms and its result shared a day or two later (weights of 0, 1, 2 ... days).
const ONSET_DELAYS = [2, 5, 10, 14, 16, 14, 11, 8, 6, 5, 3, 2, 2, 1, 1]
// Most phones have kept their keys for the whole two weeks; the others were set up since.
const SHARE_OF_FULL_HISTORY = 0.7
const FULL_HISTORY_DAYS = 14
// Of those whose app is not known.
const TODAYS_KEYS: readonly TodaysKey[] = ['none', 'whole', 'ended']
// Where not one report is known whose type could be taken.
const REPORT_TYPES: readonly ReportType[] = [
  ...Array<ReportType>(8).fill('confirmed'),
  'likely',
  'user-report',
]

/**
 * The keys of a device: a day each without a gap, back from the day of the upload or the one before it, their distance to one
 * onset; at least one.
 *
 * @param accepted when it is to be accepted: unix seconds at a time grain
 * @param timeGrain seconds
 */
export function drawPriorKeys(
  accepted: number,
  timeGrain: number,
  todaysKey: TodaysKey | undefined,
  random: RandomSource,
): PriorKey[] {
  const onsetAge = drawWeighted(ONSET_DELAYS, random)
  const isFull = random.number() < SHARE_OF_FULL_HISTORY
  const days = isFull ? FULL_HISTORY_DAYS : 1 + below(FULL_HISTORY_DAYS - 1, random)
  const keys: PriorKey[] = []
  const add = (age: number, period: number, embargoed: boolean) => {
    const daysSinceOnset = onsetAge - age
    if (Math.abs(daysSinceOnset) <= LIMITS.maxDaysSinceOnset)
      keys.push({ age, offset: 0, period, daysSinceOnset, embargoed })
  }
  for (let age = days; age >= 1; age--) add(age, INTERVALS_PER_DAY, false)
  const style = todaysKey ?? pick(TODAYS_KEYS, random)
  if (style === 'whole') add(0, INTERVALS_PER_DAY, true)
  const uploaded = (accepted % DAY) + random.number() * timeGrain
  const ended = Math.min(Math.floor(uploaded / INTERVAL_SECONDS), INTERVALS_PER_DAY)
  if (style === 'ended' && ended > 0) add(0, ended, false)
  return keys
}

/** Whose report a device pretends to be when no real one is known: one of the family's own regions. */
export function drawPriorAudience(
  family: readonly Pick<Stream, 'inputRegions' | 'reportTypes'>[],
  numberOf: (type: ReportType) => number,
  random: RandomSource,
): Audience {
  const stream = pick(family, random)
  const region = pick(stream?.inputRegions ?? [], random)
  const wanted = stream?.reportTypes ?? []
  const types = REPORT_TYPES.filter(
    (type) => wanted.length === 0 || wanted.includes(numberOf(type)),
  )
  return {
    app: '',
    regions: region === undefined ? [] : [region],
    traveler: false,
    reportType: pick(types, random) ?? 'confirmed',
  }
}

function drawWeighted(weights: readonly number[], random: RandomSource): number {
  let left = random.number() * weights.reduce((sum, weight) => sum + weight, 0)
  return Math.max(
    0,
    weights.findIndex((weight) => (left -= weight) < 0),
  )
}
