// Publish: makes the releases that are due; promises that a crash anywhere is mended by the next run, which puts the same bytes.

import type { Database } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { storePath, zipPath } from '../distribute/public-paths.ts'
import type { ObjectStore } from '../distribute/directory-store.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, raiseGrain, type LogWriter } from '../log/append-event.ts'
import { archiveThrough } from '../log/archive.ts'
import { advanceTree } from '../log/checkpoint.ts'
import { readEvent, readHead } from '../log/read-events.ts'
import {
  buildExport,
  ENCODER_VERSION,
  type BuiltExport,
  type ExportDescription,
} from './build-export.ts'
import { planWindows, type Window } from './plan-windows.ts'
import { readWindow } from './read-window.ts'
import {
  latestReleases,
  releaseContent,
  releasedFiles,
  releaseEvent,
  type FileRow,
  type LatestRelease,
  type ReleaseContent,
} from './releases.ts'
import type { Signer } from './signer.ts'
import { listStreams, type ConfiguredStream } from './streams.ts'

/** What publishing needs. */
export interface PublisherContext {
  readonly db: Database
  /** Without pipelining, which COPY can't share. One connection is enough. */
  readonly copyDb: Database
  readonly writer: LogWriter
  readonly store: ObjectStore
  readonly loadSigner: (file: string) => Promise<Signer>
  readonly now: () => Date
}

/** What a run did. */
export interface PublishedRun {
  readonly releases: number
  readonly files: number
  readonly keys: number
}

/** Empty windows are recorded this many in one transaction, so that a long downtime is caught up with quickly. */
const EMPTY_WINDOWS_AT_ONCE = 1_000

/** Makes every release that is due, oldest first. Only the holder of the publisher's lock may call it. */
export async function publishDue(context: PublisherContext): Promise<PublishedRun> {
  const run = { releases: 0, files: 0, keys: 0 }
  const latest = await latestReleases(context.db)
  for (const stream of await listStreams(context.db)) {
    // What an earlier run recorded but could not put is put first: files appear in the order of their releases.
    await placeFiles(context, stream)
    await publishStream(context, stream, latest.get(stream.name), run)
  }
  return run
}

async function publishStream(
  context: PublisherContext,
  stream: ConfiguredStream,
  latest: LatestRelease | undefined,
  run: { releases: number; files: number; keys: number },
): Promise<void> {
  let number = latest?.number ?? 0
  let lastEnd = latest?.windowEnd
  for (;;) {
    const now = Math.floor(context.now().getTime() / 1000)
    const due = planWindows(stream, lastEnd, now, EMPTY_WINDOWS_AT_ONCE)
    const last = due.at(-1)
    if (last === undefined) return
    // From here on nothing can be accepted into these windows, however late it commits.
    await context.db.transaction((tx) => raiseGrain(tx, last.end))
    const empty = await countEmpty(context.db, due)
    if (empty > 0) await recordReleases(context, stream, number, due.slice(0, empty), [])
    const window = due[empty]
    if (window !== undefined) await releaseWindow(context, stream, number + empty + 1, window, run)
    const done = due.slice(0, empty + 1)
    number += done.length
    run.releases += done.length
    lastEnd = done.at(-1)?.end ?? lastEnd
  }
}

/** One release: plan and the raised grain are behind; build, sign, record, archive, put, move the pointer. */
async function releaseWindow(
  context: PublisherContext,
  stream: ConfiguredStream,
  number: number,
  window: Window,
  run: { files: number; keys: number },
): Promise<void> {
  const path = zipPath(stream.name, window.start, window.end, 1)
  const signer = await context.loadSigner(stream.keyFile)
  if (signer.publicKey !== stream.publicKey)
    throw new TocsinError(
      'signing_key_invalid',
      `${stream.keyFile} is not the signing key of stream "${stream.name}".`,
    )
  const built = await buildFromLog(context, stream, window, path, (digest) => signer.sign(digest))
  // A crash before this leaves a staged file and nothing else.
  const files = built === undefined ? [] : [{ path, built }]
  const seq = await recordReleases(context, stream, number - 1, [window], files)
  // The commit point: the event holds the digest and the signatures. A crash after it: the next run builds the same bytes.
  await archiveThrough(seq)
  if (built === undefined) return
  await context.store.putImmutable(storePath(path), built.staged, built.digest)
  // A crash here leaves a file that no index names yet.
  await putIndex(context, stream)
  run.files += 1
  run.keys += built.keys
}

