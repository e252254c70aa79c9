// Submit: the rule for the periods of a request's keys together; promises the same verdict in any order.

import { TocsinError } from '../errors.ts'

/** How many keys may share a start. */
export const MAX_SAME_START = 3

/** What is compared of a key. */
export interface KeySpan {
  /** The same for the same key. */
  readonly name: string
  /** In intervals of 10 minutes. */
  readonly rollingStart: number
  readonly rollingPeriod: number
}

/**
 * Keys may share a start (a phone that was reset makes a second key for the day), or else must not overlap.
 *
 * @param warnings are told with a refusal
 * @throws TocsinError `bad_request`
 */
export function refuseOverlaps(keys: readonly KeySpan[], warnings: readonly string[]): void {
  const sorted = [...keys].sort((a, b) => a.rollingStart - b.rollingStart)
  let start = -1
  const sameStart = new Set<string>()
  let end = -1
  let endBefore = -1
  for (const key of sorted) {
    if (key.rollingStart !== start) {
      endBefore = end
      start = key.rollingStart
      sameStart.clear()
    }
    sameStart.add(key.name)
    if (key.rollingStart < endBefore)
      throw new TocsinError('bad_request', 'The periods of the keys overlap.', { warnings })
    if (sameStart.size > MAX_SAME_START)
      throw new TocsinError(
        'bad_request',
        `At most ${MAX_SAME_START} keys may share one rollingStartNumber.`,
        { warnings },
      )
    end = Math.max(end, key.rollingStart + key.rollingPeriod)
  }
}
