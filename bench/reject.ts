// Bench: refused requests a second, so that garbage can't crowd out reports, against the least that a durable answer costs.

import { benchDatabase } from './database.ts'
import type { Benchmark } from './harness.ts'
import type { RequestKind } from './load-requests.ts'
import { alternateWithFloors, openSubmissionBench } from './submission-bench.ts'

const ROUNDS = 5
const SECONDS = 3
// More than anything answers: the few that there are come again and again.
const REQUESTS = 1_000_000

/** What is refused, and how many times the floor's rate it should be at least. */
const KINDS: readonly {
  readonly kind: RequestKind
  readonly name: string
  readonly goal: number
}[] = [
  { kind: 'malformed', name: 'malformed', goal: 2.5 },
  { kind: 'oversized', name: 'oversized', goal: 2.5 },
  { kind: 'bad-signature', name: 'badSignature', goal: 1.5 },
]

/** `npm run bench -- reject` */
export const bench: Benchmark = {
  summary: 'refused requests a second (malformed, oversized, badly signed), 64 connections',
  unit: 'refusals/s',
  goal: `times the floor of submit, at least: ${KINDS.map(({ kind, goal }) => `${kind} ${goal}`).join(', ')}; value and ratio are the smaller of the first two`,
  async run(report) {
    await using database = await benchDatabase()
    using submissions = openSubmissionBench()
    const ours = await submissions.startServer(database.url)
    const floors = await submissions.startFloors(database.url)
    const results = []
    for (const { kind, name, goal } of KINDS) {
      report(`${kind}:`)
      const refuse = () => submissions.rate(ours, { kind, seconds: SECONDS, requests: REQUESTS })
      await refuse()
      const measured = await alternateWithFloors(ROUNDS, refuse, floors, report)
      results.push({ name, goal, ...measured })
    }
    // The last kind has a goal of its own.
    const [slower] = results.slice(0, 2).sort((a, b) => a.ratio - b.ratio)
    if (slower === undefined) throw new Error('nothing was measured')
    return {
      value: slower.value,
      floor: slower.floor,
      ratio: slower.ratio,
      holds: results.every(({ ratio, goal }) => ratio >= goal),
      extra: Object.fromEntries(
        results.flatMap(({ name, value, ratio, floorPool }) => [
          [`${name}Rate`, value],
          [`${name}Ratio`, ratio],
          [`${name}FloorPool`, floorPool],
        ]),
      ),
    }
  },
}
