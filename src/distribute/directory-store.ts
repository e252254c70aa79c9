// Distribute: published files in a directory that any web server can serve; promises that a file appears whole or not at all, and never changes when it must not.

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { syncFolder } from '../db/private-file.ts'
import { TocsinError } from '../errors.ts'
import { publicKind } from './public-paths.ts'
import { inspectFile, streamFile, type StoredObject } from './read-stored.ts'
import { storeFailed } from './store-error.ts'

/** Where published files are put. Every method throws TocsinError `store_failed` when the store can't be written or read. */
export interface ObjectStore {
  /** A new path for a file that is being made, on the same file system, not served. Nobody else gets the same. */
  stagingPath(name: string): Promise<string>
  /**
   * Moves a staged file to its public path, durably. Putting the same bytes again is harmless.
   *
   * @param digest SHA-256 of the staged file
   * @throws TocsinError `store_conflict` when other bytes lie there: a published file never changes
   */
  putImmutable(path: string, staged: string, digest: Uint8Array): Promise<void>
  /** Replaces a file at once: readers see the old one or the new one. @throws TocsinError `store_conflict` */
  putMutable(path: string, content: Content): Promise<void>
  /** A small file's bytes, or undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /**
   * A file's bytes in pieces, of the file as it is now, also when it is replaced meanwhile; undefined when there is none. Whoever
   * gets them reads them, or ends the iteration.
   *
   * @param start the first byte
   */
  stream(path: string, start?: number): Promise<AsyncIterable<Uint8Array> | undefined>
  /** A file's size in bytes, or undefined when there is none. */
  sizeOf(path: string): Promise<number | undefined>
  /** What lies at a public path, read as a stream; undefined when nothing does. */
  inspect(path: string): Promise<StoredObject | undefined>
  /** Every file that lies in the store, whatever its name, in no order; what is staged is not among them. */
  list(): AsyncIterable<StoredFile>
  /**
   * Moves a staged file to its public path, durably and at once, whatever file lies there: for the recorded bytes of a file that
   * something else has changed.
   *
   * @throws TocsinError `store_conflict` when the path is one that is replaced
   */
  restore(path: string, staged: string): Promise<void>
  /**
   * Removes a file for good, of any name that {@link list} gives. One that is not there is no error.
   *
   * @throws TocsinError `store_conflict` when the path leads out of the store, or to what is staged
   */
  remove(path: string): Promise<void>
  /** Removes what was staged and never put: for a publisher that begins, when nobody else can be publishing. */
  clearStaging(): Promise<void>
}

/** The bytes of a file, whole or in pieces. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** A file of the store. */
export interface StoredFile {
  /** Below the root, its folders with a slash behind them. */
  readonly path: string
  /** Bytes. */
  readonly size: number
}

// A web server runs under another user, who must be able to read what is published.
const FILE_MODE = 0o644
const FOLDER_MODE = 0o755
const PRIVATE_FOLDER_MODE = 0o700

const STAGING = '.staging'

/**
 * A store in a directory.
 *
 * @param root the directory that is served; files are staged in `.staging` below it, which nobody else can enter: so they lie
 * on the same file system also where the root is a volume of its own
 */
