// Bench: the memory of a server, idle and through very many submissions; promises the real command in a process of its own.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { benchDatabase } from './database.ts'
import { median, type Benchmark } from './harness.ts'
import { openSubmissionBench, type SubmissionBench } from './submission-bench.ts'

// Fewer show that it runs; only this many show that memory doesn't grow.
const SUBMISSIONS = Number(process.env['BENCH_SUBMISSIONS'] ?? 1_000_000)
const SAMPLES = Math.max(20, Math.ceil(SUBMISSIONS / 50_000))
const IDLE_SECONDS = 10
const GOAL = { idleMiB: 120, loadedMiB: 200, growth: 1.05 }

/** `npm run bench -- submit-memory` */
export const bench: Benchmark = {
  summary: `MiB of memory that a server takes through ${SUBMISSIONS.toLocaleString('en')} submissions (BENCH_SUBMISSIONS)`,
  unit: 'MiB',
  goal: `under ${GOAL.loadedMiB}, the last quarter at most ${GOAL.growth} times the second; under ${GOAL.idleMiB} when idle`,
  async run(report) {
    await using database = await benchDatabase()
    using submissions = openSubmissionBench()
    const { child, port } = await startTocsin(submissions, database.url)
    await sleep(IDLE_SECONDS * 1000)
    const idle = residentMiB(child)
    report(`idle: ${idle.toFixed(1)} MiB`)
    const samples: number[] = []
    for (let sample = 1; sample <= SAMPLES; sample++) {
      const requests = Math.round(SUBMISSIONS / SAMPLES)
      await submissions.load(port, { seconds: 86_400, requests, live: true })
      const resident = residentMiB(child)
      samples.push(resident)
      report(`${(sample * requests).toLocaleString('en')} submissions: ${resident.toFixed(1)} MiB`)
    }
    const quarter = Math.floor(SAMPLES / 4)
    const second = median(samples.slice(quarter, 2 * quarter))
    const last = median(samples.slice(-quarter))
    const most = Math.max(...samples)
    return {
      value: most,
      floor: null,
      ratio: null,
      holds: most < GOAL.loadedMiB && last <= second * GOAL.growth && idle < GOAL.idleMiB,
      extra: { submissions: SUBMISSIONS, idle, secondQuarter: second, lastQuarter: last },
    }
  },
}

const TOCSIN = fileURLToPath(new URL('../bin/tocsin', import.meta.url))

/** Registers the health authority and starts the server, both by the command. */
async function startTocsin(
  { folder, authority, processes }: SubmissionBench,
  databaseUrl: string,
): Promise<{ child: ChildProcess; port: number }> {
  const env = {
    PATH: process.env['PATH'],
    TOCSIN_DATABASE_URL: databaseUrl,
    TOCSIN_DATA: join(folder, 'data'),
    TOCSIN_PORT: '0',
  }
  const keyFile = join(folder, 'authority.pem')
  const [key] = authority.keys
  writeFileSync(keyFile, key?.publicKey ?? '')
  const options = {
    app: authority.app,
    issuer: authority.issuer,
    audience: authority.audience,
    regions: authority.regions.join(','),
    kid: key?.kid ?? '',
    'public-key': keyFile,
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  await promisify(execFile)(process.execPath, [TOCSIN, 'authority', 'add', ...args], { env })
  const child = spawn(process.execPath, [TOCSIN, 'start'], {
    env,
    // Without a channel: it would keep the command from starting Node.js anew with its flags.
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  processes.add(child)
  const output = child.stdout
  for await (const line of createInterface({ input: output })) {
    const url = /^tocsin: serving (\S+)/.exec(line)?.[1]
    if (url === undefined) continue
    // What it says later is read by nobody, and must not stop it.
    output.resume()
    return { child, port: Number(new URL(url).port) }
  }
  throw new Error('the server ended before it served')
}

/** The resident memory of a process. @throws Error where the system doesn't tell */
function residentMiB({ pid }: ChildProcess): number {
  const file = `/proc/${pid}/status`
  if (!existsSync(file)) throw new Error('only a system with /proc tells how much memory it takes')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))?.[1]) / 1024
}
