// Authorize: counts of refused requests, which have no event of their own; promises one write a minute however many there are, so that guessing codes fills no log.

import { addCounts, type StatCount } from './stat-counts.ts'

/**
 * Collects counts in memory. What was not handed over yet is lost when the process dies: at most the last minute's failures,
 * which are for people to look at, and are no ground for a decision. A write whose answer was lost is made again, and may so be
 * counted twice.
 */
export interface FailureCounts extends AsyncDisposable {
  /** Adds counts; returns at once, so that a refusal takes no longer for being counted. */
  add(counts: readonly StatCount[]): void
}

/** How long counts are collected, in milliseconds. */
export const COLLECT_MS = 60_000

/**
 * @param flush writes counts that are merged already; when it fails they are kept for the next time
 * @param onError is told why it failed
 * @param collectMs milliseconds from the first count to handing over
 */
export function createFailureCounts(
  flush: (counts: readonly StatCount[]) => Promise<void>,
  onError: (error: unknown) => void,
  collectMs: number,
): FailureCounts {
  // No more entries than there are realms, kinds and days, whoever sends how much.
  let pending = new Map<string, StatCount>()
  let timer: NodeJS.Timeout | undefined
  let handing: Promise<void> = Promise.resolve()
  let isDisposed = false

  async function handOver(): Promise<void> {
    timer = undefined
    if (pending.size === 0) return
    const counts = [...pending.values()]
    pending = new Map()
    try {
      await flush(counts)
    } catch (error) {
      addCounts(pending, counts)
      onError(error)
    }
    schedule()
  }

  function schedule(): void {
    if (isDisposed || timer !== undefined || pending.size === 0) return
    // One hand-over behind the other, however long the database takes. A process that has nothing else to do may end.
    timer = setTimeout(() => {
      handing = handing.then(handOver)
    }, collectMs).unref()
  }

  return {
    add(counts) {
      addCounts(pending, counts)
      schedule()
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true
      clearTimeout(timer)
      await handing
      await handOver()
    },
  }
}
