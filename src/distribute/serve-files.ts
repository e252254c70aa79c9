// Distribute: answers a download from the directory; promises strong validators, ranges and no path beyond the table of public ones.

import type { Readable } from 'node:stream'
import { createFileCache, type ServedFile } from './file-cache.ts'
import { isFresh, readRange, type Conditions } from './preconditions.ts'
import { publicKind } from './public-paths.ts'

/** What a download's answer depends on. */
export interface Download extends Conditions {
  readonly method: 'GET' | 'HEAD'
  /** Below the served root, without a leading slash. */
  readonly path: string
}

/** The answer. A body that is a stream holds a file open until it is read or destroyed. */
export interface DownloadReply {
  readonly status: 200 | 206 | 304 | 404 | 416
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable
}

/** Caches on the way must not keep an answer that says "not yet". */
const UNCACHED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** Serves the public files below a directory. */
export function createFileServer(root: string): (download: Download) => Promise<DownloadReply> {
  const find = createFileCache(root)

  return async (download) => {
    const kind = publicKind(download.path)
    const file = kind === undefined ? undefined : await find(download.path)
    if (kind === undefined || file === undefined) return { status: 404, headers: UNCACHED }
    const headers = {
      'accept-ranges': 'bytes',
      'cache-control': kind.cacheControl,
      'content-type': kind.contentType,
      etag: file.etag,
      'last-modified': new Date(file.modifiedMs).toUTCString(),
      'x-content-type-options': 'nosniff',
    }
    if (isFresh(download, file)) return { status: 304, headers }
    // RFC 9110, section 14.2: a range means nothing to any method but GET.
    const range = download.method === 'GET' ? readRange(download, file) : undefined
    if (range === 'unsatisfiable')
      return { status: 416, headers: { ...UNCACHED, 'content-range': `bytes */${file.size}` } }
    return answer(download, file, headers, range)
  }
}

async function answer(
  download: Download,
  file: ServedFile,
  headers: Record<string, string>,
  range: { start: number; end: number } | undefined,
): Promise<DownloadReply> {
  const { start, end } = range ?? { start: 0, end: file.size }
  const body = download.method === 'HEAD' ? undefined : await file.read(start, end)
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${file.size}` }),
    },
    ...(body === undefined ? {} : { body }),
  }
}
