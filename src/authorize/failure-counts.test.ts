// Test: failures are handed over once a time span, merged, and not lost when a write fails or the process stops in order.

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { COLLECT_MS, createFailureCounts } from './failure-counts.ts'
import { countFailure, type StatCount } from './stat-counts.ts'

const FAILURE = countFailure({ realm: 'north', day: 20_000 }, 'codes_invalid', 'android')

/** Counts that are handed to a list, with a clock that the test moves. */
async function withCounts(
  body: (world: {
    counts: ReturnType<typeof createFailureCounts>
    written: (readonly StatCount[])[]
    errors: unknown[]
    fail(isFailing: boolean): void
    pass(ms: number): Promise<void>
  }) => Promise<void>,
): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const written: (readonly StatCount[])[] = []
    const errors: unknown[] = []
    let isFailing = false
    const flush = async (counts: readonly StatCount[]) => {
      if (isFailing) throw new Error('away')
      written.push(counts)
    }
    const counts = createFailureCounts(flush, (error) => errors.push(error), COLLECT_MS)
    await body({
      counts,
      written,
      errors,
      fail: (now) => (isFailing = now),
      async pass(ms) {
        mock.timers.tick(ms)
        await new Promise(setImmediate)
      },
    })
  } finally {
    mock.timers.reset()
  }
}

test('a flood of failures is one write a minute', () =>
  withCounts(async ({ counts, written, pass }) => {
    for (let index = 0; index < 1_000; index++) counts.add(FAILURE)
    await pass(COLLECT_MS - 1)
    assert.equal(written.length, 0)
    await pass(1)
    assert.deepEqual(
      written.map((each) => each.map(({ kind, count }) => [kind, count])),
      [
        [
          ['codes_invalid', 1_000],
          ['codes_invalid_android', 1_000],
        ],
      ],
    )
    // Nothing new: nothing is written.
    await pass(10 * COLLECT_MS)
    assert.equal(written.length, 1)
    counts.add(FAILURE)
    await pass(COLLECT_MS)
    assert.deepEqual(written[1]?.[0]?.count, 1)
  }))

test('what could not be written comes with what follows', () =>
  withCounts(async ({ counts, written, errors, fail, pass }) => {
    fail(true)
    counts.add(FAILURE)
    await pass(COLLECT_MS)
    assert.equal(errors.length, 1)
    counts.add(FAILURE)
    fail(false)
    await pass(COLLECT_MS)
    assert.deepEqual(
      written.map((each) => each[0]?.count),
      [2],
    )
  }))

test('a process that stops in order writes what it has', () =>
  withCounts(async ({ counts, written, pass }) => {
    counts.add(FAILURE)
    await counts[Symbol.asyncDispose]()
    assert.deepEqual(
      written.map((each) => each[0]?.count),
      [1],
    )
    counts.add(FAILURE)
    await pass(2 * COLLECT_MS)
    assert.equal(written.length, 1)
  }))
