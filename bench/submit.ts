// Bench: verified, durable submissions a second against the least that a durable answer costs.

import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeAuthority } from '../test/key-zone.ts'
import { benchDatabase } from './database.ts'
import type { LoadOrder, LoadResult } from './submit-load.ts'
import { median, type Benchmark } from './harness.ts'

const CONNECTIONS = 64
const ROUND_SECONDS = 4
const ROUNDS = 5
const FLOOR_POOLS = [4, 16, 64]

/** `npm run bench -- submit` */
export const bench: Benchmark = {
  summary: 'verified 14-key submissions a second, durable, 64 connections, 1 process',
  unit: 'submissions/s',
  goal: 'at least 0.6 of the floor; p99 under 100 ms at half the top rate',
  async run(report) {
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    await using database = await benchDatabase()
    const authorityFile = join(folder, 'authority.json')
    const authority = makeAuthority()
    const privatePem = authority.privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(
      authorityFile,
      JSON.stringify({ ...authority, privateKey: undefined, privatePem }),
      { mode: 0o600 },
    )
    const children: ChildProcess[] = []
    const start = (file: string, args: string[]) => {
      const child = fork(new URL(file, import.meta.url), args, {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(child)
      return child
    }
    try {
      const load = start('./submit-load.ts', [authorityFile])
      const ask = (order: LoadOrder) => {
        load.send(order)
        return message<LoadResult>(load)
      }
      const ours = await message<number>(
        start('./submit-server.ts', ['ours', database.url, authorityFile, folder]),
      )
      const floors = new Map<number, number>()
      for (const pool of FLOOR_POOLS)
        floors.set(
          pool,
          await message<number>(
            start('./submit-server.ts', [`floor${pool}`, database.url, authorityFile, folder]),
          ),
        )
      const round = async (port: number, seconds = ROUND_SECONDS) => {
        const result = await ask({
          port,
          connections: CONNECTIONS,
          seconds,
          requests: seconds * 6_000,
        })
        if (result.failed > 0)
          throw new Error(`${result.failed} of ${result.answered} submissions failed`)
        return result.answered / result.seconds
      }
      // All are warm before any is measured; the best pool is found, then the two alternate.
      await round(ours)
      await round(ours)
      const rates = new Map<number, number>()
      for (const [pool, port] of floors)
        rates.set(pool, Math.max(await round(port, 2), await round(port, 2)))
      const best = [...rates].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 16
      const value: number[] = []
      const floor: number[] = []
      const ratios: number[] = []
      for (let index = 0; index < ROUNDS; index++) {
        const a = await round(ours)
        const b = await round(floors.get(best) ?? 0)
        value.push(a)
        floor.push(b)
        ratios.push(a / b)
        report(
          `round ${index + 1}: ${a.toFixed(0)} against ${b.toFixed(0)}, ratio ${(a / b).toFixed(2)}`,
        )
      }
      const paced = await ask({
        port: ours,
        connections: CONNECTIONS,
        seconds: 8,
        requests: 30_000,
        rate: median(value) / 2,
      })
      const ratio = median(ratios)
      return {
        value: median(value),
        floor: median(floor),
        ratio,
        holds: ratio >= 0.6 && paced.p99 < 100,
        extra: { floorPool: best, halfRateP50Ms: paced.p50, halfRateP99Ms: paced.p99 },
      }
    } finally {
      for (const child of children) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

function message<Value>(child: ChildProcess): Promise<Value> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null) => reject(new Error(`a process ended with ${code}`))
    child.once('exit', fail)
    child.once('message', (value) => {
      child.off('exit', fail)
      resolve(value as Value)
    })
  })
}