export function openDirectoryStore(root: string): ObjectStore {
  const folder = resolve(root)
  const staging = join(folder, STAGING)
  const targetOf = (path: string, immutable?: boolean) => {
    const kind = publicKind(path)
    if (kind === undefined) throw new TocsinError('store_conflict', `"${path}" is no public path.`)
    if (immutable !== undefined && kind.immutable !== immutable)
      throw new TocsinError(
        'store_conflict',
        `${path} ${kind.immutable ? 'must never be replaced' : 'is one that is replaced'}.`,
      )
    return join(folder, path)
  }
  const stagingPath = async (name: string) => {
    await makeStaging(folder, staging).catch(storeFailed(staging))
    const unique = randomBytes(8).toString('hex')
    return join(staging, `${name.replaceAll('/', '_')}.${unique}`)
  }
  return {
    stagingPath,
    async putImmutable(path, staged, digest) {
      const target = targetOf(path, true)
      await putOnce(path, staged, target, digest).catch(storeFailed(target))
    },
    async putMutable(path, content) {
      const target = targetOf(path, false)
      const staged = await stagingPath(path)
      await replace(content, staged, target).catch(storeFailed(target))
    },
    read: async (path) => {
      const target = targetOf(path)
      return await orUndefined(readFile(target)).catch(storeFailed(target))
    },
    stream: async (path, start = 0) => {
      const target = targetOf(path)
      return await orUndefined(streamFile(target, start)).catch(storeFailed(target))
    },
    sizeOf: async (path) => {
      const target = targetOf(path)
      return (await orUndefined(stat(target)).catch(storeFailed(target)))?.size
    },
    inspect: async (path) => {
      const target = targetOf(path)
      return await orUndefined(inspectFile(target)).catch(storeFailed(target))
    },
    async *list() {
      try {
        yield* listFiles(folder, '')
      } catch (error) {
        storeFailed(folder)(error)
      }
    },
    async restore(path, staged) {
      const target = targetOf(path, true)
      await replaceWith(staged, target).catch(storeFailed(target))
    },
    async remove(path) {
      if (!isInside(path))
        throw new TocsinError('store_conflict', `"${path}" is no path of the store.`)
      const target = join(folder, path)
      await orUndefined(removeFile(folder, path)).catch(storeFailed(target))
    },
    clearStaging: () => rm(staging, { recursive: true, force: true }).catch(storeFailed(staging)),
  }
}

/** SHA-256 of a file, read as a stream. */
export async function digestFile(file: string): Promise<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array)
  return hash.digest()
}

async function putOnce(
  path: string,
  staged: string,
  target: string,
  digest: Uint8Array,
): Promise<void> {
  await makeFolder(dirname(target))
  // Durable under its staged name before it has a public one: a name must never lead to half a file.
  await finishFile(staged)
  try {
    // Unlike rename, link refuses to replace what is there.
    await link(staged, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (!(await digestFile(target)).equals(digest))
      throw new TocsinError('store_conflict', `${path} is published with other bytes.`)
  }
  await syncFolder(dirname(target))
  await rm(staged, { force: true })
}

async function replace(content: Content, staged: string, target: string): Promise<void> {
  const handle = await open(staged, 'wx', FILE_MODE)
  try {
    await handle.writeFile(content)
  } finally {
    await handle.close()
  }
  await replaceWith(staged, target)
}

async function replaceWith(staged: string, target: string): Promise<void> {
  await makeFolder(dirname(target))
  await finishFile(staged)
  await rename(staged, target)
  await syncFolder(dirname(target))
}

/** The files below a folder of the store, a folder at a time, so that only the names of one page are held. */
async function* listFiles(root: string, folder: string): AsyncGenerator<StoredFile> {
  const entries = await orUndefined(opendir(join(root, folder)))
  if (entries === undefined) return
  for await (const { name } of entries) {
    const path = folder === '' ? name : `${folder}/${name}`
    if (path === STAGING) continue
    const stats = await orUndefined(lstat(join(root, path)))
    // A link is a file of its own, also one to a folder: what lies behind it is not the store's.
    if (stats?.isDirectory() === true) yield* listFiles(root, path)
    else if (stats !== undefined) yield { path, size: stats.size }
  }
}

/** Whether a path is one that {@link listFiles} could give. */
function isInside(path: string): boolean {
  const names = path.split('/')
  return names[0] !== STAGING && names.every((name) => !['', '.', '..'].includes(name))
}

async function removeFile(root: string, path: string): Promise<void> {
  const folder = dirname(join(root, path))
  // A folder that is a link by now would lead to somebody else's file.
  if ((await realpath(folder)) !== dirname(join(await realpath(root), path)))
    throw new TocsinError('store_conflict', `${path} lies behind a link: it is not the store's.`)
  await unlink(join(root, path))
  await syncFolder(folder)
}

async function makeStaging(folder: string, staging: string): Promise<void> {
  await makeFolder(folder)
  await mkdir(staging, { recursive: true, mode: PRIVATE_FOLDER_MODE })
}

/** Makes a folder with those above it, each for everybody to read, whatever the process's mask. */
async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  if (made === undefined) return
  for (let each = folder; each.length >= made.length; each = dirname(each)) {
    await chmod(each, FOLDER_MODE)
    // A new folder's name is durable only once the folder above it is.
    await syncFolder(dirname(each))
  }
}

async function finishFile(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.chmod(FILE_MODE)
    await handle.sync()
  } finally {
    await handle.close()
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
