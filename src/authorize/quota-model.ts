// Authorize: how many codes a realm may issue in a day; promises a whole number that follows from the days before alone.

/** Days that are looked at, the newest among them, and how many there must be. */
const MOST_DAYS = 21
const LEAST_DAYS = 14
/** What the model expects at the least and at the most, before the realm's percent. */
const LEAST_EXPECTED = 10
const MOST_EXPECTED = 20_000

/**
 * The quota of the newest day: what a straight line through the days before it says for it, times the realm's percent.
 *
 * The newest day's own count is left out: it has not ended, and whoever issues bogus codes all morning should not raise the
 * afternoon's quota by them.
 *
 * @param counts codes issued a day, the oldest first, the newest last, 0 for days without any; as many days as the realm has seen
 * @param initial the quota until 14 days are there
 * @param percent of what is expected, whole; a fraction of a code is rounded up
 */
export function dailyQuota(counts: readonly number[], initial: number, percent: number): number {
  const looked = counts.slice(-MOST_DAYS)
  if (looked.length < LEAST_DAYS) return initial
  const expected = Math.round(nextOnLine(looked.slice(0, -1)))
  const within = Math.min(Math.max(expected, LEAST_EXPECTED), MOST_EXPECTED)
  // In whole numbers: 100 times 1.1 is 110.00000000000001, which rounded up would be 111.
  return Math.ceil((within * percent) / 100)
}

/** Where the line of least squares through the values at 0, 1, 2, ... stands one step after the last. @param values two or more */
function nextOnLine(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const along = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0)
  const across = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0)
  return mean + (along / across) * (values.length - middle)
}
