// Test: the command on a machine with an older Node.js, where a launcher runs it on the one that the package brings.

import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { temporaryFolder } from './temporary-folder.ts'

const COMMAND = join(import.meta.dirname, '../bin/tocsin')

/** A Node.js of this machine that can't run the command itself. */
function olderNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders
    .map((folder) => join(folder, 'node'))
    .find((node) => {
      const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
      const version = Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? NaN)
      return version >= 20 && version < 24
    })
}

/** Starts a process, waits until it serves, has it told to stop, and gives its exit status. */
async function stopped(
  [file, ...args]: readonly [string, ...string[]],
  env: Record<string, string>,
  tell: (child: ChildProcessWithoutNullStreams) => void,
): Promise<number | null> {
  const child = spawn(file, args, { env: { ...process.env, ...env } })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  let out = ''
  await new Promise<void>((resolve, reject) => {
    void closed.then(() => reject(new Error(`it ended early: ${out}`)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.includes('serving http')) resolve()
    })
  })
  tell(child)
  return closed
}

async function environment({ url }: TestDatabase, t: TestContext): Promise<Record<string, string>> {
  return { TOCSIN_DATABASE_URL: url, TOCSIN_DATA: await temporaryFolder(t), TOCSIN_PORT: '0' }
}

databaseTestOnce('one Ctrl-C in a terminal stops it cleanly', async (db, t) => {
  const node = olderNode()
  const hasTerminal = spawnSync('script', ['--version'], { encoding: 'utf8' })
  if (node === undefined) return t.skip('no older Node.js is installed')
  if (!hasTerminal.stdout?.includes('util-linux')) return t.skip('script is not installed')
  const run = ['script', '-qec', `exec '${node}' '${COMMAND}' start`, '/dev/null'] as const
  const status = await stopped(run, await environment(db, t), (child) => child.stdin.write('\x03'))
  assert.equal(status, 0)
})

databaseTestOnce('a signal to the launcher alone stops what it runs', async (db, t) => {
  const node = olderNode()
  if (node === undefined) return t.skip('no older Node.js is installed')
  const env = await environment(db, t)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const status = await stopped([node, COMMAND, 'start'], env, (child) => child.kill(name))
    assert.equal(status, 0, name)
  }
})

databaseTestOnce(
  'a start takes the flags that keep a server small, as the same process',
  async (db, t) => {
    if (process.platform !== 'linux') return t.skip('only /proc tells with what a process runs')
    const env = await environment(db, t)
    let variables = ''
    const argumentsOf = async (more: Record<string, string>) => {
      let found = ''
      const run = [process.execPath, COMMAND, 'start'] as const
      const status = await stopped(run, { ...env, ...more }, (child) => {
        found = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        variables = readFileSync(`/proc/${child.pid}/environ`, 'utf8').replaceAll('\0', '\n')
        child.kill()
      })
      assert.equal(status, 0)
      return found
    }
    assert.match(
      await argumentsOf({}),
      /node --max-semi-space-size=8 --max-old-space-size=512 --expose-gc \S+tocsin start $/,
    )
    assert.match(variables, /^MALLOC_ARENA_MAX=1$/m)
    // What the operator sets stays.
    assert.match(
      await argumentsOf({ NODE_OPTIONS: '--max-old-space-size=1024', MALLOC_ARENA_MAX: '3' }),
      /node --max-semi-space-size=8 --expose-gc \S+tocsin start $/,
    )
    assert.match(variables, /^MALLOC_ARENA_MAX=3$/m)
  },
)
