// Bench: downloads a second, ours against nginx, one process each, on the same files; promises an nginx that does nothing but send them.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findNginx, startNginx } from '../test/nginx.ts'
import { alternate, median, type Benchmark, type BenchResult } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import type { DownloadOrder, DownloadResult } from './serve-load.ts'

const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 64
const GOAL = 0.4

const ZIP_BYTES = 100_000
/** Two weeks of a stream of two hours. */
const INDEX_LINES = 168
const FIRST_START = 1_773_129_600
const PERIOD_SECONDS = 7_200

const pathOf = (number: number) => {
  const start = FIRST_START + number * PERIOD_SECONDS
  return `bench/${start}-${start + PERIOD_SECONDS}-00001.zip`
}
const FILES: readonly ServedFile[] = [
  { name: 'index', path: '/exports/bench/index.txt' },
  { name: 'zip', path: `/exports/${pathOf(0)}` },
]

/** A file that is downloaded. */
export interface ServedFile {
  readonly name: string
  readonly path: string
  /** Where nginx has the same file; left out, at the same path. */
  readonly floorPath?: string
}

/** `npm run bench -- serve` */
export const bench: Benchmark = {
  summary: `downloads a second of an index and of a 100 KB zip, ${CONNECTIONS} connections that stay open`,
  unit: 'downloads/s',
  goal: `at least ${GOAL} of nginx, one process each, for both; value and ratio are those of the worse`,
  run: (report) => measureDownloads(FILES, makeFiles, report),
}

/**
 * Downloads a second, ours against nginx where it is installed; of the worst of some files.
 *
 * @param makeFiles puts them below a served root
 */
export async function measureDownloads(
  files: readonly ServedFile[],
  makeServed: (root: string) => void,
  report: (line: string) => void,
): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
  using processes = new Processes()
  try {
    makeServed(join(folder, 'public'))
    return await measure(files, folder, processes, report)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(
  files: readonly ServedFile[],
  folder: string,
  processes: Processes,
  report: (line: string) => void,
): Promise<BenchResult> {
  const root = join(folder, 'public')
  const ours = await nextMessage<number>(processes.fork('./serve-server.ts', [root]))
  const theirs = await startFloor(folder, root, processes)
  const { generator, load, highestLoad } = await openGenerator(processes)
  report(`downloads by ${generator}`)
  if (theirs === undefined) report('nginx is not installed: there is nothing to compare with')

  const results: { name: string; value: number; floor: number | null; ratio: number | null }[] = []
  for (const { name, path, floorPath = path } of files) {
    report(`${name}:`)
    const ask = (port: number) =>
      load({
        port,
        path: port === ours ? path : floorPath,
        connections: CONNECTIONS,
        seconds: SECONDS,
      })
    for (const port of [ours, theirs, ours]) if (port !== undefined) await ask(port)
    const measured =
      theirs === undefined
        ? await alone(() => ask(ours), report)
        : await alternate(
            ROUNDS,
            () => ask(ours),
            () => ask(theirs),
            report,
          )
    results.push({ name, ...measured })
  }
  const [worse] = results.sort((a, b) => (a.ratio ?? a.value) - (b.ratio ?? b.value))
  if (worse === undefined) throw new Error('nothing was measured')
  const { value, floor, ratio } = worse
  return {
    value,
    floor,
    ratio,
    // Without nginx nothing says that the goal was missed, nor that it was reached.
    holds: ratio !== null && ratio >= GOAL,
    extra: {
      generator,
      ...(highestLoad() === undefined ? {} : { generatorLoad: highestLoad() ?? 0 }),
      ...(theirs === undefined ? { missing: 'nginx is not installed' } : {}),
      ...Object.fromEntries(
        results.flatMap(({ name, value, floor, ratio }) => [
          [`${name}Rate`, value],
          ...(floor === null || ratio === null
            ? []
            : [
                [`${name}Floor`, floor],
                [`${name}Ratio`, ratio],
              ]),
        ]),
      ),
    },
  }
}

function makeFiles(root: string): void {
  mkdirSync(join(root, 'exports/bench'), { recursive: true })
  const lines = Array.from({ length: INDEX_LINES }, (_, number) => pathOf(number))
  writeFileSync(join(root, 'exports/bench/index.txt'), lines.join('\n'))
  writeFileSync(join(root, 'exports', pathOf(0)), randomBytes(ZIP_BYTES))
}

/** @returns nginx's port, or undefined where there is no nginx */
async function startFloor(
  folder: string,
  root: string,
  processes: Processes,
): Promise<number | undefined> {
  const nginx = findNginx()
  if (nginx === undefined) return undefined
  const port = await freePort()
  // Faster than deploy/nginx.conf, which looks for links on the way to a file, as ours does.
  const server = `server {
  listen 127.0.0.1:${port};
  root "${root}";
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
}`
  processes.add(await startNginx(nginx, folder, server, { host: '127.0.0.1', port }))
  return port
}

/** Loads a server. @returns answers a second */
type Load = (order: DownloadOrder) => Promise<number>

/** What sends the requests. */
interface Generator {
  readonly generator: string
  readonly load: Load
  /** How much of one processor it took at most: near 1 it was the limit of the faster side. Undefined where nobody knows. */
  highestLoad(): number | undefined
}

/** wrk where it is installed, as it takes less of the machine than a generator of ours; the same for both sides. */
async function openGenerator(processes: Processes): Promise<Generator> {
  const run = promisify(execFile)
  const hasWrk = await run('wrk', ['-v']).then(
    () => true,
    // It ends with status 1 when it has said its version.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
  if (hasWrk)
    return {
      generator: 'wrk',
      async load({ port, path, connections, seconds }) {
        const url = `http://127.0.0.1:${port}${path}`
        const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url])
        const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(stdout)?.[1]
        if (rate === undefined || /Non-2xx|Socket errors.*(connect|timeout) [1-9]/.test(stdout))
          throw new Error(`wrk failed: ${stdout}`)
        return Number(rate)
      },
      highestLoad: () => undefined,
    }
  const crowd = processes.fork('./serve-load.ts', [])
  let highest = 0
  return {
    generator: 'our own',
    async load(order) {
      crowd.send(order)
      const { answered, seconds, load } = await nextMessage<DownloadResult>(crowd)
      highest = Math.max(highest, load)
      return answered / seconds
    },
    highestLoad: () => highest,
  }
}

async function alone(
  ours: () => Promise<number>,
  report: (line: string) => void,
): Promise<{ value: number; floor: null; ratio: null }> {
  const values: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const rate = await ours()
    values.push(rate)
    report(`round ${round}: ${rate.toFixed(0)}`)
  }
  return { value: median(values), floor: null, ratio: null }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
