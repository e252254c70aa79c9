// Test runner: every test of the project in one run, on the embedded default and, where TOCSIN_TEST_DATABASE_URL names one, on a server.

import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded.ts'
import { createTemplate } from './create-database.ts'

const names = process.argv.slice(2)
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter(
  (file) => names.length === 0 || names.some((name) => file.includes(name)),
)
const folder = await mkdtemp(join(tmpdir(), 'tocsin-tests-'))
const embedded = await startEmbedded(folder)
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
const server = process.env['TOCSIN_TEST_DATABASE_URL']
try {
  await using template = await createTemplate([
    embedded.url,
    ...(server === undefined ? [] : [server]),
  ])
  process.exitCode = await new Promise<number>((resolve) => {
    const child = spawn(process.execPath, ['--test', '--test-concurrency=3', ...files.sort()], {
      stdio: 'inherit',
      env: { ...process.env, TOCSIN_TEST_EMBEDDED_URL: embedded.url, ...template.env },
    })
    child.once('exit', (code) => resolve(code ?? 1))
    stop.signal.addEventListener('abort', () => child.kill('SIGTERM'))
  })
} finally {
  await embedded.close()
  await rm(folder, { recursive: true, force: true })
}
