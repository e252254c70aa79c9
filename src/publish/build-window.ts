// Publish: the file of a window, from the log to a staged zip; promises that it is read in one snapshot, which it can name.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { zipPath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { readHead } from '../log/read-events.ts'
import { buildExport, type BuiltExport, type SignDigest } from './build-export.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import { readWindow } from './read-window.ts'
import type { Signer } from './signer.ts'
import type { ConfiguredStream } from './streams.ts'

/** A release before it is recorded. */
export interface DraftRelease {
  /** The windows that it settles, oldest first: all empty but perhaps the last. */
  readonly windows: readonly Window[]
  /** The number of events that it was read from. */
  readonly readSeq: number
  /** The file of the last window; undefined when that has no key for the stream. */
  readonly file: { readonly path: string; readonly built: BuiltExport } | undefined
}

/**
 * Drafts the next release: the windows up to the first that has a key, and that one's file, signed.
 *
 * All is read in one snapshot together with the log's head, so that the file holds what the first `readSeq` events say.
 *
 * @param due not empty; the head's grain is past the last one's end already
 * @throws TocsinError `signing_key_invalid`, `file_mode_unsafe`, `store_failed`
 */
export async function draftRelease(
  context: PublisherContext,
  stream: ConfiguredStream,
  due: readonly Window[],
): Promise<DraftRelease> {
  return context.copyDb.transaction(async (tx) => {
    await tx.query(sql`set transaction isolation level repeatable read, read only`)
    const { nextSeq: readSeq } = await readHead(tx)
    const empty = await countEmpty(tx, due)
    const windows = due.slice(0, empty + 1)
    const window = due[empty]
    if (window === undefined) return { windows, readSeq, file: undefined }
    const signer = await openSigner(context, stream)
    const path = zipPath(stream.name, window.start, window.end, 1)
    const built = await buildWindow(context, tx, stream, window, path, (digest) =>
      signer.sign(digest),
    )
    return { windows, readSeq, file: built === undefined ? undefined : { path, built } }
  })
}

/** Builds a window's file; undefined when it has no key for the stream. */
export async function buildWindow(
  context: PublisherContext,
  tx: Transaction,
  stream: ConfiguredStream,
  window: Window,
  path: string,
  sign: SignDigest,
): Promise<BuiltExport | undefined> {
  const { region, keyId, keyVersion } = stream
  const staged = await context.store.stagingPath(path)
  const pages = readWindow(tx, stream, window)
  return buildExport({ ...window, region, keyId, keyVersion }, pages, sign, staged)
}

/** How many windows from the first on have no key: found with one look at the index of keys. */
async function countEmpty(tx: Transaction, due: readonly Window[]): Promise<number> {
  const first = due[0] as Window
  const last = due.at(-1) as Window
  const { rows } = await tx.query<{ available: number | null }>(
    sql`select min(available) as available from diagnosis_key where available >= ${first.start} and available < ${last.end}`,
  )
  const available = rows[0]?.available ?? Infinity
  return due.filter((window) => window.end <= available).length
}

/** What signs a stream's files. @throws TocsinError `signing_key_invalid`, `file_mode_unsafe` */
export async function openSigner(
  context: PublisherContext,
  stream: ConfiguredStream,
): Promise<Signer> {
  const signer = await context.loadSigner(stream.keyFile)
  if (signer.publicKey === stream.publicKey) return signer
  throw new TocsinError(
    'signing_key_invalid',
    `${stream.keyFile} is not the signing key of stream "${stream.name}".`,
  )
}
