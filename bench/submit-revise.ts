// Bench: submissions of which every second one confirms keys that were likely ones before, against the least that a durable answer costs.

import { benchDatabase } from './database.ts'
import type { Benchmark } from './harness.ts'
import {
  alternateWithFloors,
  openSubmissionBench,
  ROUND_SECONDS,
  WARM_ROUNDS,
} from './submission-bench.ts'

const ROUNDS = 5
const GOAL = 0.4
// Each second one needs an upload beforehand: no more than a round can use.
const REQUESTS = ROUND_SECONDS * 4_000

/** `npm run bench -- submit-revise` */
export const bench: Benchmark = {
  summary: 'submissions a second, half of them revising 14 keys of an earlier one',
  unit: 'submissions/s',
  goal: `at least ${GOAL} of the floor of submit`,
  async run(report) {
    await using database = await benchDatabase()
    using submissions = openSubmissionBench()
    const ours = await submissions.startServer(database.url)
    const revise = () => submissions.rate(ours, { kind: 'revised', requests: REQUESTS })
    for (let round = 0; round < WARM_ROUNDS; round++) await submissions.rate(ours)
    await revise()
    const floors = await submissions.startFloors(database.url)
    const { floorPool, ...result } = await alternateWithFloors(ROUNDS, revise, floors, report)
    return { ...result, holds: result.ratio >= GOAL, extra: { floorPool } }
  },
}
