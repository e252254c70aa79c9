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
 * @param tell which keys it is about, for the end of its sentence; left out where its sentence names none
 * @throws TocsinError `bad_request`
 */
export function refuseOverlaps<Key extends KeySpan>(
  keys: readonly Key[],
  warnings: readonly string[],
  tell?: (keys: readonly Key[]) => string,
): void {
  const sorted = [...keys].sort((a, b) => a.rollingStart - b.rollingStart)
  const sameStart = new Map<string, Key>()
  // The key that ends last: of all, and of those that start earlier.
  let longest: Key | undefined
  let before: Key | undefined
  let start = -1
  for (const key of sorted) {
    if (key.rollingStart !== start) {
      before = longest
      start = key.rollingStart
      sameStart.clear()
    }
    sameStart.set(key.name, key)
    if (before !== undefined && key.rollingStart < endOf(before))
      throw new TocsinError(
        'bad_request',
        `The periods of the keys overlap${tell === undefined ? '' : `: ${tell([before, key])}`}.`,
        { warnings },
      )
    if (sameStart.size > MAX_SAME_START)
      throw new TocsinError(
        'bad_request',
        tell === undefined
          ? `At most ${MAX_SAME_START} keys may share one rollingStartNumber.`
          : `At most ${MAX_SAME_START} keys may share one rolling start number: ${tell([...sameStart.values()])}.`,
        { warnings },
      )
    if (longest === undefined || endOf(key) > endOf(longest)) longest = key
  }
}

function endOf({ rollingStart, rollingPeriod }: KeySpan): number {
  return rollingStart + rollingPeriod
}
