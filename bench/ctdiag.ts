// Bench: uploads of ct-diag-server's form, durable, against the least that a durable answer costs.

import { benchDatabase } from './database.ts'
import type { Benchmark } from './harness.ts'
import { alternateWithFloors, openSubmissionBench, WARM_ROUNDS } from './submission-bench.ts'

const ROUNDS = 5
const UPLOADS = { kind: 'ctdiag' } as const

/** `npm run bench -- ctdiag` */
export const bench: Benchmark = {
  summary: '14-key uploads a second in the form of ct-diag-server, without a proof, 64 connections',
  unit: 'uploads/s',
  goal: 'at least 0.6 of the floor',
  async run(report) {
    await using database = await benchDatabase()
    using submissions = openSubmissionBench()
    const ours = await submissions.startServer(database.url, 'ctdiag')
    for (let round = 0; round < WARM_ROUNDS; round++) await submissions.rate(ours, UPLOADS)
    const floors = await submissions.startFloors(database.url, 'ctdiag')
    const { floorPool, ...result } = await alternateWithFloors(
      ROUNDS,
      () => submissions.rate(ours, UPLOADS),
      floors,
      report,
    )
    return { ...result, holds: result.ratio >= 0.6, extra: { floorPool } }
  },
}
