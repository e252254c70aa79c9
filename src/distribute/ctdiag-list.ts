// Distribute: answers ct-diag-server's downloads from a stream's lists; promises never an empty success to a client whose last key is not there any more, and that no key is skipped.

import type { Readable } from 'node:stream'
import { TocsinError } from '../errors.ts'
import { KEY_LENGTH, RECORD_LENGTH } from '../format/ctdiag.ts'
import { listPaths } from './ctdiag-paths.ts'
import { createFileCache, tailOf, type ServedFile } from './file-cache.ts'
import { KeyRuns } from './key-runs.ts'
import type { Conditions } from './preconditions.ts'
import { answerFrom, UNCACHED } from './serve-files.ts'

/** What an answer depends on. */
export interface ListDownload extends Conditions {
  readonly method: 'GET' | 'HEAD'
  /** `records` of 21 bytes, or `dayRecords` of 18. */
  readonly form: 'records' | 'dayRecords'
  /** The last key that the client has: what is behind it is wanted; of records only. 16 bytes. */
  readonly after?: Uint8Array | undefined
}

/** The answer. A body that is a stream holds a file open until it is read or destroyed. */
export interface ListReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable
}

/** How lists are served. */
export interface ListSettings {
  /** Below which the published files lie. */
  readonly root: string
  /** The stream whose lists they are. */
  readonly stream: string
  /** Whether a client whose last key is not there gets everything, instead of the refusal. */
  readonly resync: boolean
}

/** As ct-diag-server has it: a phone asks each time, a cache in front may answer for ten minutes. */
const PRESENTATION = {
  contentType: 'application/octet-stream',
  cacheControl: 'public, max-age=0, s-maxage=600',
}

/**
 * Serves a stream's lists.
 *
 * @returns what answers a download; it throws TocsinError `cursor_gone` when `after` is not in the list
 */
export function createListServer({
  root,
  stream,
  resync,
}: ListSettings): (download: ListDownload) => Promise<ListReply> {
  const paths = listPaths(stream)
  const find = createFileCache(root, undefined, (path, size) => {
    if (path === paths.records) return new KeyRuns(RECORD_LENGTH, size)
    return path === paths.corrected ? new KeyRuns(KEY_LENGTH, size) : undefined
  })

  return async (download) => {
    for (;;) {
      // The list first: a key that has moved in it is among the corrected ones before it is published.
      const file = await find(paths[download.form])
      const start = await startOf(file, download.after, () => find(paths.corrected))
      if (start === 'replaced') continue
      if (start === undefined && !resync) throw new TocsinError('cursor_gone')
      if (file === undefined) return NOTHING_YET
      const answer = await answerFrom(tailOf(file, start ?? 0), PRESENTATION, download)
      // The file was replaced between the look and the opening: look again.
      if (answer !== undefined) return answer
    }
  }
}

/** There are no keys before the first release: as ct-diag-server says it. */
const NOTHING_YET: ListReply = {
  status: 200,
  headers: { ...UNCACHED, 'content-type': PRESENTATION.contentType, 'content-length': '0' },
  body: new Uint8Array(),
}

/**
 * Where a download begins.
 *
 * Behind a key that was corrected it can't be told where the client stands: it may have had the key at an earlier place, and then
 * lack what was published in between. So it gets everything.
 *
 * @returns bytes; undefined when the key is not there
 */
async function startOf(
  list: ServedFile | undefined,
  after: Uint8Array | undefined,
  findCorrected: () => Promise<ServedFile | undefined>,
): Promise<number | undefined | 'replaced'> {
  if (after === undefined || after.every((byte) => byte === 0)) return 0
  const place = await placeOf(list, after)
  if (place === undefined || place === 'replaced') return place
  const moved = await placeOf(await findCorrected(), after)
  if (moved === 'replaced') return moved
  return moved === undefined ? (place + 1) * RECORD_LENGTH : 0
}

async function placeOf(
  file: ServedFile | undefined,
  key: Uint8Array,
): Promise<number | undefined | 'replaced'> {
  return file?.notes instanceof KeyRuns ? file.notes.find(file, key) : undefined
}
