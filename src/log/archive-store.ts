// Log: the archive of one zone as a folder; promises that an object appears whole under the digest of its bytes or not at all, for its owner alone.

import { createHash, randomBytes } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { syncFolder } from '../db/private-file.ts'
import { TocsinError } from '../errors.ts'
import {
  nameOfObject,
  parseObjectName,
  type ArchiveKind,
  type ArchiveObject,
} from './archive-format.ts'

/** Where the objects of one zone's log lie. Every method throws TocsinError `archive_failed` when it can't be written or read. */
export interface Archive {
  /** For sentences that say where something lies. */
  readonly folder: string
  /** Every object, by its first event and its end; what else lies there is left out. */
  list(): Promise<ArchiveObject[]>
  /** An object's size in bytes, or undefined when it is not there. */
  sizeOf(name: string): Promise<number | undefined>
  /** Writes the bytes of a new object, durably, where nobody looks for objects yet. */
  stage(kind: ArchiveKind, bytes: AsyncIterable<Uint8Array>): Promise<StagedObject>
  /** The stored bytes of an object, piece by piece. */
  read(name: string): AsyncIterable<Uint8Array>
  /** Removes an object for good. One that is not there is no error. */
  remove(name: string): Promise<void>
  /** Removes what was staged of a kind and never kept: for who is alone in writing that. */
  clearStaging(kind: ArchiveKind): Promise<void>
}

/** An object that was written and has no name yet. */
export interface StagedObject {
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string
  readonly size: number
  /** Its bytes, read back. */
  read(): AsyncIterable<Uint8Array>
  /** Gives it its name, at once and durably. @returns it as it is stored */
  keep(content: Pick<ArchiveObject, 'kind' | 'first' | 'end'>): Promise<ArchiveObject>
  /** Removes it. */
  discard(): Promise<void>
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/**
 * An archive in a folder, which is made when the first object is written.
 *
 * @param path of one zone alone: `<archive>/key` or `<archive>/authority`
 */
export function openArchive(path: string): Archive {
  const folder = resolve(path)
  const staging = (kind: ArchiveKind) => join(folder, `.staging-${kind}`)
  const target = (name: string) => {
    if (parseObjectName(name) === undefined)
      throw new TocsinError('archive_failed', `"${name}" is no name of an object of the archive.`)
    return join(folder, name)
  }
  return {
    folder,
    list: () => listObjects(folder).catch(archiveFailed(folder)),
    sizeOf: async (name) =>
      (await orUndefined(stat(target(name))).catch(archiveFailed(folder)))?.size,
    stage: (kind, bytes) => stageObject(folder, staging(kind), bytes).catch(archiveFailed(folder)),
    read: (name) => readPieces(target(name)),
    remove: (name) => removeFile(folder, target(name)).catch(archiveFailed(folder)),
    clearStaging: (kind) => clearFolder(staging(kind)).catch(archiveFailed(folder)),
  }
}

async function listObjects(folder: string): Promise<ArchiveObject[]> {
  const objects: ArchiveObject[] = []
  for (const name of (await orUndefined(readdir(folder))) ?? []) {
    const parsed = parseObjectName(name)
    // One that is dropped meanwhile is none any more.
    const stats = parsed === undefined ? undefined : await orUndefined(lstat(join(folder, name)))
    // A link, or a pipe without an end, is none of ours.
    if (parsed !== undefined && stats?.isFile() === true)
      objects.push({ ...parsed, size: stats.size })
  }
  return objects.sort((a, b) => a.first - b.first || a.end - b.end)
}

async function stageObject(
  folder: string,
  staging: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<StagedObject> {
  await makeFolder(folder)
  await makeFolder(staging)
  const file = join(staging, randomBytes(8).toString('hex'))
  const discard = () => rm(file, { force: true }).catch(archiveFailed(file))
  const hash = createHash('sha256')
  let size = 0
  try {
    await using handle = await open(file, 'wx', FILE_MODE)
    // The mode that it was opened with is cut by the process's mask.
    await handle.chmod(FILE_MODE)
    for await (const piece of bytes) {
      hash.update(piece)
      size += piece.length
      await handle.writeFile(piece)
    }
    await handle.sync()
  } catch (error) {
    await discard().catch(() => undefined)
    throw error
  }
  const digest = hash.digest('hex')
  const keep: StagedObject['keep'] = async ({ kind, first, end }) => {
    const object = { kind, first, end, digest, size }
    const name = nameOfObject(object)
    await rename(file, join(folder, name))
    await syncFolder(folder)
    return { ...object, name }
  }
  return {
    digest,
    size,
    read: () => readPieces(file),
    keep: (content) => keep(content).catch(archiveFailed(folder)),
    discard,
  }
}

/** A name that leads elsewhere by now is not followed. Windows has no such flag, which is undefined there and sets no bit. */
const READ_FLAGS = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string

async function* readPieces(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(file, { flags: READ_FLAGS }))
      yield piece as Uint8Array
  } catch (error) {
    archiveFailed(file)(error)
  }
}

async function clearFolder(folder: string): Promise<void> {
  for (const name of (await orUndefined(readdir(folder))) ?? [])
    await rm(join(folder, name), { force: true })
}

async function removeFile(folder: string, file: string): Promise<void> {
  if ((await orUndefined(unlink(file).then(() => true))) === true) await syncFolder(folder)
}

/** Makes a folder with those above it, each for its owner alone, whatever the process's mask; those that are there stay as they are. */
async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  if (made === undefined) return
  for (let each = folder; each.length >= made.length; each = dirname(each)) {
    await chmod(each, FOLDER_MODE)
    // A new folder's name is durable only once the folder above it is.
    await syncFolder(dirname(each))
  }
}

/** For a promise's `catch`: turns an error of the file system into `archive_failed`, and leaves every other as it is. */
function archiveFailed(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof TocsinError || !(error instanceof Error) || !('syscall' in error))
      throw error
    throw new TocsinError(
      'archive_failed',
      `${path} can't be written or read (${String((error as NodeJS.ErrnoException).code)}): check the disk's room and the folder's owner.`,
      { cause: error },
    )
  }
}

async function orUndefined<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  try {
    return await promise
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
