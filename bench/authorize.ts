// Bench: codes swapped for certificates a second, against the least that two durable answers and their signatures cost.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PhonesOrder, PhonesResult } from './authorize-load.ts'
import type { AuthorizeServer, IssueOrder } from './authorize-server.ts'
import { benchDatabase } from './database.ts'
import { median, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'

const ROUNDS = 7
/** Rounds until both are warm: V8 still compiles in the first half minute. */
const WARM_ROUNDS = 5
const ROUND_SECONDS = 4
const CONNECTIONS = 32
// More than any machine answers, so that a round ends with its time.
const CODES_A_ROUND = 3_000 * ROUND_SECONDS
const MOST_RATIO = 1.5
/** How much the floor's replies may be longer or shorter than ours. */
const LENGTH_TOLERANCE = 0.05

/** `npm run bench -- authorize` */
export const bench: Benchmark = {
  summary: `codes swapped for a token and then a certificate, pairs a second, durable, ${CONNECTIONS} connections, 1 process`,
  unit: 'pairs/s',
  goal: `at most ${MOST_RATIO} times the time of the floor; ratio is time by time`,
  async run(report) {
    await using database = await benchDatabase()
    using processes = new Processes()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const crowd = processes.fork('./authorize-load.ts', [])
      const start = async (mode: string) => {
        mkdirSync(join(folder, mode))
        const args = [mode, database.url, join(folder, mode)]
        const server = processes.fork('./authorize-server.ts', args)
        const listening = await nextMessage<AuthorizeServer>(server)
        return async (): Promise<PhonesResult> => {
          server.send({ issue: CODES_A_ROUND } satisfies IssueOrder)
          const codes = await nextMessage<string[]>(server)
          const load = { connections: CONNECTIONS, seconds: ROUND_SECONDS }
          crowd.send({ ...listening, codes, ...load } satisfies PhonesOrder)
          const result = await nextMessage<PhonesResult>(crowd)
          if (result.failed > 0)
            throw new Error(`${result.failed} phones got another answer than a certificate`)
          return result
        }
      }
      return await measure(await start('ours'), await start('floor'), report)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

type Run = () => Promise<PhonesResult>

async function measure(ours: Run, floor: Run, report: (line: string) => void) {
  for (let round = 0; round < WARM_ROUNDS; round++) {
    await ours()
    await floor()
  }
  const rounds: { readonly ours: PhonesResult; readonly floor: PhonesResult }[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const both = { ours: await ours(), floor: await floor() }
    rounds.push(both)
    const [a, b] = [rateOf(both.ours), rateOf(both.floor)]
    report(`round ${round}: ${a.toFixed(0)} against ${b.toFixed(0)}, ratio ${(b / a).toFixed(2)}`)
  }
  const middle = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of))
  const replyBytes = middle((round) => round.ours.replyBytes)
  const floorReplyBytes = middle((round) => round.floor.replyBytes)
  if (Math.abs(floorReplyBytes / replyBytes - 1) > LENGTH_TOLERANCE)
    throw new Error(`the floor's replies have ${floorReplyBytes} bytes, ours ${replyBytes}`)
  const ratio = middle((round) => rateOf(round.floor) / rateOf(round.ours))
  return {
    value: middle((round) => rateOf(round.ours)),
    floor: middle((round) => rateOf(round.floor)),
    ratio,
    holds: ratio <= MOST_RATIO,
    extra: {
      p50Ms: middle((round) => round.ours.p50),
      p99Ms: middle((round) => round.ours.p99),
      floorP50Ms: middle((round) => round.floor.p50),
      floorP99Ms: middle((round) => round.floor.p99),
      replyBytes: Math.round(replyBytes),
    },
  }
}

/** Pairs a second. */
function rateOf({ pairs, seconds }: PhonesResult): number {
  return pairs / seconds
}
