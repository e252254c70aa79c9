// Db: the embedded PostgreSQL, the default where no server is named; promises one owner a data folder, nothing lost by kill -9, and that only its own user and root can connect.

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseError, type Client } from 'pg'
import { TocsinError } from '../errors.ts'
import { connectOnce, parseAddress } from './database.ts'
import { packagedBinaries, placesForCopy, usableBinaries } from './embedded-binaries.ts'
import { ensureCluster, OWNER, readPassword } from './embedded-cluster.ts'
import { keepRunning } from './embedded-keeper.ts'
import { openServerLog } from './embedded-log.ts'
import {
  inUse,
  isServing,
  readNote,
  tryOwn,
  type OwnerNote,
  type Ownership,
} from './embedded-owner.ts'
import {
  startFailed,
  startServerProcess,
  stopLeftovers,
  type ServerProcess,
} from './embedded-server.ts'
import { makeSocketFolder, removeSocketFolder } from './embedded-socket.ts'
import { chooseUser } from './embedded-user.ts'

/** An embedded database that answers. */
export interface Embedded {
  /** The owner's login. Holds its password: never to be printed. */
  readonly url: string
  /** Where the database lies. */
  readonly directory: string
  /** Stops the database when this process started it. May be called again. */
  close(): Promise<void>
}

/** How long a server waits for an owner that is about to go, and a command for others' commands, in milliseconds. */
const SERVER_PATIENCE_MS = 5_000
const COMMAND_PATIENCE_MS = 60_000

/** Between two looks, in milliseconds. */
const LOOK_MS = 40

/**
 * Starts the database of a data folder for the one process that owns it, making what is missing.
 *
 * @throws TocsinError `data_folder_in_use` when another process owns it; `data_folder_unusable`,
 * `embedded_database_missing`, `embedded_database_failed`
 */
export async function startEmbedded(dataFolder: string): Promise<Embedded> {
  const folder = await prepareFolder(dataFolder)
  const end = performance.now() + SERVER_PATIENCE_MS
  for (;;) {
    const ownership = await tryOwn(folder)
    if (ownership !== undefined) return startAsOwner(folder, ownership, 'server')
    const note = await readNote(folder)
    // A server stays; a command, or an owner that is stopping or was killed just now, is soon gone.
    if ((isServing(note) && note.kind === 'server') || performance.now() > end)
      throw inUse(folder, note)
    await delay(LOOK_MS)
  }
}

/**
 * Opens the database of a data folder for a command: joins a running server's, else owns it for a while. Commands without a
 * server take turns.
 *
 * @throws TocsinError as {@link startEmbedded}
 */
export async function openEmbedded(dataFolder: string): Promise<Embedded> {
  const folder = await prepareFolder(dataFolder)
  const end = performance.now() + COMMAND_PATIENCE_MS
  for (;;) {
    const ownership = await tryOwn(folder)
    if (ownership !== undefined) return startAsOwner(folder, ownership, 'command')
    const note = await readNote(folder)
    const joined = await joinServer(folder, note)
    if (joined !== undefined) return joined
    if (performance.now() > end) throw inUse(folder, note)
    await delay(LOOK_MS)
  }
}

async function prepareFolder(dataFolder: string): Promise<string> {
  if (process.platform === 'win32')
    throw new TocsinError(
      'embedded_database_missing',
      'There is no embedded database on Windows: name a PostgreSQL server in TOCSIN_DATABASE_URL.',
    )
  const folder = resolve(dataFolder)
  try {
    // Others may pass through, not look around: PostgreSQL's user and a web server must reach what is theirs.
    await mkdir(folder, { recursive: true, mode: 0o711 })
  } catch (error) {
    throw new TocsinError(
      'data_folder_unusable',
      `The data folder ${folder} can't be made (${(error as Error).message}): name another one in TOCSIN_DATA.`,
      { cause: error },
    )
  }
  return folder
}

