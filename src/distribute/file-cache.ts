// Distribute: the files that are served, with their validators; promises that the tag of an answer belongs to its bytes, also while the file is replaced.

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { digestFile } from './directory-store.ts'
import type { Validators } from './preconditions.ts'
import { publicKind } from './public-paths.ts'

/** A file as it was when it was found. */
export interface ServedFile extends Validators {
  /** Its bytes from `start` to before `end`. A stream holds the file open until it is read or destroyed. */
  read(start: number, end: number): Promise<Uint8Array | Readable>
}

/** Files up to this size are served from memory, in bytes. */
const SMALL_FILE = 1 << 20
/** How much memory files may take, in bytes. */
const CACHE_BYTES = 64 << 20
/** How many files are remembered with their tags. */
const CACHE_FILES = 10_000

interface CachedFile {
  /** Changes when the file is replaced. */
  readonly version: string
  readonly file: Promise<ServedFile>
  readonly bytes: number
}

/**
 * Finds public files below a directory.
 *
 * However many ask for a new file at once, it is read and digested once.
 *
 * @returns what gives the file of a public path, or undefined when there is none
 */
export function createFileCache(root: string): (path: string) => Promise<ServedFile | undefined> {
  // In the order of their last use, oldest first.
  const cache = new Map<string, CachedFile>()
  let cachedBytes = 0

  const forget = (path: string) => {
    cachedBytes -= cache.get(path)?.bytes ?? 0
    cache.delete(path)
  }
  const remember = (path: string, cached: CachedFile) => {
    forget(path)
    cache.set(path, cached)
    cachedBytes += cached.bytes
    for (const oldest of cache.keys()) {
      if (cachedBytes <= CACHE_BYTES && cache.size <= CACHE_FILES) break
      forget(oldest)
    }
  }
  return async (path) => {
    const found = await stat(join(root, path)).catch(undefinedWhenMissing)
    if (found === undefined || !found.isFile()) return undefined
    const version = `${found.ino} ${found.mtimeMs} ${found.size}`
    let cached = cache.get(path)
    if (cached?.version !== version) {
      // What can be replaced is kept whole: its tag and its bytes must come from one reading.
      const whole = found.size <= SMALL_FILE || publicKind(path)?.immutable !== true
      const file = load(join(root, path), found, whole)
      cached = { version, file, bytes: whole ? found.size : 0 }
      file.catch(() => (cache.get(path)?.file === file ? forget(path) : undefined))
    }
    remember(path, cached)
    return cached.file.catch(undefinedWhenMissing)
  }
}

async function load(file: string, { mtimeMs, size }: Stats, whole: boolean): Promise<ServedFile> {
  if (!whole)
    return {
      etag: tagOf(await digestFile(file)),
      modifiedMs: mtimeMs,
      size,
      read: (start, end) => openPart(file, start, end),
    }
  const bytes = await readFile(file)
  return {
    etag: tagOf(createHash('sha256').update(bytes).digest()),
    modifiedMs: mtimeMs,
    size: bytes.length,
    read: async (start, end) => bytes.subarray(start, end),
  }
}

/** From the bytes alone, so that every replica gives the same. */
function tagOf(digest: Buffer): string {
  return `"${digest.subarray(0, 16).toString('hex')}"`
}

async function openPart(file: string, start: number, end: number): Promise<Readable> {
  // Opened before the answer begins: what can't be opened is an error, not a broken download.
  const handle = await open(file)
  return handle.createReadStream({ start, end: end - 1 })
}

function undefinedWhenMissing(error: unknown): undefined {
  if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
  throw error
}
