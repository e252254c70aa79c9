// Distribute: the files that are served, with their validators; promises that the tag of an answer belongs to its bytes, also while the file is replaced, and that no link leads out of the served folder.

import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat, open, realpath, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Validators } from './preconditions.ts'
import { publicKind } from './public-paths.ts'
import { shareRuns } from './share-runs.ts'

/** A file as it was when it was found. */
export interface ServedFile extends Validators {
  /** As the header says it. */
  readonly lastModified: string
  /** All of them, when the file is kept in memory. */
  readonly bytes: Uint8Array | undefined
  /** Where it begins in what {@link open} gives, in bytes: see {@link tailOf}. */
  readonly start: number
  /** What was noted of it while it was read. */
  readonly notes: Notes | undefined
  /** Opens a file that is not kept. @returns undefined when the path has got another file since, or none */
  open(): Promise<FileHandle | undefined>
}

/** Takes notes of a file's bytes, which are read once, for its digest. */
export interface Notes {
  /** Called with piece after piece. */
  add(bytes: Uint8Array): void
}

/** How much a cache may hold. */
export interface CacheLimits {
  /** Files up to this size are kept in memory, in bytes. */
  readonly smallFile: number
  /** How much memory files may take, in bytes. */
  readonly bytes: number
  /** How many files are remembered with their tags. */
  readonly files: number
}

/** Begins notes of a file, by its path and size in bytes. */
export type TakeNotes = (path: string, size: number) => Notes | undefined

/**
 * A small file is no larger than what a stream holds for somebody who reads slowly (two pieces of 64 KiB): so that ten thousand
 * who ask for as many different files and read none hold no more memory than they would of large ones.
 */
const LIMITS: CacheLimits = { smallFile: 128 << 10, bytes: 64 << 20, files: 10_000 }

/** Looks until a file holds still; nothing of ours replaces one so often. */
const MAX_LOOKS = 10

interface CachedFile {
  /** Changes when the file is replaced, or written to. */
  readonly version: string
  readonly file: ServedFile
}

/**
 * Finds public files below a directory.
 *
 * Every answer comes from a look at the file system that began after it was asked for: a file that was replaced or removed is
 * never served from memory. However many ask at once, one look serves them all, and a new file is read and digested once.
 *
 * Only regular files count that lie below the root by their real path: neither a file nor a folder below it may be a link.
 *
 * @param takeNotes begins the notes of a file of so many bytes; undefined where none are wanted
 * @returns what gives the file of a public path, or undefined when there is none
 */
export function createFileCache(
  root: string,
  limits: CacheLimits = LIMITS,
  takeNotes: TakeNotes = () => undefined,
): (path: string) => Promise<ServedFile | undefined> {
  // In the order of their last use, oldest first.
  const cache = new Map<string, CachedFile>()
  let cachedBytes = 0

  const forget = (path: string) => {
    cachedBytes -= cache.get(path)?.file.bytes?.length ?? 0
    cache.delete(path)
  }
  const remember = (path: string, cached: CachedFile) => {
    forget(path)
    cache.set(path, cached)
    cachedBytes += cached.file.bytes?.length ?? 0
    for (const oldest of cache.keys()) {
      if (cachedBytes <= limits.bytes && cache.size <= limits.files) break
      forget(oldest)
    }
  }
  return shareRuns(async (path) => {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const found = await lstat(join(root, path)).catch(undefinedWhenMissing)
      let cached = cache.get(path)
      if (found?.isFile() !== true || cached?.version !== versionOf(found)) {
        forget(path)
        if (found?.isFile() !== true) return undefined
        const loaded = await load(root, path, limits.smallFile, takeNotes)
        if (loaded === 'changed') continue
        if (loaded === undefined) return undefined
        cached = loaded
      }
      remember(path, cached)
      return cached.file
    }
    throw new Error('A published file never held still.')
  })
}

/**
 * What is behind a place of a file, as a file of its own: with a tag of its own, which is the same from every replica.
 *
 * @param start where it begins: 0 for the file itself
 */
export function tailOf(file: ServedFile, start: number): ServedFile {
  if (start === 0) return file
  return {
    ...file,
    etag: `${file.etag.slice(0, -1)}-${start}"`,
    size: file.size - start,
    // Of nothing, nothing has to be read.
    bytes: start === file.size ? new Uint8Array() : file.bytes?.subarray(start),
    start,
  }
}

async function load(
  root: string,
  path: string,
  smallFile: number,
  takeNotes: TakeNotes,
): Promise<CachedFile | 'changed' | undefined> {
  const file = join(root, path)
  await using handle = await openFile(file)
  if (handle === undefined) return 'changed'
  const stats = await handle.stat()
  const version = versionOf(stats)
  const real = await realpath(file).catch(undefinedWhenMissing)
  if (real !== join(await realpath(root), path)) return real === undefined ? 'changed' : undefined
  // What was opened must be what lies there: a folder could have been a link for a moment.
  const there = await lstat(real).catch(undefinedWhenMissing)
  if (there?.isFile() !== true || versionOf(there) !== version) return 'changed'

  const notes = takeNotes(path, stats.size)
  const bytes = stats.size <= smallFile ? await readWhole(handle, stats.size) : undefined
  if (bytes !== undefined) notes?.add(bytes)
  const digest =
    bytes === undefined ? await digestOf(handle, notes) : sha256().update(bytes).digest()
  // Somebody may have written to it while it was read; what we publish is only ever replaced.
  if (versionOf(await handle.stat()) !== version) return 'changed'
  return {
    version,
    file: {
      // From the bytes alone, so that every replica gives the same.
      etag: `"${digest.subarray(0, 16).toString('hex')}"`,
      modifiedMs: stats.mtimeMs,
      lastModified: stats.mtime.toUTCString(),
      size: stats.size,
      immutable: publicKind(path)?.immutable === true,
      bytes,
      start: 0,
      notes,
      open: () => openVersion(file, version),
    },
  }
}

/** Opens a file if it is still the one that was looked at: then its real path needs no second look. */
async function openVersion(file: string, version: string): Promise<FileHandle | undefined> {
  const handle = await openFile(file)
  if (handle === undefined) return undefined
  if (versionOf(await handle.stat()) === version) return handle
  await handle.close()
  return undefined
}

/** @returns undefined when there is none, or a link: without waiting where it has become a pipe */
async function openFile(file: string): Promise<FileHandle | undefined> {
  // Windows has neither of the last two, which are undefined there and then set no bit.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  return open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(undefinedWhenMissing)
}

/** No more than what was looked at, however the file grows. */
async function readWhole(handle: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(size)
  for (let filled = 0; filled < size;) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes
}

async function digestOf(handle: FileHandle, notes: Notes | undefined): Promise<Buffer> {
  const hash = sha256()
  const stream = handle.createReadStream({ start: 0, autoClose: false })
  for await (const chunk of stream) {
    hash.update(chunk as Uint8Array)
    notes?.add(chunk as Uint8Array)
  }
  return hash.digest()
}

function sha256() {
  return createHash('sha256')
}

function versionOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

function undefinedWhenMissing(error: unknown): undefined {
  const { code = '' } = error as NodeJS.ErrnoException
  // The last is what opening a link gives.
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EMLINK'].includes(code)) return undefined
  throw error
}
