// Publish: contact event numbers as sorted files; promises that the bytes of a file follow from its release's event and the log before it, and that no file holds the numbers of few reports while that can wait.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { logFolderOf, storePath } from '../distribute/public-paths.ts'
import {
  encodeNumberIndex,
  NUMBER_FILES,
  parseNumberFilePath,
  type NumberFileKind,
} from '../format/number-file.ts'
import { readLogFolder } from '../log/read-events.ts'
import { openSigners, signWith, type DraftFile, type DraftRelease } from './build-window.ts'
import { buildNumberFiles, type SignFile } from './cen-files.ts'
import { findShared } from './cen-shared.ts'
import { CEN_PUBLISHES, CEN_SETTINGS, CEN_STREAM_DEFAULTS, cenSettings } from './cen-settings.ts'
import {
  CURRENT_SECONDS,
  readHistory,
  readReports,
  selectAdded,
  selectCurrent,
  selectRemoved,
  wasPublished,
  WHOLE_SECONDS,
  type NumberReport,
} from './cen-window.ts'
import { mayWait } from './count-window.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'
import type { FileRow, Standing } from './releases.ts'
import type { StreamEncoder } from './stream-encoder.ts'
import type { ConfiguredStream } from './streams.ts'
import type { ReleaseSpan } from './window-keys.ts'

/** Changes with every change of the bytes. */
const VERSION = 1

/** Paths of `whole` files. */
export const WHOLE = '-00003(-[a-z0-9]+)?[.]bin([.]sig)?$'

/** Paths of files that tell of withdrawals: `removed` and `whole`. */
export const TELLING = '-0000[23](-[a-z0-9]+)?[.]bin$'

/** Contact event numbers: what is new, what counts no more, and each day all that count. */
export const CEN_ENCODER: StreamEncoder = {
  version: VERSION,
  sharesKeys: false,
  settings: CEN_SETTINGS,
  publishes: CEN_PUBLISHES,
  streamDefaults: CEN_STREAM_DEFAULTS,
  // Two days: whoever reads one has time, and there are never many, as large as they are.
  brief: { pattern: WHOLE, seconds: 2 * WHOLE_SECONDS },
  countEmpty,
  draft: draftRelease,
  async remake(context, tx, stream, release) {
    const { number, window, keysFrom, readSeq, files } = release
    const span = { number, ...window, keysFrom, readSeq }
    const signatures = new Map(files.map((file) => [file.path, file.signatures]))
    return buildFiles(context, tx, stream, await readContent(tx, stream, span), {
      span,
      logFolder: logFolderOf(files[0]?.path ?? ''),
      sign: async (path) => signatures.get(path) ?? [],
    })
  },
  pointers: (_context, stream, files) => [
    {
      path: storePath(`${stream.name}/key.pem`),
      content: () => [Buffer.from(stream.keys.map((key) => key.publicKey).join(''))],
    },
    {
      path: storePath(`${stream.name}/index.txt`),
      content: () => [Buffer.from(encodeNumberIndex(files.toSorted(byRelease)))],
    },
  ],
}

/** In one order, whatever the database's own is for paths: by release, then what a file is, then its cell. */
function byRelease(a: FileRow, b: FileRow): number {
  const keyOf = ({ path }: FileRow) => {
    const file = parseNumberFilePath(path)
    return file === undefined ? path : `${NUMBER_FILES.indexOf(file.kind)} ${file.cell}`
  }
  return a.seq - b.seq || (keyOf(a) < keyOf(b) ? -1 : 1)
}

/** A window in which a report or a correction became available is not empty, and none at whose end all current numbers are due. */
async function countEmpty(
  tx: Transaction,
  { keysEnd }: Standing,
  due: readonly Window[],
): Promise<number> {
  const end = due.at(-1)?.end ?? 0
  const { rows } = await tx.query<{ available: number | null; newest: number | null }>(
    sql`select least((select min(available) from cen_report where available >= ${keysEnd} and available < ${end}),
            (select min(available) from report_mark where available >= ${keysEnd} and available < ${end})) as available,
          (select max(available) from cen_report where available < ${end}) as newest`,
  )
  const { available, newest } = rows[0] ?? {}
  const isEmpty = (window: Window) =>
    window.end <= (available ?? Infinity) &&
    !(isWhole(window) && (newest ?? 0) >= window.end - CURRENT_SECONDS - WHOLE_SECONDS)
  const first = due.findIndex((window) => !isEmpty(window))
  return first < 0 ? due.length : first
}

