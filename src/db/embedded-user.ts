// Db: which system user the embedded PostgreSQL runs as, since it refuses root; promises the same choice for the same data folder.

import { spawn, type SpawnOptions } from 'node:child_process'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TocsinError } from '../errors.ts'

/** A system user by its numbers. */
export interface SystemUser {
  readonly uid: number
  readonly gid: number
  /** Whether this process is root and changes to the user; otherwise the user is its own. */
  readonly dropped: boolean
}

/** nobody's numbers where nobody is unknown. */
const NOBODY = 65_534

/**
 * This process's own user; when that is root: the owner of the database, else the owner of the data folder, else
 * `postgres`, else `nobody`.
 *
 * @param dataFolder exists
 * @param directory the database's own folder; may be missing
 */
export async function chooseUser(dataFolder: string, directory: string): Promise<SystemUser> {
  const uid = process.getuid?.() ?? 0
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0, dropped: false }
  const made = await stat(directory).catch(() => undefined)
  if (made !== undefined && made.uid !== 0) return { uid: made.uid, gid: made.gid, dropped: true }
  const folder = await stat(dataFolder)
  // initdb refuses a user without a name, as a folder that comes from another machine may have.
  if (folder.uid !== 0 && (await idOf('-u', String(folder.uid))) !== undefined)
    return { uid: folder.uid, gid: folder.gid, dropped: true }
  for (const name of ['postgres', 'nobody']) {
    const [user, group] = [await idOf('-u', name), await idOf('-g', name)]
    if (user !== undefined && group !== undefined && user !== 0)
      return { uid: user, gid: group, dropped: true }
  }
  return { uid: NOBODY, gid: NOBODY, dropped: true }
}

/** `id` knows the users of every directory service, which /etc/passwd does not. */
async function idOf(option: '-u' | '-g', name: string): Promise<number | undefined> {
  const { status, output } = await runToEnd('id', [option, name], {}).catch(() => ({
    status: 1,
    output: '',
  }))
  return status === 0 && /^\d+\s*$/.test(output) ? Number(output) : undefined
}

/**
 * Whether a user can pass through a folder and all above it. Access control lists are not looked at: a folder that only
 * they open counts as closed.
 */
export async function canReach(user: SystemUser, folder: string): Promise<boolean> {
  if (!user.dropped) return true
  for (let each = await realpath(folder); ; each = dirname(each)) {
    const { mode, uid, gid } = await stat(each)
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (each === dirname(each)) return true
  }
}

/** How to start a program of PostgreSQL's as a user: nothing of this process's environment reaches it (PGDATA and the like). */
export function spawnAs(user: SystemUser, cwd: string): SpawnOptions {
  return {
    cwd,
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    ...(user.dropped ? { uid: user.uid, gid: user.gid } : {}),
  }
}

/**
 * The name under which a program that starts in `folder` can use it.
 *
 * A folder may lie where the user can't go (a checkout in /root). This process can, and the program begins inside: on Linux it
 * then reaches the folder as its own working directory, whatever the modes of the folders above.
 *
 * @throws TocsinError `data_folder_unusable` where there is no such name
 */
export async function nameFor(user: SystemUser, folder: string): Promise<string> {
  if (await canReach(user, folder)) return folder
  if (process.platform === 'linux') return '/proc/self/cwd'
  throw new TocsinError(
    'data_folder_unusable',
    `PostgreSQL refuses to run as root, and user ${user.uid}, as which it would run, can't reach ${folder}: ` +
      'name another folder in TOCSIN_DATA, or start Tocsin as a user other than root.',
  )
}

/** Runs a program to its end. Rejects when it can't be started. */
export function runToEnd(
  program: string,
  values: readonly string[],
  options: SpawnOptions,
): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, values, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ status: code ?? 1, output }))
  })
}