/** Everything between taking the ownership and giving it back, also when something fails on the way. */
async function startAsOwner(
  folder: string,
  ownership: Ownership,
  kind: OwnerNote['kind'],
): Promise<Embedded> {
  const undo = [() => ownership.release()]
  let closing: Promise<void> | undefined
  const close = () => (closing ??= undoAll(undo))
  try {
    await ownership.tell({ kind, state: 'starting' })
    const directory = databaseFolder(folder)
    const user = await chooseUser(folder, directory)
    const binaries = await usableBinaries(packagedBinaries(), placesForCopy(folder), user)
    await stopLeftovers(directory, user)
    await removeSocketFolder(ownership.before?.socketFolder)
    const socketFolder = await makeSocketFolder(user)
    undo.push(() => removeSocketFolder(socketFolder))
    await ensureCluster(directory, binaries, user, socketFolder)
    const log = openServerLog(join(folder, 'postgresql.log'))
    undo.push(async () => log.close())
    const start = () => startServerProcess(binaries, user, directory, socketFolder, log)
    const server = await start()
    let running: Pick<ServerProcess, 'stop'> = server
    undo.push(async () => {
      await ownership.tell({ kind, state: 'stopping' }).catch(() => undefined)
      await running.stop()
    })
    const password = await readPassword(directory)
    if (!(await waitUntilReady(server, socketFolder, password))) throw startFailed(log)
    running = keepRunning(server, async () => {
      await stopLeftovers(directory, user)
      return start()
    })
    await ownership.tell({ kind, state: 'ready', socketFolder })
    return { url: ownerUrl(socketFolder, password, OWNER), directory, close }
  } catch (error) {
    await close()
    if (error instanceof TocsinError || (error as NodeJS.ErrnoException).syscall === undefined)
      throw error
    throw new TocsinError(
      'embedded_database_failed',
      `The embedded PostgreSQL in ${folder} can't be made ready: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

async function undoAll(steps: (() => Promise<void>)[]): Promise<void> {
  const step = steps.pop()
  if (step === undefined) return
  try {
    await step()
  } finally {
    await undoAll(steps)
  }
}

async function joinServer(
  folder: string,
  note: OwnerNote | undefined,
): Promise<Embedded | undefined> {
  if (!isServing(note) || note.kind !== 'server' || note.socketFolder === undefined)
    return undefined
  const directory = databaseFolder(folder)
  const url = ownerUrl(note.socketFolder, await readPassword(directory), OWNER)
  try {
    await (await connectOnce(parseAddress(url))).end()
  } catch (error) {
    // The server is stopping or was killed: what it leaves is the next owner's.
    if (error instanceof TocsinError && error.code === 'unavailable') return undefined
    throw error
  }
  return { url, directory, close: async () => undefined }
}

function databaseFolder(folder: string): string {
  return join(folder, 'postgresql')
}

function ownerUrl(socketFolder: string, password: string, database: string): string {
  return `postgres://${OWNER}:${password}@${encodeURIComponent(socketFolder)}/${database}`
}

/** Waits until the database answers and exists, however long the recovery after a kill takes; false when PostgreSQL ended. */
async function waitUntilReady(
  server: ServerProcess,
  socketFolder: string,
  password: string,
): Promise<boolean> {
  const address = parseAddress(ownerUrl(socketFolder, password, 'postgres'))
  while (!server.hasEnded) {
    let client: Client | undefined
    try {
      client = await connectOnce(address)
      const found = await client.query('select from pg_database where datname = $1', [OWNER])
      if (found.rowCount === 0) await client.query(`create database ${OWNER}`)
      return true
    } catch (error) {
      if (error instanceof DatabaseError)
        throw new TocsinError(
          'embedded_database_failed',
          `The embedded PostgreSQL refused its owner: ${error.message}`,
          { cause: error },
        )
    } finally {
      await client?.end().catch(() => undefined)
    }
    await Promise.race([server.ended, delay(LOOK_MS / 2)])
  }
  await server.ended
  return false
}
