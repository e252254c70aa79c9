// Publish: diagnosis keys as signed export zips; promises that the bytes of a file follow from its release's event and the log before it.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { logFolderOf, storePath, zipPath } from '../distribute/public-paths.ts'
import { readLogFolder } from '../log/read-events.ts'
import { ENCODER_VERSION, type SignDigest, type SigningKeyName } from './build-export.ts'
import { openSigners, signWith, type DraftFile, type DraftRelease } from './build-window.ts'
import { countRevised, countWindow, mayWait } from './count-window.ts'
import { cutByLimits, cutBySizes, type CutPage } from './cut-pages.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import { readWindow } from './read-window.ts'
import { recordedSignatures } from './remake-file.ts'
import type { FileRow, Standing } from './releases.ts'
import { splitExport } from './split-export.ts'
import type { Pointer, StreamEncoder } from './stream-encoder.ts'
import type { ConfiguredStream, Stream } from './streams.ts'
import type { ReleaseSpan } from './window-keys.ts'

/** Exports as the Exposure Notification framework reads them. */
export const GAEN_ENCODER: StreamEncoder = {
  version: ENCODER_VERSION,
  sharesKeys: true,
  countEmpty,
  draft: draftRelease,
  async remake(context, tx, stream, release) {
    const { number, window, keysFrom, readSeq, files } = release
    const [first] = files
    if (first === undefined) return []
    const span = { number, ...window, keysFrom, readSeq }
    return buildFiles(
      context,
      stream,
      { ...span, logFolder: logFolderOf(first.path) },
      cutBySizes(readWindow(tx, stream, span), files),
      files.length > 1,
      first.signatures,
      recordedSignatures(release),
    )
  },
  pointers: (_context, stream, files) => gaenPointers(stream, files),
}

/** The public keys, and the index. */
export function gaenPointers(
  stream: ConfiguredStream,
  files: readonly Pick<FileRow, 'path'>[],
): Pointer[] {
  return [
    {
      path: storePath(`${stream.name}/key.pem`),
      // Newest first; a reader that takes one key takes that.
      content: () => [Buffer.from(stream.keys.map((key) => key.publicKey).join(''))],
    },
    // All paths, oldest first, one a line, no line break at the end.
    {
      path: storePath(`${stream.name}/index.txt`),
      content: () => [Buffer.from(files.map((file) => file.path).join('\n'))],
    },
  ]
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
  const pages = cutByLimits(readWindow(tx, stream, { ...span, keysFrom }), stream)
  const isSplit = total > stream.maximum
  const files = await buildFiles(
    context,
    stream,
    { ...span, keysFrom, logFolder: await readLogFolder(tx) },
    pages,
    isSplit,
    signers,
    signWith(signers),
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
async function buildFiles(
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
