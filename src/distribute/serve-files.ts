// Distribute: answers a download from the directory; promises strong validators, ranges and no path beyond the table of public ones.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { digestFile } from './directory-store.ts'
import { publicKind } from './public-paths.ts'

/** What a download's answer depends on. */
export interface Download {
  readonly method: 'GET' | 'HEAD'
  /** Below the served root, without a leading slash. */
  readonly path: string
  readonly ifNoneMatch?: string
  readonly ifModifiedSince?: string
  readonly range?: string
  readonly ifRange?: string
}

/** The answer. */
export interface DownloadReply {
  readonly status: 200 | 206 | 304 | 404 | 416
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable
}

/** Files up to this size are served from memory, in bytes. */
const SMALL_FILE = 1 << 20
/** How much memory small files may take, in bytes. */
const CACHE_BYTES = 64 << 20
/** How many files' digests are remembered. */
const CACHE_FILES = 10_000

interface CachedFile {
  readonly modifiedMs: number
  readonly size: number
  readonly etag: string
  readonly bytes?: Uint8Array
}

/** Serves the public files below a directory. */
export function createFileServer(root: string): (download: Download) => Promise<DownloadReply> {
  const cache = new Map<string, CachedFile>()
  let cachedBytes = 0

  const load = async (path: string): Promise<CachedFile | undefined> => {
    const file = join(root, path)
    const found = await stat(file).catch(() => undefined)
    if (found === undefined || !found.isFile()) return undefined
    const known = cache.get(path)
    if (known !== undefined && known.modifiedMs === found.mtimeMs && known.size === found.size)
      return known
    const bytes = found.size <= SMALL_FILE ? await readFile(file) : undefined
    const etag = await strongEtag(file, bytes)
    const loaded: CachedFile = {
      modifiedMs: found.mtimeMs,
      size: bytes?.length ?? found.size,
      etag,
      ...(bytes === undefined ? {} : { bytes }),
    }
    remember(path, loaded)
    return loaded
  }
  const remember = (path: string, file: CachedFile) => {
    cachedBytes -= cache.get(path)?.bytes?.length ?? 0
    cache.delete(path)
    cache.set(path, file)
    cachedBytes += file.bytes?.length ?? 0
    for (const [oldest, { bytes }] of cache) {
      if (cachedBytes <= CACHE_BYTES && cache.size <= CACHE_FILES) break
      cache.delete(oldest)
      cachedBytes -= bytes?.length ?? 0
    }
  }

  return async (download) => {
    const kind = publicKind(download.path)
    const file = kind === undefined ? undefined : await load(download.path)
    if (kind === undefined || file === undefined) return { status: 404, headers: {} }
    const headers = {
      'accept-ranges': 'bytes',
      'cache-control': kind.cacheControl,
      'content-type': kind.contentType,
      etag: file.etag,
      'last-modified': new Date(file.modifiedMs).toUTCString(),
      'x-content-type-options': 'nosniff',
    }
    if (isFresh(download, file)) return { status: 304, headers }
    const range = readRange(download, file)
    if (range === 'unsatisfiable')
      return { status: 416, headers: { ...headers, 'content-range': `bytes */${file.size}` } }
    const { start, end } = range ?? { start: 0, end: file.size }
    const body =
      download.method === 'HEAD' ? undefined : cut(join(root, download.path), file, start, end)
    return {
      status: range === undefined ? 200 : 206,
      headers: {
        ...headers,
        'content-length': String(end - start),
        ...(range === undefined
          ? {}
          : { 'content-range': `bytes ${start}-${end - 1}/${file.size}` }),
      },
      ...(body === undefined ? {} : { body }),
    }
  }
}

/** From the bytes alone, so that every replica gives the same. */
async function strongEtag(file: string, bytes: Uint8Array | undefined): Promise<string> {
  const digest =
    bytes === undefined ? await digestFile(file) : createHash('sha256').update(bytes).digest()
  return `"${digest.subarray(0, 16).toString('hex')}"`
}

// RFC 9110, section 13.2.2: If-None-Match decides alone when it is there.
function isFresh(download: Download, file: CachedFile): boolean {
  if (download.ifNoneMatch !== undefined)
    return download.ifNoneMatch
      .split(',')
      .map((each) => each.trim().replace(/^W\//, ''))
      .some((each) => each === '*' || each === file.etag)
  if (download.ifModifiedSince === undefined) return false
  const since = Date.parse(download.ifModifiedSince)
  return Math.floor(file.modifiedMs / 1000) * 1000 <= since
}

// One range is answered with 206; several, or a unit that isn't bytes, with the whole file, as RFC 9110, section 14.2 allows.
function readRange(
  download: Download,
  file: CachedFile,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  if (download.range === undefined) return undefined
  if (download.ifRange !== undefined && download.ifRange !== file.etag) return undefined
  const match = /^bytes=(\d*)-(\d*)$/.exec(download.range.trim())
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), file.size)
    return length === 0 ? 'unsatisfiable' : { start: file.size - length, end: file.size }
  }
  const start = Number(match[1])
  const end = match[2] === '' ? file.size : Math.min(Number(match[2]) + 1, file.size)
  if (match[2] !== '' && Number(match[2]) < start) return undefined
  return start >= file.size ? 'unsatisfiable' : { start, end }
}

function cut(path: string, file: CachedFile, start: number, end: number): Uint8Array | Readable {
  if (file.bytes !== undefined) return file.bytes.subarray(start, end)
  return createReadStream(path, { start, end: end - 1 })
}
