// Verify: what a curious outsider could conclude from the metadata of an export's keys; promises to say what each conclusion rests on.

import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { Finding, FindingCode } from './verification-error.ts'

/** Every conclusion. */
export const CONCLUSION_CODES = [
  'few_keys',
  'metadata_rare',
  'metadata_varied',
  'counts_share_divisor',
  'keys_chained',
  'order_telling',
  'keys_replayable',
] as const

/** What an outsider could conclude. */
export interface Conclusion {
  readonly code: (typeof CONCLUSION_CODES)[number]
  readonly sentence: string
  /** Keys that it is about. */
  readonly keys: number
}

/** A combination of metadata, and how many keys have it. */
export interface Combination {
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly reportType: number | undefined
  readonly daysSinceOnset: number | undefined
  count: number
}

/** All combinations; `others` counts keys of further ones. */
export interface MetadataCounts {
  readonly counts: Map<string, Combination>
  others: number
}

/** Fewer keys than an export is usually padded to. */
const FEW_KEYS = 1_000

/**
 * What the metadata of `keys` new keys tells.
 *
 * @param crowd how many keys must share their metadata, so that none stands out
 */
export function drawConclusions(
  { counts, others }: MetadataCounts,
  findings: readonly Finding[],
  keys: number,
  crowd: number,
): Conclusion[] {
  const combinations = [...counts.values()]
  const has = (code: FindingCode) => findings.some((finding) => finding.code === code)
  const conclusions: (Conclusion | undefined)[] = [
    keys > 0 && keys < FEW_KEYS
      ? {
          code: 'few_keys',
          sentence: `The file has ${keys} new keys: unless they are padding, they are of few people.`,
          keys,
        }
      : undefined,
    others > 0
      ? {
          code: 'metadata_varied',
          sentence: `There are more than ${counts.size} combinations of metadata: what follows is about the first ones.`,
          keys: others,
        }
      : undefined,
    findRare(combinations, crowd),
    findDivisor(combinations),
    findChains(combinations),
    has('keys_unsorted')
      ? {
          code: 'order_telling',
          sentence:
            'The keys are not sorted: those of one phone may stand together, or as they came.',
          keys,
        }
      : undefined,
    has('keys_still_valid')
      ? {
          code: 'keys_replayable',
          sentence:
            'A key was published while it was in use: whoever broadcasts its identifiers now makes phones believe that they were near.',
          keys,
        }
      : undefined,
  ]
  return conclusions.filter((each) => each !== undefined)
}

function findRare(combinations: readonly Combination[], crowd: number): Conclusion | undefined {
  const rare = combinations.filter(({ count }) => count < crowd)
  const keys = sum(rare)
  if (keys === 0) return undefined
  const sentence = `${keys} keys share when they began, how long they were used, report type, risk and onset with fewer than ${crowd - 1} others: who knows that much of somebody can tell which key is theirs.`
  return { code: 'metadata_rare', sentence, keys }
}

/** With fewer combinations, a common divisor is chance. */
const MIN_COMBINATIONS = 3

/** Padding that copies each real key equally often multiplies all counts by the same number. */
function findDivisor(combinations: readonly Combination[]): Conclusion | undefined {
  if (combinations.length < MIN_COMBINATIONS) return undefined
  const divisor = combinations.reduce((before, { count }) => greatestDivisor(before, count), 0)
  if (divisor < 2) return undefined
  const keys = sum(combinations)
  const sentence = `All ${combinations.length} combinations of metadata come a multiple of ${divisor} times: padding copied each key equally often, and ${keys / divisor} keys or a whole fraction of them are real.`
  return { code: 'counts_share_divisor', sentence, keys: keys / divisor }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

/**
 * The keys of one phone share the report type, the day of the onset and the time of day at which they begin. Where only one key a day
 * has these, it follows the one of the day before.
 */
function findChains(combinations: readonly Combination[]): Conclusion | undefined {
  const phones = new Map<string, Map<number, number>>()
  for (const { rollingStart, reportType, daysSinceOnset, count } of combinations) {
    const day = Math.floor(rollingStart / INTERVALS_PER_DAY)
    const onset = daysSinceOnset === undefined ? '' : day - daysSinceOnset
    const name = [reportType ?? '', onset, rollingStart % INTERVALS_PER_DAY].join()
    const days = phones.get(name) ?? new Map<number, number>()
    days.set(day, (days.get(day) ?? 0) + count)
    phones.set(name, days)
  }
  const chains = [...phones.values()].flatMap(chainsOf)
  if (chains.length === 0) return undefined
  const keys = chains.reduce((before, length) => before + length, 0)
  const longest = chains.reduce((before, length) => Math.max(before, length), 0)
  const sentence = `${keys} keys form ${chains.length} chains over consecutive days, the longest over ${longest}: nobody else has the same report type, day of onset and time of day.`
  return { code: 'keys_chained', sentence, keys }
}

/** The lengths of all runs of two consecutive days or more with one key each. */
function chainsOf(days: ReadonlyMap<number, number>): number[] {
  const lengths: number[] = []
  const single = (day: number) => days.get(day) === 1
  for (const day of days.keys()) {
    if (!single(day) || single(day - 1)) continue
    let length = 1
    while (single(day + length)) length++
    if (length > 1) lengths.push(length)
  }
  return lengths
}

function sum(combinations: readonly Combination[]): number {
  return combinations.reduce((before, { count }) => before + count, 0)
}
