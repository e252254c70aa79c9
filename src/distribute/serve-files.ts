// Distribute: answers a download from the directory; promises strong validators, ranges, no more bytes than the file has, and no path beyond the table of public ones.

import type { Readable } from 'node:stream'
import {
  contentRange,
  joinPieces,
  layOutByteranges,
  streamPieces,
  type Piece,
} from './byteranges.ts'
import { createFileCache, type CacheLimits, type ServedFile } from './file-cache.ts'
import { isFresh, isOutdated, readRanges, type Conditions, type Part } from './preconditions.ts'
import { publicKind, REFUSAL_CACHE_CONTROL } from './public-paths.ts'

/** What a download's answer depends on. */
export interface Download extends Conditions {
  readonly method: 'GET' | 'HEAD'
  /** Below the served root, without a leading slash. */
  readonly path: string
}

/** What the headers of a file say, whichever path it was found by. */
export interface Presentation {
  readonly contentType: string
  readonly cacheControl: string
}

/** The answer. A body that is a stream holds a file open until it is read or destroyed. */
export interface DownloadReply {
  readonly status: 200 | 206 | 304 | 404 | 412 | 416
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable
}

/** What is sent of a file, and what the headers say of it. */
interface Selection {
  readonly status: 200 | 206
  readonly headers: Readonly<Record<string, string>>
  /** Undefined for the whole file. */
  readonly pieces?: readonly Piece[]
}

/** Headers of what says "not yet" or "not so". */
export const UNCACHED = {
  'cache-control': REFUSAL_CACHE_CONTROL,
  'x-content-type-options': 'nosniff',
}

/** Serves the public files below a directory. @param limits of what is kept in memory */
export function createFileServer(
  root: string,
  limits?: CacheLimits,
): (download: Download) => Promise<DownloadReply> {
  const find = createFileCache(root, limits)

  return async (download) => {
    const kind = publicKind(download.path)
    if (kind === undefined) return { status: 404, headers: UNCACHED }
    for (;;) {
      const file = await find(download.path)
      if (file === undefined) return { status: 404, headers: UNCACHED }
      const answer = await answerFrom(file, kind, download)
      // The file was replaced between the look and the opening: look again.
      if (answer !== undefined) return answer
    }
  }
}

/** The answer to a request for a file. @returns undefined when its path has another file by now */
export async function answerFrom(
  file: ServedFile,
  kind: Presentation,
  download: Omit<Download, 'path'>,
): Promise<DownloadReply | undefined> {
  if (isOutdated(download, file))
    return { status: 412, headers: { ...UNCACHED, 'content-length': '0' } }
  const headers = {
    'accept-ranges': 'bytes',
    'cache-control': kind.cacheControl,
    'content-type': kind.contentType,
    etag: file.etag,
    'last-modified': file.lastModified,
    'x-content-type-options': 'nosniff',
  }
  if (isFresh(download, file)) return { status: 304, headers }
  // RFC 9110, section 14.2: a range means nothing to any method but GET.
  const parts = download.method === 'GET' ? readRanges(download, file) : undefined
  if (parts === 'unsatisfiable')
    return {
      status: 416,
      headers: { ...UNCACHED, 'content-range': `bytes */${file.size}`, 'content-length': '0' },
    }
  const selection = select(parts, file, kind, headers)
  const { status } = selection
  if (download.method === 'HEAD') return { status, headers: selection.headers }
  const body = await readBody(file, selection)
  return body === undefined ? undefined : { status, headers: selection.headers, body }
}

function select(
  parts: readonly Part[] | undefined,
  file: ServedFile,
  kind: Presentation,
  headers: Readonly<Record<string, string>>,
): Selection {
  const whole: Selection = {
    status: 200,
    headers: { ...headers, 'content-length': String(file.size) },
  }
  const [first] = parts ?? []
  if (parts === undefined || first === undefined) return whole
  if (parts.length === 1)
    return {
      status: 206,
      headers: {
        ...headers,
        'content-length': String(first.end - first.start),
        'content-range': contentRange(first, file.size),
      },
      pieces: [first],
    }
  const { contentType, length, pieces } = layOutByteranges(parts, file, kind.contentType)
  // Nobody can make us send more than the file by asking for it in pieces.
  if (length >= file.size) return whole
  return {
    status: 206,
    headers: { ...headers, 'content-type': contentType, 'content-length': String(length) },
    pieces,
  }
}

async function readBody(
  file: ServedFile,
  { pieces }: Selection,
): Promise<Uint8Array | Readable | undefined> {
  if (file.bytes !== undefined)
    return pieces === undefined ? file.bytes : joinPieces(pieces, file.bytes)
  // Opened before the answer begins: what can't be opened is an error, not a broken download.
  const handle = await file.open()
  if (handle === undefined) return undefined
  const wanted = pieces ?? [{ start: 0, end: file.size }]
  return streamPieces(file.start === 0 ? wanted : wanted.map(inFile(file)), handle)
}

/** Where a part lies in what is opened. */
function inFile(file: ServedFile): (piece: Piece) => Piece {
  return (piece) =>
    piece instanceof Uint8Array
      ? piece
      : { start: file.start + piece.start, end: file.start + piece.end }
}
