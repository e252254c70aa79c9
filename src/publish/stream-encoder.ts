// Publish: what a kind of key brings to publishing: its releases as files; promises that planning, recording, archiving, putting and retiring are the same for all.

import type { Queryable, Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import type { DraftFile, DraftRelease } from './build-window.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import type { FileRow, ReleaseContent, Standing } from './releases.ts'
import type { ConfiguredStream, Stream, StreamChanges } from './streams.ts'
import type { ReleaseSpan } from './window-keys.ts'

/** How the releases of a kind of stream become files. */
export interface StreamEncoder {
  /** Goes into a release's event: which encoder made its files. Changes with every change of the bytes. */
  readonly version: number
  /** Whether its streams publish diagnosis keys, and so share their padding with all others that do. */
  readonly sharesKeys: boolean
  /** What its streams can be told beyond what all can, by the names in {@link Stream.settings}. */
  readonly settings?: Readonly<Record<string, StreamSetting>>
  /** Files that newer ones replace. */
  readonly brief?: BriefFiles
  /**
   * Which of its reports a stream publishes, beyond the regions and travelers that every stream chooses by: a condition in SQL on a row `p`
   * of `report` and a row `s` of `stream`. Left out for all of them.
   */
  readonly publishes?: string
  /** How its streams differ from others when nobody says otherwise. */
  readonly streamDefaults?: StreamChanges & Pick<Stream, 'diagnosisKeys'>
  /** How many windows from the first on have nothing new for any stream of the kind: found with one look at each index. */
  countEmpty(tx: Transaction, standing: Standing, due: readonly Window[]): Promise<number>
  /**
   * Drafts a release, its files staged and signed.
   *
   * @param tx one snapshot, in which nothing changes
   * @throws TocsinError `signing_key_invalid`, `file_mode_unsafe`, `store_failed`
   */
  draft(
    context: PublisherContext,
    tx: Transaction,
    stream: ConfiguredStream,
    span: ReleaseSpan & { readonly keysFrom: number },
  ): Promise<DraftRelease>
  /**
   * Makes the files of a release again, staged, with the signatures that were recorded. Whether they are the same is for the caller to
   * see.
   */
  remake(
    context: PublisherContext,
    tx: Transaction,
    stream: ConfiguredStream,
    release: ReleaseContent,
  ): Promise<DraftFile[]>
  /**
   * The files of a stream that are replaced with each release, in the order in which they are: the index last.
   *
   * @param files those that the index names, oldest first; all of them are in the store
   */
  pointers(
    context: Pick<PublisherContext, 'store'> & { readonly db: Queryable },
    stream: ConfiguredStream,
    files: readonly FileRow[],
  ): readonly Pointer[]
}

/** Files that leave the index before others of their stream: once a newer release has such ones, too. */
export interface BriefFiles {
  /** A regular expression of PostgreSQL that their paths match, and no others. */
  readonly pattern: string
  /** How long they stay behind their window's end. */
  readonly seconds: number
}

/** A setting that streams of a kind have of their own. */
export interface StreamSetting {
  /** Name of the command's option, without its hyphens. */
  readonly option: string
  readonly help: string
  /** What it must be, for a sentence. */
  readonly expected: string
  /** Its value, which JSON can hold; undefined when the text is none. */
  parse(text: string): unknown
}

/** A file that is replaced. */
export interface Pointer {
  /** In the store. */
  readonly path: string
  /** Its bytes, made anew by each call. */
  readonly content: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** The encoder of a stream's kind. */
export function encoderOf(
  { encoders }: Pick<PublisherContext, 'encoders'>,
  { kind }: Pick<ConfiguredStream, 'kind'>,
): StreamEncoder {
  const encoder = encoders.get(kind)
  // A stream is only ever added with a kind that is there; an earlier version may not know it.
  if (encoder === undefined)
    throw new TocsinError('log_invalid', `This version knows no streams of the kind "${kind}".`)
  return encoder
}
