// Test runner: every test of the project in one run, on the embedded default and, where TOCSIN_TEST_DATABASE_URL names one, on a server.

import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded.ts'
import { beginRun } from './run-databases.ts'

/** Where Linux keeps files in memory, and what must be free there: what the tests' databases take, with their server's log, and as much again. */
const IN_MEMORY = '/dev/shm'
const ROOM_IN_MEMORY = 4 * 2 ** 30

const names = process.argv.slice(2)
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter(
  (file) => names.length === 0 || names.some((name) => file.includes(name)),
)
// Without a file, Node.js would take every file of these folders for a test.
if (files.length === 0) {
  process.stderr.write(`No file of tests has ${names.join(' or ')} in its name.\n`)
  process.exit(2)
}
const folder = await mkdtemp(join(tmpdir(), 'tocsin-tests-'))
const embeddedFolder = await mkdtemp(join(await roomyFolder(), 'tocsin-tests-'))
const embedded = await startEmbedded(embeddedFolder)
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
const server = process.env['TOCSIN_TEST_DATABASE_URL']
try {
  await using run = await beginRun(embedded.url, server)
  process.exitCode = await new Promise<number>((resolve) => {
    const child = spawn(process.execPath, ['--test', '--test-concurrency=4', ...files.sort()], {
      stdio: 'inherit',
      env: {
        ...process.env,
        TOCSIN_TEST_EMBEDDED_URL: embedded.url,
        // Hundreds of processes load the same files: the first one's work of compiling them does for all.
        NODE_COMPILE_CACHE: join(folder, 'compiled'),
        ...run.env,
      },
    })
    child.once('exit', (code) => resolve(code ?? 1))
    stop.signal.addEventListener('abort', () => child.kill('SIGTERM'))
  })
} finally {
  await embedded.close()
  for (const each of [folder, embeddedFolder]) await rm(each, { recursive: true, force: true })
}

/** A process that is killed stays so in memory as well as on a disk; and what is deleted all the time costs a disk more than what is tested. */
async function roomyFolder(): Promise<string> {
  const free = await statfs(IN_MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  )
  return free >= ROOM_IN_MEMORY ? IN_MEMORY : tmpdir()
}
