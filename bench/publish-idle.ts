// Bench: how long a publisher takes to see that none of many streams has anything to do: it looks every second.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { benchDatabase } from './database.ts'
import { median, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import type { PublishAnswer, PublishOrder } from './publish-process.ts'

const STREAMS = 96
const ROUNDS = 15
const LOOKS = 10
const GOAL_MILLISECONDS = 20
const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600

/** `npm run bench -- publish-idle` */
export const bench: Benchmark = {
  summary: `a publisher's look at ${STREAMS} streams of which none is due`,
  unit: 'ms',
  goal: `under ${GOAL_MILLISECONDS} ms`,
  async run(report) {
    await using database = await benchDatabase()
    using processes = new Processes()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const child = processes.fork('./publish-process.ts', [database.url, folder])
      await nextMessage(child)
      const ask = async (order: PublishOrder) => {
        child.send(order)
        return (await nextMessage<PublishAnswer>(child)).milliseconds
      }
      await ask({ do: 'add', streams: STREAMS, now: EIGHT })
      // Each has a release; from then on nothing is due until the next hour.
      const now = EIGHT + HOUR + 60
      await ask({ do: 'look', times: 1, now })
      const times: number[] = []
      for (let round = 0; round < ROUNDS; round++)
        times.push(await ask({ do: 'look', times: LOOKS, now }))
      report(times.map((time) => time.toFixed(1)).join(' '))
      const value = median(times)
      return { value, floor: null, ratio: null, holds: value < GOAL_MILLISECONDS }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
