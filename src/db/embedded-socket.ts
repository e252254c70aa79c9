// Db: the folder of the embedded PostgreSQL's socket; promises a short path that only PostgreSQL's user and root can reach.

import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { TocsinError } from '../errors.ts'
import { canReach, type SystemUser } from './embedded-user.ts'

/** Bytes of a socket's path at the most: macOS has 104 with the final zero, Linux 108. */
const SOCKET_PATH_BYTES = 103
const SOCKET_NAME = '.s.PGSQL.5432'
const SOCKET_FOLDER = 'tocsin-'

/**
 * A private folder with a short path: the data folder's may be too long for a socket, or closed to PostgreSQL's user. Not in
 * XDG_RUNTIME_DIR: that is removed when its user logs out, while a server stays.
 *
 * @throws TocsinError `embedded_database_failed`
 */
export async function makeSocketFolder(user: SystemUser): Promise<string> {
  for (const place of [tmpdir(), '/tmp']) {
    const longest = join(place, `${SOCKET_FOLDER}123456`, SOCKET_NAME)
    if (Buffer.byteLength(longest) > SOCKET_PATH_BYTES) continue
    if (!(await canReach(user, place).catch(() => false))) continue
    const made = await mkdtemp(join(place, SOCKET_FOLDER)).catch(() => undefined)
    if (made === undefined) continue
    if (user.dropped) await chown(made, user.uid, user.gid)
    return made
  }
  throw new TocsinError(
    'embedded_database_failed',
    `There is no folder for PostgreSQL's socket: TMPDIR must name one with a short path that user ${user.uid} can reach.`,
  )
}

/** Removes a folder that {@link makeSocketFolder} made, and no other. */
export async function removeSocketFolder(socketFolder: string | undefined): Promise<void> {
  if (socketFolder !== undefined && /^tocsin-[A-Za-z0-9]{6}$/.test(basename(socketFolder)))
    await rm(socketFolder, { recursive: true, force: true })
}
