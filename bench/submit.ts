// Bench: verified, durable submissions a second against the least that a durable answer costs.

import { benchDatabase } from './database.ts'
import type { Benchmark } from './harness.ts'
import { alternateWithFloors, openSubmissionBench, WARM_ROUNDS } from './submission-bench.ts'

const ROUNDS = 5

/** `npm run bench -- submit` */
export const bench: Benchmark = {
  summary: 'verified 14-key submissions a second, durable, 64 connections, 1 process',
  unit: 'submissions/s',
  goal: 'at least 0.6 of the floor; p99 under 100 ms at half the top rate',
  async run(report) {
    await using database = await benchDatabase()
    using submissions = openSubmissionBench()
    const ours = await submissions.startServer(database.url)
    // All are warm before any is measured.
    for (let round = 0; round < WARM_ROUNDS; round++) await submissions.rate(ours)
    const floors = await submissions.startFloors(database.url)
    const { floorPool, ...result } = await alternateWithFloors(
      ROUNDS,
      () => submissions.rate(ours),
      floors,
      report,
    )
    const paced = await submissions.load(ours, {
      seconds: 8,
      requests: 30_000,
      rate: result.value / 2,
    })
    return {
      ...result,
      holds: result.ratio >= 0.6 && paced.p99 < 100,
      extra: { floorPool, halfRateP50Ms: paced.p50, halfRateP99Ms: paced.p99 },
    }
  },
}
