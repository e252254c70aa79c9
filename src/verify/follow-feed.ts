// Verify: what is new in a feed; promises each key once, from verified files only, oldest file first.

import type { ExportKey } from '../format/gaen-export.ts'
import { httpFeed, limitLook, type DownloadOptions, type FeedSource } from './feed-source.ts'
import { startMemory, type FeedState, type Memory } from './feed-state.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { parseFileName, readIndex } from './read-index.ts'
import { loadTrustedKeys, type LoadedKey, type TrustedKey } from './trusted-keys.ts'
import { VerificationError } from './verification-error.ts'
import { verifyExportWith, type VerifiedExport } from './verify-export.ts'

/** What comes out of a feed. */
export type FeedEvent =
  /** A key, or a key with other metadata than before. */
  | { readonly type: 'key' | 'revisedKey'; readonly key: ExportKey; readonly file: string }
  /** All keys of a file were given. Its entries() can be read until the next event is asked for: then its bytes are given back. */
  | { readonly type: 'file'; readonly file: string; readonly export: VerifiedExport }
  /**
   * A file was not believed; none of its keys was given, and the next look tries it again, unless it is `file_repeated`: the
   * keys were given before.
   */
  | { readonly type: 'refused'; readonly file: string; readonly error: VerificationError }
  /** What to keep, if one stops here: comes after every file and at the end. */
  | { readonly type: 'state'; readonly state: FeedState }

/** What is followed, and whom one trusts. */
export interface FollowOptions extends DownloadOptions {
  /** Address of index.txt. */
  readonly index: string
  /** At least one. */
  readonly trustedKeys: readonly TrustedKey[]
  /** The last state that the feed gave; left out, everything is new. */
  readonly seen?: FeedState | undefined
  readonly limits?: Partial<Limits> | undefined
}

/**
 * Follows a feed: downloads what its index lists and wasn't seen before, verifies each file and gives its keys.
 *
 * @throws VerificationError `trusted_key_invalid`; `index_invalid`, `index_too_large`; `file_missing` when there is no index;
 * `download_failed`, `look_too_large`, `too_many_refused`, also in the midst of it: the last state says where to go on
 */
export async function* followFeed(options: FollowOptions): AsyncGenerator<FeedEvent, void> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const keys = await loadTrustedKeys(options.trustedKeys)
  const source = httpFeed(options.index, limits, options)
  for await (const event of followFiles(source, keys, limits, options.seen)) {
    if (event.type === 'file')
      for (const { list, key } of event.export.entries())
        yield { type: list === 'keys' ? 'key' : 'revisedKey', key, file: event.file }
    yield event
  }
}

/** What comes out of a feed but the keys: they are in the files. */
export type FileEvent = Exclude<FeedEvent, { type: 'key' | 'revisedKey' }>

/** As {@link followFeed}, from anywhere and file by file. */
export async function* followFiles(
  source: FeedSource,
  keys: readonly LoadedKey[],
  limits: Limits,
  state: FeedState = { seen: [] },
): AsyncGenerator<FileEvent, void> {
  const look = limitLook(source, limits)
  const memory = startMemory(state, limits)
  let refused = 0
  for (const file of readIndex(await look.readIndex(), limits)) {
    if (memory.hasSeen(file)) continue
    const { zip, verified } = await readOne(look, file, keys, limits)
    const error = verified instanceof VerificationError ? verified : findRepeat(memory, verified)
    if (error !== undefined && ++refused > limits.maxRefusedFiles)
      throw new VerificationError(
        'too_many_refused',
        `More than ${limits.maxRefusedFiles} files of the feed are not believed.`,
      )
    if (error !== undefined) yield { type: 'refused', file, error }
    else if (!(verified instanceof VerificationError))
      yield { type: 'file', file, export: verified }
    look.release?.(zip)
    if (verified instanceof VerificationError) continue
    // Only now: whoever stops in the midst of a file gets it again.
    memory.remember(file, verified)
    yield { type: 'state', state: memory.state() }
  }
  yield { type: 'state', state: memory.state() }
}

/** A file, or why it is not believed. That no more can be read says nothing about a file, so that is thrown. */
async function readOne(
  source: FeedSource,
  file: string,
  keys: readonly LoadedKey[],
  limits: Limits,
): Promise<{ zip: Uint8Array; verified: VerifiedExport | VerificationError }> {
  let zip: Uint8Array = new Uint8Array()
  try {
    zip = await source.readFile(file, limits.maxFileBytes)
    const verified = verifyExportWith(zip, keys, limits)
    checkName(file, verified)
    return { zip, verified }
  } catch (error) {
    if (error instanceof VerificationError && error.verdict !== 'unavailable')
      return { zip, verified: error }
    throw error
  }
}

/** Numbers of files have five digits. */
const MAX_SPLIT = 99_999

/**
 * A server that gives one file under another's name withholds the other. A window that was split into several files has one end in all
 * names; their headers add each file's number, from 1, so that phones tell them apart.
 */
function checkName(file: string, { header }: VerifiedExport): void {
  const named = parseFileName(file)
  if (named === undefined) return
  const { start, end, number } = named
  if (
    start !== header.startTimestamp ||
    (end !== header.endTimestamp && (number > MAX_SPLIT || end + number !== header.endTimestamp))
  )
    throw new VerificationError(
      'name_differs',
      `The file's time span is ${header.startTimestamp}-${header.endTimestamp}, not what its name says.`,
    )
}

/** Names and zips are not signed: without any key, a server could offer one file as many. */
function findRepeat(memory: Memory, verified: VerifiedExport): VerificationError | undefined {
  if (!memory.hasGiven(verified)) return undefined
  return new VerificationError('file_repeated', 'The file is one that came under another name.')
}