/** How many windows from the first on have no key: found with one look at the index of keys. */
async function countEmpty(db: Database, due: readonly Window[]): Promise<number> {
  const first = due[0] as Window
  const last = due.at(-1) as Window
  const { rows } = await db.query<{ available: number | null }>(
    sql`select min(available) as available from diagnosis_key where available >= ${first.start} and available < ${last.end}`,
  )
  const available = rows[0]?.available ?? Infinity
  return due.filter((window) => window.end <= available).length
}

async function buildFromLog(
  context: PublisherContext,
  stream: ConfiguredStream,
  window: Window,
  path: string,
  sign: (digest: Uint8Array) => Promise<Uint8Array>,
): Promise<BuiltExport | undefined> {
  const staged = await context.store.stagingPath(path)
  return context.copyDb.transaction((tx) =>
    buildExport(describe(stream, window), readWindow(tx, stream, window), sign, staged),
  )
}

function describe(stream: ConfiguredStream, window: Window): ExportDescription {
  const { region, keyId, keyVersion } = stream
  return { ...window, region, keyId, keyVersion }
}

/** Appends the events of consecutive releases; the files belong to the last one. @returns the last event's number */
async function recordReleases(
  context: PublisherContext,
  stream: ConfiguredStream,
  numberBefore: number,
  windows: readonly Window[],
  files: readonly { readonly path: string; readonly built: BuiltExport }[],
): Promise<number> {
  return context.db.transaction(async (tx) => {
    const { logId, nextSeq } = await readHead(tx)
    const checkpoint = await advanceTree(tx, nextSeq)
    const contents = windows.map((window, index): ReleaseContent => ({
      logId,
      stream: stream.name,
      number: numberBefore + index + 1,
      window,
      readSeq: nextSeq,
      configurationSeq: stream.configurationSeq,
      encoderVersion: ENCODER_VERSION,
      files:
        index < windows.length - 1 ? [] : files.map(({ path, built }) => releasedFile(path, built)),
      checkpoint,
    }))
    const events = await appendEvents(tx, context.writer, contents.map(releaseEvent), context.now())
    return events.at(-1)?.seq ?? 0
  })
}

function releasedFile(path: string, built: BuiltExport) {
  const { size, digest, keys, signatures } = built
  return { path, size, digest, keys, signatures }
}

/** Puts what the log names and the store lacks, then the public key and the index. */
async function placeFiles(context: PublisherContext, stream: ConfiguredStream): Promise<void> {
  const index = await context.store.read(storePath(`${stream.name}/index.txt`))
  const files = await releasedFiles(context.db, stream.name)
  if (index !== undefined && Buffer.from(index).equals(encodeIndex(files))) return
  for (const file of files)
    if ((await context.store.sizeOf(storePath(file.path))) !== file.size)
      await rebuildFile(context, stream, file)
  await putIndex(context, stream)
}

/** Makes a recorded file again: from the same keys, with the signatures that were recorded. */
async function rebuildFile(
  context: PublisherContext,
  stream: ConfiguredStream,
  file: FileRow,
): Promise<void> {
  const event = await readEvent(context.db, file.seq)
  const content = event === undefined ? undefined : releaseContent(event)
  const recorded = content?.files.find((each) => each.path === file.path)
  const signature = recorded?.signatures[0]?.signature
  if (content === undefined || signature === undefined)
    throw new TocsinError('log_invalid', `The release of ${file.path} is not in the log.`)
  const built = await buildFromLog(
    context,
    stream,
    content.window,
    file.path,
    async () => signature,
  )
  if (built === undefined || !Buffer.from(built.digest).equals(file.digest))
    throw new TocsinError(
      'log_invalid',
      `${file.path} can't be made again: the keys are no longer those of its release.`,
    )
  await context.store.putImmutable(storePath(file.path), built.staged, built.digest)
}

/** Moves the pointer. Everything that it names is in the store by now. */
async function putIndex(context: PublisherContext, stream: ConfiguredStream): Promise<void> {
  const files = await releasedFiles(context.db, stream.name)
  await context.store.putMutable(storePath(`${stream.name}/key.pem`), Buffer.from(stream.publicKey))
  await context.store.putMutable(storePath(`${stream.name}/index.txt`), encodeIndex(files))
}

/** All paths, one a line, no line break at the end. */
function encodeIndex(files: readonly FileRow[]): Buffer {
  return Buffer.from(files.map((file) => file.path).join('\n'))
}
