// Verify: how published files of a kind of key are recognised and verified where they are no signed export zips; promises whoever verifies the same words for every kind.

import type { FeedSource } from './feed-source.ts'
import type { FileEvent } from './follow-feed.ts'
import type { Limits } from './limits.ts'
import type { LoadedKey } from './trusted-keys.ts'
import type { VerifiedExport } from './verify-export.ts'

/** What the keys of a form are called. */
export interface FeedWords {
  /** In the singular; the plural has an s. */
  readonly key: string
  /** What those are that are counted as revised. */
  readonly revised: string
}

/** What is told of a file that is valid, whatever kind of key it holds. */
export interface TargetFile extends Pick<
  VerifiedExport,
  'keys' | 'revisedKeys' | 'signatures' | 'findings'
> {
  /** Times in unix seconds; the region is null where a file says none. */
  readonly header: {
    readonly region: string | null
    readonly startTimestamp: number
    readonly endTimestamp: number
  }
  /** Left out where they are keys. */
  readonly words?: FeedWords
}

/** What happens while files are verified. */
export type TargetEvent =
  | { readonly type: 'file'; readonly file: string; readonly export: TargetFile }
  | Extract<FileEvent, { type: 'refused' }>

/** A form of published files. */
export interface FeedForm {
  /** Whether an index is one of this form: no other form may say so as well. */
  isIndex(index: Uint8Array): boolean
  /**
   * Verifies every file that an index lists.
   *
   * @throws VerificationError of the feed as a whole: `index_invalid`, `index_too_large`; `download_failed`, `look_too_large` in the
   * midst of it
   */
  verifyFeed(
    source: FeedSource,
    index: Uint8Array,
    keys: readonly LoadedKey[],
    limits: Limits,
  ): AsyncGenerator<TargetEvent, void>
  /** Whether a file is one of this form, by its name without any folder: no other form may name its files so. */
  isFile(name: string): boolean
  /**
   * Verifies one file without its feed.
   *
   * @param source where it lies, with what lies beside it
   * @param path of the file there; what follows the last slash is its name
   * @throws VerificationError
   */
  verifyFile(
    source: Pick<FeedSource, 'readFile'>,
    path: string,
    keys: readonly LoadedKey[],
  ): Promise<TargetFile>
}
