// Bench: what archiving takes from submissions.

import { benchDatabase } from './database.ts'
import { alternate, type Benchmark } from './harness.ts'
import { openSubmissionBench, WARM_ROUNDS } from './submission-bench.ts'

const ROUNDS = 5
/** Making requests takes longer than sending them: as many as a round can use. */
const LOAD = { requests: 12_000 }

/** `npm run bench -- archive-cost` */
export const bench: Benchmark = {
  summary: 'submissions a second of a server that archives its log; floor: the same without',
  unit: 'submissions/s',
  goal: 'at least 0.9 of the floor',
  async run(report) {
    await using database = await benchDatabase()
    await using other = await benchDatabase()
    using submissions = openSubmissionBench()
    const archiving = await submissions.startServer(database.url, 'archiving')
    const without = await submissions.startServer(other.url)
    for (let round = 0; round < WARM_ROUNDS; round++) {
      await submissions.rate(archiving, LOAD)
      await submissions.rate(without, LOAD)
    }
    const result = await alternate(
      ROUNDS,
      () => submissions.rate(archiving, LOAD),
      () => submissions.rate(without, LOAD),
      report,
    )
    return { ...result, holds: result.ratio >= 0.9 }
  },
}
