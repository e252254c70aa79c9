// Test helper: plays random histories until there were enough or the time is over; promises that none is still going on when it returns.

import * as fc from 'fast-check'

/** Histories of each test; more of them take longer, and find what is rare. */
const HISTORIES = Number(process.env['TOCSIN_TEST_HISTORIES'] ?? 6)

/**
 * Plays histories, and makes a failing one no smaller: each takes seconds.
 *
 * @param secondsEach after so many for each, no further one is begun: fast-check's own limit would leave one running
 * @param always played before the random ones, whatever they bring
 */
export async function playHistories<History>(
  histories: fc.Arbitrary<History>,
  secondsEach: number,
  play: (history: History) => Promise<void>,
  always: readonly History[] = [],
): Promise<void> {
  const deadline = performance.now() + HISTORIES * secondsEach * 1_000
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      if (performance.now() < deadline) await play(history)
    }),
    {
      numRuns: HISTORIES,
      endOnFailure: true,
      examples: always.map((history): [History] => [history]),
    },
  )
}
