// Verify: what is new in a feed; promises each key once, from verified files only, oldest file first.

import type { ExportKey } from '../format/gaen-export.ts'
import { httpFeed, type DownloadOptions, type FeedSource } from './feed-source.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { parseFileName, readIndex } from './read-index.ts'
import { loadTrustedKeys, type LoadedKey, type TrustedKey } from './trusted-keys.ts'
import { VerificationError, type Finding } from './verification-error.ts'
import { verifyExportWith, type VerifiedExport } from './verify-export.ts'

/** What a client keeps between two looks at a feed, as JSON. */
export interface FeedState {
  /** The files that were read, as far as the index still lists them. */
  readonly seen: readonly string[]
}

/** What comes out of a feed. */
export type FeedEvent =
  /** A key, or a key with other metadata than before. `keyData` is a view of the whole file: copy it to keep it. */
  | { readonly type: 'key' | 'revisedKey'; readonly key: ExportKey; readonly file: string }
  /** All keys of a file were given. */
  | { readonly type: 'file'; readonly file: string; readonly export: VerifiedExport }
  /** A file was not believed; none of its keys was given, and the next look tries it again. */
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
 * `download_failed`, also in the midst of it: the last state says where to go on
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
  const listed = readIndex(await source.readIndex(), limits)
  const seenBefore = new Set(state.seen)
  const seen = listed.filter((name) => seenBefore.has(name))
  for (const file of listed) {
    if (seenBefore.has(file)) continue
    const verified = await readOne(source, file, keys, limits)
    if (verified instanceof VerificationError) {
      yield { type: 'refused', file, error: verified }
      continue
    }
    yield { type: 'file', file, export: verified }
    // Only now: whoever stops in the midst of a file gets it again.
    seen.push(file)
    yield { type: 'state', state: { seen: [...seen] } }
  }
  yield { type: 'state', state: { seen } }
}

/** A file, or why it is not believed. That a server is away says nothing about a file, so that is thrown. */
async function readOne(
  source: FeedSource,
  file: string,
  keys: readonly LoadedKey[],
  limits: Limits,
): Promise<VerifiedExport | VerificationError> {
  try {
    const verified = await verifyExportWith(await source.readFile(file), keys, limits)
    return { ...verified, findings: [...verified.findings, ...findName(file, verified)] }
  } catch (error) {
    if (error instanceof VerificationError && error.verdict !== 'unavailable') return error
    throw error
  }
}

/** A server that gives one file under another's name withholds the other. */
function findName(file: string, { header }: VerifiedExport): Finding[] {
  const named = parseFileName(file)
  if (
    named === undefined ||
    (named.start === header.startTimestamp && named.end === header.endTimestamp)
  )
    return []
  return [
    {
      code: 'name_differs',
      sentence: `The file's time span is ${header.startTimestamp}-${header.endTimestamp}, not what its name says.`,
    },
  ]
}
