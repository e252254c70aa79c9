// Bench: what all benchmarks of submissions share; promises the server, its floor and the crowd of phones in a process each.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import commandServer from '../bin/server.json' with { type: 'json' }
import { makeAuthority, type TestAuthority } from '../test/key-zone.ts'
import { alternateWithBest, type Alternated } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import type { LoadOrder, LoadResult } from './submit-load.ts'

/** Connections at once. */
export const CONNECTIONS = 64
/** How long a round is measured. */
export const ROUND_SECONDS = 4
/** Rounds until a server is warm: V8 still compiles in the first half minute. */
export const WARM_ROUNDS = 8

const FLOOR_POOLS = [4, 16, 64]
/** Rounds in which a floor is warmed up: it does little, and has less to compile. */
const FLOOR_WARM_ROUNDS = 2
const FLOOR_SECONDS = 3
// More than a server answers, so that a round ends with its time; a fast floor may use them up earlier, and is measured until then.
const REQUESTS_A_SECOND = 6_000

/** The load of a round; what is left out is as `submit` has it. */
export type RoundOptions = Partial<Omit<LoadOrder, 'port'>>

/** What a server serves: the publish API, the same while it archives its log, or uploads of ct-diag-server's form without a proof. */
export type ServerMode = 'ours' | 'archiving' | 'ctdiag'

/** The processes of a benchmark, and a folder for what they need. */
export interface SubmissionBench extends Disposable {
  readonly folder: string
  readonly authority: TestAuthority
  readonly processes: Processes
  /** Starts a server on a database. @returns its port */
  startServer(databaseUrl: string, mode?: ServerMode): Promise<number>
  /** Starts floors with connection pools of several sizes, and warms them up. */
  startFloors(databaseUrl: string, kind?: 'new' | 'ctdiag'): Promise<readonly Floor[]>
  /** Sends requests to a port. @throws Error when one of them got another answer than it should */
  load(port: number, options?: RoundOptions): Promise<LoadResult>
  /** Does the same. @returns answers a second */
  rate(port: number, options?: RoundOptions): Promise<number>
}

/** The least that a durable answer costs, with a connection pool of one size. */
export interface Floor {
  readonly pool: number
  /** One round. @returns answers a second */
  rate(): Promise<number>
}

/** Measures ours against the best of the floors, and says which it was. */
export async function alternateWithFloors(
  rounds: number,
  ours: () => Promise<number>,
  floors: readonly Floor[],
  report: (line: string) => void,
): Promise<Alternated & { readonly floorPool: number }> {
  const rates = floors.map(({ rate }) => rate)
  const { best, ...result } = await alternateWithBest(rounds, ours, rates, report)
  return { ...result, floorPool: floors[best]?.pool ?? NaN }
}

/** Starts the crowd; servers follow when they are asked for. */
export function openSubmissionBench(): SubmissionBench {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
  const processes = new Processes()
  const authority = makeAuthority()
  const authorityFile = join(folder, 'authority.json')
  const privatePem = authority.privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(
    authorityFile,
    JSON.stringify({ ...authority, privateKey: undefined, privatePem }),
    { mode: 0o600 },
  )
  const crowd = processes.fork('./submit-load.ts', [authorityFile])
  let servers = 0
  const start = (mode: string, databaseUrl: string) => {
    const own = join(folder, `server-${servers++}`)
    mkdirSync(own)
    // As the command starts a server.
    const args = [mode, databaseUrl, authorityFile, own]
    return nextMessage<number>(
      processes.fork('./submit-server.ts', args, commandServer.flags, commandServer.environment),
    )
  }
  const load: SubmissionBench['load'] = async (port, options = {}) => {
    const seconds = options.seconds ?? ROUND_SECONDS
    const requests = seconds * REQUESTS_A_SECOND
    crowd.send({ port, kind: 'new', connections: CONNECTIONS, seconds, requests, ...options })
    const result = await nextMessage<LoadResult>(crowd)
    if (result.failed > 0)
      throw new Error(
        `${result.failed} of ${result.answered} requests got another answer than expected: ${JSON.stringify(result.unexpected)}`,
      )
    return result
  }
  const rate: SubmissionBench['rate'] = async (port, options) => {
    const { answered, seconds } = await load(port, options)
    return answered / seconds
  }
  return {
    folder,
    authority,
    processes,
    startServer: (databaseUrl, mode = 'ours') => start(mode, databaseUrl),
    async startFloors(databaseUrl, kind = 'new') {
      const floors: Floor[] = []
      for (const pool of FLOOR_POOLS) {
        const port = await start(`floor ${kind} ${pool}`, databaseUrl)
        floors.push({ pool, rate: () => rate(port, { kind, seconds: FLOOR_SECONDS }) })
      }
      for (let round = 0; round < FLOOR_WARM_ROUNDS; round++)
        for (const floor of floors) await floor.rate()
      return floors
    },
    load,
    rate,
    [Symbol.dispose]() {
      processes[Symbol.dispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
