// Db: who owns an embedded database; promises one owner for a data folder, and that an owner that was killed is none.

import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { TocsinError } from '../errors.ts'

/** What an owner tells about itself. It is a note, not the lock: it may be out of date. */
export interface OwnerNote {
  readonly pid: number
  readonly kind: 'server' | 'command'
  readonly state: 'starting' | 'ready' | 'stopping'
  /** The folder of the unix socket, once there is one. */
  readonly socketFolder?: string
}

/** The right to start, stop and change the database of a data folder. */
export interface Ownership {
  /** The note of the owner before, when that was killed. */
  readonly before: OwnerNote | undefined
  /** Replaces the note at once: readers see the old one or the new one. */
  tell(note: Omit<OwnerNote, 'pid'>): Promise<void>
  /** Gives the right back. The database must be down. */
  release(): Promise<void>
}

// An unreachable database object would be closed by the garbage collector, and with it the lock.
const held = new Set<DatabaseSync>()

/**
 * Takes the ownership of a data folder, or returns undefined when another process has it.
 *
 * Node.js can't lock a file, but SQLite, which comes with it, can: an exclusive transaction on an empty database is a lock of the
 * kernel's that ends with the process, however it ends. Nothing is ever written, so that no stale lock is left to be judged by
 * its age or by a process number that may belong to another program by now.
 *
 * @throws TocsinError `data_folder_unusable` when the folder can't be written or its file system has no locks
 */
export async function tryOwn(dataFolder: string): Promise<Ownership | undefined> {
  const lock = await tryLock(join(dataFolder, 'postgresql.lock'))
  if (lock === undefined) return undefined
  const noteFile = join(dataFolder, 'postgresql.owner.json')
  return {
    before: await readNote(dataFolder),
    async tell(note) {
      const staged = `${noteFile}.new`
      await rm(staged, { force: true })
      const handle = await open(staged, 'wx', 0o600)
      await handle.writeFile(JSON.stringify({ pid: process.pid, ...note }))
      await handle.close()
      await rename(staged, noteFile)
    },
    async release() {
      await rm(noteFile, { force: true })
      held.delete(lock)
      lock.close()
    },
  }
}

async function tryLock(file: string): Promise<DatabaseSync | undefined> {
  // Loaded here: whoever uses a PostgreSQL server never needs it.
  const { DatabaseSync } = await import('node:sqlite')
  let lock: DatabaseSync | undefined
  try {
    await createPrivately(file)
    lock = new DatabaseSync(file, { timeout: 0 })
    // The journal would be a second file, and a killed owner would leave it.
    lock.exec('pragma journal_mode = memory; begin exclusive')
    held.add(lock)
    return lock
  } catch (error) {
    lock?.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw new TocsinError(
      'data_folder_unusable',
      `The file ${file} can't be made or locked (${(error as Error).message}): TOCSIN_DATA must name a folder ` +
        'that this user can write to, on a file system with locks.',
      { cause: error },
    )
  }
}

const SQLITE_BUSY = 5

/** Only ever opened when it is new: closing any handle of a file ends the locks that the process has on it. */
async function createPrivately(file: string): Promise<void> {
  try {
    await (await open(file, 'wx', 0o600)).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** What the owner of a data folder tells, or told before it was killed; undefined when there is none. */
export async function readNote(dataFolder: string): Promise<OwnerNote | undefined> {
  try {
    return JSON.parse(
      await readFile(join(dataFolder, 'postgresql.owner.json'), 'utf8'),
    ) as OwnerNote
  } catch {
    return undefined
  }
}

/** Whether an owner's note is the word of a process that runs and serves. */
export function isServing(note: OwnerNote | undefined): note is OwnerNote {
  return note?.state === 'ready' && isRunning(note.pid)
}

/** Whether a process has this number, ours or not. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The refusal to open a data folder that another process has. */
export function inUse(dataFolder: string, note: OwnerNote | undefined): TocsinError {
  const owner =
    note === undefined
      ? 'another process'
      : `the ${note.kind === 'server' ? 'server' : 'command'} with process number ${note.pid}`
  return new TocsinError(
    'data_folder_in_use',
    `The data folder ${dataFolder} is in use by ${owner}: stop it, or name another folder in TOCSIN_DATA.`,
  )
}
