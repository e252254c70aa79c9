// Db: the files of the embedded database; promises that a database appears whole or not at all, and that one of another major version is left alone.

import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  lchown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TocsinError } from '../errors.ts'
import type { Binaries } from './embedded-binaries.ts'
import { nameFor, runToEnd, spawnAs, type SystemUser } from './embedded-user.ts'

/** The login that owns the embedded database, and the name of the database. */
export const OWNER = 'tocsin'

/** Lies inside the database's folder, so that copying or moving that folder can't part the two. */
const PASSWORD_FILE = 'tocsin.password'

/**
 * The owner's password.
 *
 * There is one, although the socket lies in a private folder: with PostgreSQL's `trust`, whoever reaches the socket (this process
 * as a zone's login, too) could name itself owner, and the zones would be apart in name only.
 */
export async function readPassword(directory: string): Promise<string> {
  const file = join(directory, PASSWORD_FILE)
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new TocsinError(
      'data_folder_unusable',
      `The password of the embedded database, ${file}, can't be read: run as the user who started it first, ` +
        'or restore the file from a backup.',
      { cause: error },
    )
  }
}

/**
 * Makes the database when there is none, else checks that these programs and this user can run it.
 *
 * @param privateFolder a folder that only the user can read, where the password lies while initdb runs
 * @throws TocsinError `data_folder_unusable`, `embedded_database_failed`
 */
export async function ensureCluster(
  directory: string,
  binaries: Binaries,
  user: SystemUser,
  privateFolder: string,
): Promise<void> {
  await removeUnfinished(directory)
  const found = await stat(directory).catch(() => undefined)
  if (found === undefined || (found.isDirectory() && (await readdir(directory)).length === 0))
    return makeCluster(directory, binaries, user, privateFolder)
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (user.dropped && found.uid === 0) await giveTo(user, directory)
  else if (found.uid !== user.uid)
    throw new TocsinError(
      'data_folder_unusable',
      `${directory} belongs to user ${found.uid}, this process is user ${user.uid}: start Tocsin as that user or as root.`,
    )
  if (version === undefined)
    throw new TocsinError(
      'data_folder_unusable',
      `${directory} holds something else than a PostgreSQL database: name another folder in TOCSIN_DATA.`,
    )
  if (version.trim() !== binaries.major)
    throw new TocsinError(
      'data_folder_unusable',
      `${directory} was made by PostgreSQL ${version.trim()}, this Tocsin brings PostgreSQL ${binaries.major}, which can't read it: ` +
        'use the version of Tocsin that made it, or recover into a new data folder.',
    )
  // PostgreSQL refuses a folder that others can read, as a copied one may be.
  await chmod(directory, 0o700)
}

/** Commit point: the rename. Before it there is no database, and what was begun is removed by the next start. */
async function makeCluster(
  directory: string,
  binaries: Binaries,
  user: SystemUser,
  privateFolder: string,
): Promise<void> {
  const staged = `${directory}.new-${randomBytes(6).toString('hex')}`
  const passwordFile = join(privateFolder, 'password')
  const password = randomBytes(24).toString('base64url')
  await mkdir(staged, { mode: 0o700 })
  await own(user, staged)
  await writePrivately(passwordFile, password, user)
  try {
    const { status, output } = await runToEnd(
      join(binaries.folder, 'bin', 'initdb'),
      [
        `--pgdata=${await nameFor(user, staged)}`,
        `--username=${OWNER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--data-checksums',
      ],
      spawnAs(user, staged),
    )
    if (status !== 0) throw failed('The embedded PostgreSQL could not make its database', output)
    await writePrivately(join(staged, PASSWORD_FILE), password, user)
    await syncFolder(staged)
    await rename(staged, directory)
    await syncFolder(dirname(directory))
  } finally {
    await rm(passwordFile, { force: true })
    await rm(staged, { recursive: true, force: true })
  }
}

/** An error of a program of PostgreSQL's, with the line that says most. */
export function failed(what: string, output: string): TocsinError {
  const lines = output.trim().split('\n')
  const line =
    lines.findLast((each) => /FATAL|PANIC|error:/.test(each)) ?? lines.at(-1) ?? 'no reason given'
  return new TocsinError('embedded_database_failed', `${what}: ${line.trim()}`)
}

/** What a killed start left half made. */
async function removeUnfinished(directory: string): Promise<void> {
  const folder = dirname(directory)
  for (const name of await readdir(folder))
    if (/^postgresql\.new-[0-9a-f]{12}$/.test(name))
      // An initdb that outlived its parent may still write there for a moment.
      await rm(join(folder, name), { recursive: true, force: true, maxRetries: 20 })
}

/** A new file that only the user can read, on disk when this returns. */
async function writePrivately(file: string, text: string, user: SystemUser): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(`${text}\n`)
    if (user.dropped) await handle.chown(user.uid, user.gid)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function own(user: SystemUser, folder: string): Promise<void> {
  if (user.dropped) await chown(folder, user.uid, user.gid)
}

/** A database that root restored from a backup belongs to root: it is handed to the user who runs it. */
async function giveTo(user: SystemUser, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid)
  await lchown(folder, user.uid, user.gid)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
