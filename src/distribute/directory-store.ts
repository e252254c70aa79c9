// Distribute: published files in a directory that any web server can serve; promises that a file appears whole or not at all, and never changes when it must not.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TocsinError } from '../errors.ts'
import { publicKind } from './public-paths.ts'

/** Where published files are put. */
export interface ObjectStore {
  /** A path for a file that is being made, on the same file system, not served. */
  stagingPath(name: string): Promise<string>
  /**
   * Moves a staged file to its public path, durably. Repeating it is harmless.
   *
   * @param digest SHA-256 of the staged file
   * @throws TocsinError `store_conflict` when other bytes lie there: a published file never changes
   */
  putImmutable(path: string, staged: string, digest: Uint8Array): Promise<void>
  /** Replaces a small file at once: readers see the old one or the new one. */
  putMutable(path: string, bytes: Uint8Array): Promise<void>
  /** A small file's bytes, or undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** A file's size in bytes, or undefined when there is none. */
  sizeOf(path: string): Promise<number | undefined>
}

/**
 * A store in a directory.
 *
 * @param root the directory that is served; files are staged beside it, in `<root>.staging`
 */
export function openDirectoryStore(root: string): ObjectStore {
  const staging = `${root}.staging`
  const resolve = (path: string) => {
    if (publicKind(path) === undefined)
      throw new TocsinError('store_conflict', `"${path}" is no public path.`)
    return join(root, path)
  }
  return {
    async stagingPath(name) {
      await mkdir(staging, { recursive: true, mode: 0o700 })
      return join(staging, name.replaceAll('/', '_'))
    },
    async putImmutable(path, staged, digest) {
      const target = resolve(path)
      await makeDirectory(root, dirname(target))
      await syncFile(staged)
      try {
        // Unlike rename, link refuses to replace what is there.
        await link(staged, target)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        if (!(await digestFile(target)).equals(digest))
          throw new TocsinError('store_conflict', `${path} is published with other bytes.`)
      }
      await syncDirectory(dirname(target))
      await rm(staged, { force: true })
    },
    async putMutable(path, bytes) {
      const target = resolve(path)
      await makeDirectory(root, dirname(target))
      const staged = await this.stagingPath(path)
      const handle = await open(staged, 'w', 0o644)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(staged, target)
      await syncDirectory(dirname(target))
    },
    read: (path) => orUndefined(readFile(resolve(path))),
    sizeOf: async (path) => (await orUndefined(stat(resolve(path))))?.size,
  }
}

/** Removes what a killed process left half made. */
export async function clearStaging(root: string): Promise<void> {
  await rm(`${root}.staging`, { recursive: true, force: true })
}

/** SHA-256 of a file, read as a stream. */
export async function digestFile(file: string): Promise<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array)
  return hash.digest()
}

async function makeDirectory(root: string, directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o755 })
  if (made === undefined) return
  // A new folder's name is durable only once the folder above it is.
  for (let above = directory; above.length >= root.length; above = dirname(above))
    await syncDirectory(dirname(above))
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.chmod(0o644)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows can't open a folder, and writes its entries through.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
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
