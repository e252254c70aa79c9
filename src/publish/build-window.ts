// Publish: the next releases of a stream, from the log to staged files; promises that all are read in one snapshot, which it can name.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { readHead } from '../log/read-events.ts'
import type { BuiltExport, SignDigest, SigningKeyName } from './build-export.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import type { Standing } from './releases.ts'
import type { Signer } from './signer.ts'
import { encoderOf } from './stream-encoder.ts'
import { isSigning, type ConfiguredStream, type Stream } from './streams.ts'

/** A release before it is recorded. */
export interface DraftRelease {
  readonly window: Window
  /** As in {@link ReleaseSpan}. */
  readonly keysFrom: number | null
  readonly files: readonly DraftFile[]
}

/** One of its files: staged, and where it will lie. */
export interface DraftFile {
  readonly path: string
  readonly built: BuiltExport
}

/** The next releases of a stream. */
export interface Draft {
  /** Oldest first: empty ones, or one with files. */
  readonly releases: readonly DraftRelease[]
  /** The number of events that they were read from. */
  readonly readSeq: number
}

/**
 * Drafts the next releases: the windows before the first in which something became available; or that one, its files signed.
 *
 * All is read in one snapshot together with the log's head, so that the files hold what the first `readSeq` events say.
 *
 * @param due not empty; the head's grain is past the last one's end already
 * @throws TocsinError `signing_key_invalid`, `file_mode_unsafe`, `store_failed`
 */
export async function draftReleases(
  context: PublisherContext,
  stream: ConfiguredStream,
  standing: Standing,
  due: readonly Window[],
): Promise<Draft> {
  const encoder = encoderOf(context, stream)
  return inSnapshot(context, async (tx) => {
    const { nextSeq: readSeq } = await readHead(tx)
    const empty = await encoder.countEmpty(tx, standing, due)
    const releases = due.slice(0, empty).map((window, index) => ({
      window,
      keysFrom: index === 0 ? standing.keysEnd : window.start,
      files: [],
    }))
    const window = due[empty]
    // What comes behind empty windows may have to be padded first.
    if (window === undefined || empty > 0) return { releases, readSeq }
    const span = { number: standing.number + 1, ...window, keysFrom: standing.keysEnd, readSeq }
    return { releases: [await encoder.draft(context, tx, stream, span)], readSeq }
  })
}

/** Reads what does not change meanwhile. */
export function inSnapshot<Value>(
  { copyDb }: Pick<PublisherContext, 'copyDb'>,
  read: (tx: Transaction) => Promise<Value>,
): Promise<Value> {
  return copyDb.transaction(async (tx) => {
    await tx.query(sql`set transaction isolation level repeatable read, read only`)
    // A window is read once: compiling the statement takes longer than it saves. A large one is sorted in memory if it fits,
    // by several processes: the planner takes handing rows on for dearer than it is.
    await tx.query(
      sql`select set_config('jit', 'off', true), set_config('work_mem', '64MB', true), set_config('parallel_tuple_cost', '0.01', true)`,
    )
    return read(tx)
  })
}

/** A signing key of a stream, ready to sign. */
type OpenSigner = Signer & SigningKeyName

/**
 * What signs the files of a window, newest first.
 *
 * @param end of the window, unix seconds
 * @throws TocsinError `signing_key_invalid`, `file_mode_unsafe`
 */
export async function openSigners(
  context: Pick<PublisherContext, 'loadSigner'>,
  stream: Stream,
  end: number,
): Promise<OpenSigner[]> {
  const valid = stream.keys.filter((key) => isSigning(key, end))
  if (valid.length === 0)
    throw new TocsinError(
      'signing_key_invalid',
      `No signing key of stream "${stream.name}" is valid at ${new Date(end * 1000).toISOString()}: add one with tocsin stream update.`,
    )
  return Promise.all(
    valid.map(async ({ keyId, keyVersion, keyFile, publicKey }) => {
      const signer = await context.loadSigner(keyFile)
      if (signer.publicKey === publicKey) return { ...signer, keyId, keyVersion }
      throw new TocsinError(
        'signing_key_invalid',
        `${keyFile} is not the signing key ${keyId} ${keyVersion} of stream "${stream.name}".`,
      )
    }),
  )
}

/** Signs with those signers; a file may be signed with no other. */
export function signWith(signers: readonly OpenSigner[]): SignDigest {
  return (digest, { keyId, keyVersion }) => {
    const signer = signers.find((each) => each.keyId === keyId && each.keyVersion === keyVersion)
    if (signer === undefined) throw new Error('a file asks for a key that nobody opened')
    return signer.sign(digest)
  }
}
