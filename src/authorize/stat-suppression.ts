// Authorize: which counts may be told; promises that neither a count below 10, nor the difference of told counts, says how few there were.

/** A smaller count could be about somebody. */
export const LEAST_TOLD = 10

/** The count, or 0 when it is too small to be told: readers of numbers see no difference to none. */
export function tellCount(count: number): number {
  return count < LEAST_TOLD ? 0 : count
}

/**
 * What of a total's parts may be told beside the total; 0 stands for a part that is not.
 *
 * When the parts that are told leave a rest of 1 to 9 to the total, that rest is what had to be hidden: then the smallest told
 * part is hidden with it, so that every difference between the total and any of the told parts is 0 or at least 10. What is
 * in no part at all counts as hidden, too. Parts of two kinds that share a total (say, staff and API keys) must be given
 * together, or one kind's report would be the rest of the other's.
 */
export function tellParts(total: number, parts: readonly number[]): number[] {
  const told = parts.map(tellCount)
  const rest = total - told.reduce((sum, count) => sum + count, 0)
  if (rest <= 0 || rest >= LEAST_TOLD) return told
  // Of a total below 10 nothing is told, nor is the total.
  const smallest = Math.min(...told.filter((count) => count > 0))
  const hidden = told.indexOf(smallest)
  return told.map((count, index) => (index === hidden ? 0 : count))
}
