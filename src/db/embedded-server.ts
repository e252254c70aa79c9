// Db: the processes of the embedded PostgreSQL; promises that one that runs answers, that one that was stopped is gone, and that a foreign process is never touched.

import { spawn, type ChildProcess } from 'node:child_process'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TocsinError } from '../errors.ts'
import type { Binaries } from './embedded-binaries.ts'
import { failed } from './embedded-cluster.ts'
import type { ServerLog } from './embedded-log.ts'
import { isRunning } from './embedded-owner.ts'
import { nameFor, runToEnd, spawnAs, type SystemUser } from './embedded-user.ts'

/** A PostgreSQL that was started here. */
export interface ServerProcess {
  /** Settles when it has ended, however. */
  readonly ended: Promise<void>
  readonly hasEnded: boolean
  /** Lets running transactions go, and waits until it is down. */
  stop(): Promise<void>
}

/**
 * The name that all processes of a database carry in their command line: made of what the file system knows the folder by, so
 * that neither a moved folder nor another container's folder of the same path is taken for it.
 */
export async function clusterName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true })
  return `tocsin_${dev.toString(16)}_${ino.toString(16)}`
}

/** Settings that the promises rest on; given as arguments, so that no file in the data folder can differ. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  // Durable before acknowledged.
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  // A server for one machine: the system's own cache holds the rest. Two zones' pools and the commands take some 50 connections.
  shared_buffers: '32MB',
  max_connections: '100',
  io_method: 'sync',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log holds what an operator needs, never a value: not errors of statements, not details, not statements, not parameters.
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'log',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
}

/** Starts PostgreSQL, in a process group of its own: a Ctrl-C on the terminal is for Tocsin, which stops it when its work is done. */
export async function startServerProcess(
  binaries: Binaries,
  user: SystemUser,
  directory: string,
  socketFolder: string,
  log: ServerLog,
): Promise<ServerProcess> {
  const settings = {
    ...SETTINGS,
    cluster_name: await clusterName(directory),
    unix_socket_directories: socketFolder,
  }
  const child = spawn(
    join(binaries.folder, 'bin', 'postgres'),
    [
      '-D',
      await nameFor(user, directory),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { ...spawnAs(user, directory), detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => log.write(text))
    ;(stream as Socket | null)?.unref()
  }
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', (error) => (log.write(`${error.message}\n`), resolve()))
  })
  if (child.pid !== undefined) watchOver(child, child.pid, user)
  // A process that has nothing else to do may end; what it leaves is stopped by the watch.
  child.unref()
  return {
    ended,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    },
    stop: () => stopChild(child, ended),
  }
}

/** Stops PostgreSQL when this process is gone, even by kill -9: the shell's standard input then ends. */
function watchOver(child: ChildProcess, pid: number, user: SystemUser): void {
  const watch = spawn('/bin/sh', ['-c', 'read -r line; kill -INT "$0"', String(pid)], {
    ...spawnAs(user, '/'),
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watch.on('error', () => undefined)
  watch.unref()
  // First of all, lest the watch signals a process that has got the same number.
  child.once('exit', () => watch.kill('SIGKILL'))
}

/** Milliseconds that a stop may take: without waiting for clients, then without a checkpoint. */
const FAST_MS = 30_000
const IMMEDIATE_MS = 10_000

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.ref()
  for (const [signal, milliseconds] of [
    ['SIGINT', FAST_MS],
    ['SIGQUIT', IMMEDIATE_MS],
  ] as const) {
    child.kill(signal)
    const patience = new AbortController()
    await Promise.race([
      ended,
      delay(milliseconds, undefined, { signal: patience.signal }).catch(() => undefined),
    ])
    patience.abort()
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  }
  child.kill('SIGKILL')
  await ended
}

/** A process of an embedded database. */
export interface Found {
  readonly pid: number
  /** The one that started the others. */
  readonly first: boolean
}

/**
 * Stops what a killed owner left running on a database, and removes a `postmaster.pid` that names a foreign process by now,
 * because PostgreSQL would not start.
 *
 * The caller owns the data folder, so that nobody alive wants these processes.
 *
 * @throws TocsinError `data_folder_in_use` when they can't be stopped
 */
export async function stopLeftovers(directory: string, user: SystemUser): Promise<void> {
  const name = await clusterName(directory).catch(() => undefined)
  if (name === undefined) return
  for (const [signal, milliseconds] of [
    ['SIGINT', FAST_MS],
    ['SIGQUIT', IMMEDIATE_MS],
    ['SIGKILL', IMMEDIATE_MS],
  ] as const)
    if (await endWith(signal, milliseconds, name, user)) break
  const left = (await findProcesses(name, user))[0]
  if (left !== undefined)
    throw new TocsinError(
      'data_folder_in_use',
      `A PostgreSQL that was left over in ${directory} can't be stopped: end the process ${left.pid}.`,
    )
  const file = join(directory, 'postmaster.pid')
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0])
  if (pid > 0 && isRunning(pid)) await rm(file, { force: true })
}

/** True when all are gone. */
async function endWith(
  signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL',
  milliseconds: number,
  name: string,
  user: SystemUser,
): Promise<boolean> {
  const told = new Set<number>()
  for (const end = performance.now() + milliseconds; performance.now() < end; await delay(20)) {
    const found = await findProcesses(name, user)
    if (found.length === 0) return true
    // The first process ends the others. When it is gone they would compute on for as long as they like: they end at once.
    const first = found.filter((each) => each.first)
    const orphaned = first.length === 0
    for (const { pid } of orphaned || signal === 'SIGKILL' ? found : first) {
      if (told.has(pid)) continue
      told.add(pid)
      kill(pid, orphaned && signal === 'SIGINT' ? 'SIGQUIT' : signal)
    }
  }
  return false
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}

/** By command line and user, which everybody may read: a process number alone may have been given to another program. */
export async function findProcesses(name: string, user: SystemUser): Promise<Found[]> {
  const found: Found[] = []
  for (const { pid, words } of await listProcesses(user)) {
    const first = words.startsWith('/') && words.includes(`/bin/postgres -D `)
    if (
      first ? words.includes(` -c cluster_name=${name} `) : words.startsWith(`postgres: ${name}: `)
    )
      found.push({ pid, first })
  }
  return found
}

/** The processes of a user, with their command lines. */
export async function listProcesses(user: SystemUser): Promise<{ pid: number; words: string }[]> {
  const listed: { pid: number; words: string }[] = []
  if (process.platform === 'linux') {
    for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each)))
      try {
        if ((await stat(`/proc/${pid}`)).uid !== user.uid) continue
        const words = await readFile(`/proc/${pid}/cmdline`, 'latin1')
        listed.push({ pid: Number(pid), words: `${words.replaceAll('\0', ' ').trim()} ` })
      } catch {
        // It ended in between.
      }
    return listed
  }
  const { output } = await runToEnd('ps', ['-A', '-ww', '-o', 'pid=,uid=,command='], {})
  for (const line of output.split('\n')) {
    const [, pid, uid, words] = /^\s*(\d+)\s+(-?\d+)\s+(.*)$/.exec(line) ?? []
    if (pid !== undefined && Number(uid) >>> 0 === user.uid)
      listed.push({ pid: Number(pid), words: `${words} ` })
  }
  return listed
}

/** The error of a PostgreSQL that ended while it was expected to start. */
export function startFailed(log: ServerLog): TocsinError {
  return failed('The embedded PostgreSQL did not start', log.tail())
}
