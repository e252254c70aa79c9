// Test helper: data folders with an embedded database, and what lies and runs there; promises to remove them afterwards.

import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { clusterName, findProcesses, listProcesses } from '../src/db/embedded-server.ts'
import { chooseUser } from '../src/db/embedded-user.ts'

/** Root starts PostgreSQL for another user. */
export const isRoot = process.getuid?.() === 0

/** A folder with a database, for all tests of a file that leave it whole, as every one that is not about damage must. */
export async function sharedFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-embedded-'))
  if (isRoot) await chmod(folder, 0o711)
  await (await startEmbedded(folder)).close()
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An empty folder of the test's own. */
export async function emptyFolder(t: TestContext): Promise<string> {
  const empty = await mkdtemp(join(tmpdir(), 'tocsin-embedded-'))
  if (isRoot) await chmod(empty, 0o711)
  t.after(() => rm(empty, { recursive: true, force: true, maxRetries: 20 }))
  return empty
}

/** One statement on a connection of its own. */
export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = await connectOnce(parseAddress(url))
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** Numbers of the PostgreSQL processes on a data folder, the first one first. */
export async function databasePids(folder: string): Promise<number[]> {
  const directory = join(folder, 'postgresql')
  const user = await chooseUser(folder, directory)
  const found = await findProcesses(await clusterName(directory), user)
  return found.sort((a, b) => Number(b.first) - Number(a.first)).map(({ pid }) => pid)
}

/** Lets PostgreSQL outlive its owner: ends the shell that would stop it. */
export async function endWatch(folder: string): Promise<void> {
  const directory = join(folder, 'postgresql')
  const [first] = await databasePids(folder)
  const all = await listProcesses(await chooseUser(folder, directory))
  const watches = all.filter(
    ({ words }) => words.startsWith('/bin/sh -c read') && words.endsWith(` ${first} `),
  )
  assert.equal(watches.length, 1)
  killAll(watches.map(({ pid }) => pid))
}

/** Keeps PostgreSQL from ending, by a connection that stands still until the returned function is called. */
export async function standStill(url: string): Promise<() => void> {
  const still = await connectOnce(parseAddress(url))
  const { rows } = await still.query<{ pid: number }>('select pg_backend_pid() as pid')
  const pid = rows[0]?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  return () => process.kill(pid, 'SIGCONT')
}

/** kill -9 of each. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended with the one before.
    }
}

/** Waits until something holds. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 30_000; !(await holds()); await delay(20))
    assert.ok(performance.now() < end, `not within 30 s: ${what}`)
}

/** The folder of a database's socket, if it is still there. */
export async function socketFolders(url: string): Promise<string[]> {
  const folder = parseAddress(url).host ?? ''
  return (await stat(folder).catch(() => undefined)) === undefined ? [] : [folder]
}

/** Closed at the end of its block. */
export function disposable<Closes extends { close(): Promise<void> }>(
  value: Closes,
): Closes & AsyncDisposable {
  return { ...value, [Symbol.asyncDispose]: () => value.close() }
}
