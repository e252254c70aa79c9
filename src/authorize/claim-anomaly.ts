// Authorize: whether unusually few of a day's codes were used; promises that days without any code say nothing either way.

/** Active days that are learnt from, and how many there must be. */
const MOST_DAYS = 30
const LEAST_DAYS = 14
const DEVIATIONS = 2

/** A day's codes. */
export interface ClaimDay {
  readonly issued: number
  /** How many were swapped for a token on this day. */
  readonly claimed: number
}

/** The day's share of used codes beside what is usual. Shares are from 0 to 1. */
export interface ClaimAnomaly {
  /** Whether the last day's share is lower than the mean by more than two standard deviations: somebody issues codes that nobody gets. */
  readonly isUnusual: boolean
  /** Of the active days before the last one. */
  readonly mean: number
  /** The population's standard deviation. */
  readonly deviation: number
  /** The last day's share; 1 when it had no codes. */
  readonly last: number
}

/**
 * Compares the last full day with at most 30 active days before it.
 *
 * @param days full days, the oldest first; the last is the one that is judged
 * @returns undefined when fewer than 14 active days lie before the last one
 */
export function claimAnomaly(days: readonly ClaimDay[]): ClaimAnomaly | undefined {
  const judged = days.at(-1)
  const shares = days
    .slice(0, -1)
    .filter((day) => day.issued > 0)
    .slice(-MOST_DAYS)
    .map(shareOf)
  if (judged === undefined || shares.length < LEAST_DAYS) return undefined
  const mean = meanOf(shares)
  const deviation = Math.sqrt(meanOf(shares.map((share) => (share - mean) ** 2)))
  const last = shareOf(judged)
  return { isUnusual: last < mean - DEVIATIONS * deviation, mean, deviation, last }
}

function shareOf({ issued, claimed }: ClaimDay): number {
  // Codes of yesterday that are used today can make it more than all.
  return issued === 0 ? 1 : Math.min(claimed / issued, 1)
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
