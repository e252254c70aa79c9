// Publish: the files of a release, from the log to staged zips; promises that all are read in one snapshot, which it can name.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { zipPath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { readHead, readLogFolder } from '../log/read-events.ts'
import type { BuiltExport, SignDigest, SigningKeyName } from './build-export.ts'
import { countRevised, countWindow, mayWait } from './count-window.ts'
import { cutByLimits, type CutPage } from './cut-pages.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import { readWindow } from './read-window.ts'
import type { Standing } from './releases.ts'
import type { Signer } from './signer.ts'
import { splitExport } from './split-export.ts'
import { isSigning, type ConfiguredStream, type Stream } from './streams.ts'
import type { ReleaseSpan } from './window-keys.ts'

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
  return inSnapshot(context, async (tx) => {
    const { nextSeq: readSeq } = await readHead(tx)
    const empty = await countEmpty(tx, standing, due)
    const releases = due.slice(0, empty).map((window, index) => ({
      window,
      keysFrom: index === 0 ? standing.keysEnd : window.start,
      files: [],
    }))
    const window = due[empty]
    // What comes behind empty windows may have to be padded first.
    if (window === undefined || empty > 0) return { releases, readSeq }
    const span = { number: standing.number + 1, ...window, keysFrom: standing.keysEnd, readSeq }
    return { releases: [await draftRelease(context, tx, stream, span)], readSeq }
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

/**
 * How many windows from the first on have nothing new for any stream: found with one look at each index. What became available in windows that
 * were held waits, too: a reinstatement may have brought a key into them.
 */
async function countEmpty(
  tx: Transaction,
  { keysEnd }: Standing,
  due: readonly Window[],
): Promise<number> {
  const end = due.at(-1)?.end ?? 0
  const { rows } = await tx.query<{ available: number | null }>(
    sql`select least(
          (select min(available) from diagnosis_key where available >= ${keysEnd} and available < ${end}),
          (select min(available) from key_revision where available >= ${keysEnd} and available < ${end}),
          (select min(available) from report_mark where available >= ${keysEnd} and available < ${end}),
          (select min(available) from key_mark where available >= ${keysEnd} and available < ${end}),
          (select min(available) from report_amendment where available >= ${keysEnd} and available < ${end})) as available`,
  )
  const available = rows[0]?.available ?? Infinity
  return due.filter((window) => window.end <= available).length
}

async function draftRelease(
  context: PublisherContext,
  tx: Transaction,
  stream: ConfiguredStream,
  span: ReleaseSpan & { readonly keysFrom: number },
): Promise<DraftRelease> {
  const window = { start: span.start, end: span.end }
  const fewest = mayWait(stream, span) ? stream.hold : 0
  // Whether there is more than fits in one file is all that must be known beforehand.
  const limits = { keys: stream.maximum + 1, reports: fewest }
  const found = await countWindow(tx, stream, span, limits)
  const isHeld = found.keys > 0 && found.reports < fewest
  const keysFrom = isHeld ? null : span.keysFrom
  const keys = isHeld ? 0 : found.keys
  const total = keys + (await countRevised(tx, stream, span))
  if (total === 0) return { window, keysFrom, files: [] }
  const signers = await openSigners(context, stream, span.end)
  const sign: SignDigest = (digest, { keyId, keyVersion }) => {
    const signer = signers.find((each) => each.keyId === keyId && each.keyVersion === keyVersion)
    if (signer === undefined) throw new Error('a file asks for a key that nobody opened')
    return signer.sign(digest)
  }
  const pages = cutByLimits(readWindow(tx, stream, { ...span, keysFrom }), stream)
  const isSplit = total > stream.maximum
  const files = await buildFiles(
    context,
    stream,
    { ...span, keysFrom, logFolder: await readLogFolder(tx) },
    pages,
    isSplit,
    signers,
    sign,
  )
  return { window, keysFrom, files }
}

/**
 * Builds the files of a release.
 *
 * @param span with the folder that its files lie in below the stream's own, as `zipPath` takes it
 * @param pages its keys, cut
 * @param isSplit whether they make more than one file
 * @param keys the names of the keys that sign, in order
 */
export async function buildFiles(
  { store }: Pick<PublisherContext, 'store'>,
  stream: Stream,
  span: ReleaseSpan & { readonly logFolder: string | undefined },
  pages: AsyncIterable<CutPage>,
  isSplit: boolean,
  keys: readonly SigningKeyName[],
  sign: SignDigest,
): Promise<DraftFile[]> {
  const { start, end } = fileSpan(span)
  const pathOf = (number: number) => zipPath(stream.name, span.logFolder, { start, end }, number)
  const files = await splitExport(pages, sign, {
    // Android knows files by their times alone: those of one window must differ in them.
    describe: (number) => ({
      start,
      end: isSplit ? end + number : end,
      region: stream.region,
      keys: keys.map(({ keyId, keyVersion }) => ({ keyId, keyVersion })),
    }),
    stagingPath: (number) => store.stagingPath(pathOf(number)),
  })
  return files.map((built, index) => ({ path: pathOf(index + 1), built }))
}

/** The time span that a release's files name: after windows that were held, theirs too. */
function fileSpan({ start, end, keysFrom }: ReleaseSpan): Window {
  return { start: keysFrom ?? start, end }
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