function isWhole({ end }: Pick<Window, 'end'>): boolean {
  return end % WHOLE_SECONDS === 0
}

async function draftRelease(
  context: PublisherContext,
  tx: Transaction,
  stream: ConfiguredStream,
  span: ReleaseSpan & { readonly keysFrom: number },
): Promise<DraftRelease> {
  const window = { start: span.start, end: span.end }
  const found = await readContent(tx, stream, span)
  const isHeld = isFew(found.added, mayWait(stream, span) ? stream.hold : 0)
  const keysFrom = isHeld ? null : span.keysFrom
  const content = isHeld ? await readContent(tx, stream, { ...span, keysFrom }) : found
  if (content.added.length + content.removed.length === 0 && content.current === undefined)
    return { window, keysFrom, files: [] }
  const signers = await openSigners(context, stream, span.end)
  const signDigest = signWith(signers)
  const files = await buildFiles(context, tx, stream, content, {
    span: { ...span, keysFrom },
    logFolder: await readLogFolder(tx),
    sign: (_path, digest) =>
      Promise.all(
        signers.map(async ({ keyId, keyVersion }) => {
          const signature = await signDigest(digest, { keyId, keyVersion })
          return { keyId, keyVersion, signature }
        }),
      ),
  })
  return { window, keysFrom, files }
}

/** What a release brings: reports, without their numbers. */
interface CenContent {
  readonly added: readonly NumberReport[]
  readonly removed: readonly NumberReport[]
  /** Those that count beside what is removed. */
  readonly standing: readonly NumberReport[]
  /** All that count; undefined when they are not due. */
  readonly current: readonly NumberReport[] | undefined
}

async function readContent(
  tx: Transaction,
  stream: ConfiguredStream,
  span: ReleaseSpan,
): Promise<CenContent> {
  const history = await readHistory(tx, stream, span.number, TELLING)
  const added = await readReports(tx, selectAdded(stream, span, history))
  if (!isWhole(span)) {
    const removed = await readReports(tx, selectRemoved(stream, span, history))
    // Few would show which numbers belong together: they wait for others, or for all that count to be published without them.
    const isTold = removed.length > 0 && !isFew(removed, stream.hold)
    return {
      added,
      removed: isTold ? removed : [],
      standing: isTold ? await readReports(tx, selectCurrent(stream, span, history)) : [],
      current: undefined,
    }
  }
  const current = await readReports(tx, selectCurrent(stream, span, history))
  const isTold = current.length > 0 || (await wasPublished(tx, stream, span))
  return { added, removed: [], standing: [], current: isTold ? current : undefined }
}

function isFew(reports: readonly NumberReport[], fewest: number): boolean {
  return reports.length > 0 && reports.length < fewest
}

/** How the files of a release are made. */
interface CenFiling {
  readonly span: ReleaseSpan
  /** As {@link logFolderOf} gives it. */
  readonly logFolder: string | undefined
  readonly sign: SignFile
}

async function buildFiles(
  context: Pick<PublisherContext, 'store'>,
  tx: Transaction,
  stream: ConfiguredStream,
  { added, removed, standing, current }: CenContent,
  { span, logFolder, sign }: CenFiling,
): Promise<DraftFile[]> {
  const { cells: longest, cellReports: least } = cenSettings(stream)
  const common = {
    folder: logFolder === undefined ? stream.name : `${stream.name}/${logFolder}`,
    rules: { longest, least },
  }
  const shared = await findShared(tx, removed, standing)
  const files: DraftFile[] = []
  for (const [kind, reports] of [
    ['release', added],
    ['removed', removed],
    ['whole', current],
  ] as const)
    if (reports !== undefined && (reports.length > 0 || kind === 'whole'))
      files.push(
        ...(await buildNumberFiles(
          context,
          tx,
          {
            ...common,
            kind,
            reports,
            window: spanOf(kind, span),
            ...(kind === 'removed' ? { without: shared } : {}),
          },
          sign,
        )),
      )
  return files
}

/** The time that a file names: after windows that were held, theirs too; for what is whole, all that it covers. */
function spanOf(kind: NumberFileKind, { start, end, keysFrom }: ReleaseSpan): Window {
  if (kind === 'whole') return { start: end - CURRENT_SECONDS, end }
  return { start: kind === 'release' ? (keysFrom ?? start) : start, end }
}
