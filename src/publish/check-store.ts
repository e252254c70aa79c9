// Publish: what lies in the store against what the log says; promises to name each difference once, to raise no alarm for what a publisher is just doing, and flat memory.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { ObjectStore, StoredFile } from '../distribute/directory-store.ts'
import { storePath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { isAsItMustBe } from './place-files.ts'
import type { PublisherContext } from './publisher-context.ts'
import { listedFiles, readStandings } from './releases.ts'
import { encoderOf, type Pointer } from './stream-encoder.ts'
import { listStreams, type ConfiguredStream } from './streams.ts'

/**
 * What can be wrong: `lost` must be there and is not, a released file or what is replaced with each release; `changed` is a released file
 * with other bytes; `stale` is an index, a list or a public key that is not as the log has it; `late` was removed in the log and is still
 * there; a `stray` is named by no release and no stream.
 */
export type StoreProblem = 'lost' | 'changed' | 'stale' | 'late' | 'stray'

/** One difference between the store and the log. */
export interface StoreFinding {
  readonly problem: StoreProblem
  /** In the store. */
  readonly path: string
  /** What lies there; undefined when nothing does. */
  readonly size?: number
  /** What the log says of a released file. */
  readonly recorded?: RecordedFile
  /** Of a file that is replaced with each release: its stream. */
  readonly stream?: string
}

/** A released file as the log has it. */
export interface RecordedFile {
  readonly path: string
  readonly stream: string
  /** Of the release's event. */
  readonly seq: number
  readonly size: number
  readonly digest: Uint8Array
}

/** What a check works with. */
export interface CheckContext extends Pick<PublisherContext, 'db' | 'store' | 'encoders'> {
  /**
   * Called before differences are looked at once more: a publisher that runs may have recorded what it is about to put. Waits as long
   * as that makes sense. @returns whether what is seen now counts
   */
  readonly settle: () => Promise<boolean>
}

const PREFIX = storePath('')

/** How many files are looked at at once, and how many findings the memory holds. */
const FILES_AT_ONCE = 500

/** How many files are read at the same time. */
const READ_AT_ONCE = 8

/**
 * Compares the store with the log: first every recorded file, then the pointers, then what lies there.
 *
 * @param onFiles told how many recorded files were looked at
 * @returns pages of findings, not empty
 * @throws TocsinError `store_failed` when the store can't be read at all
 */
export async function* checkStore(
  context: CheckContext,
  onFiles: (count: number) => void = () => undefined,
): AsyncGenerator<StoreFinding[]> {
  for await (const page of recordedFiles(context.db)) {
    onFiles(page.length)
    yield* confirmed(context, await examineFiles(context.store, page), examineAgain)
  }
  const streams = await listStreams(context.db)
  yield* confirmed(context, await examinePointers(context, streams), examinePointersAgain)
  for await (const files of storedFiles(context.store))
    yield* confirmed(context, await findUnexplained(context, files), findUnexplainedAgain)
}

/** Looks at findings again until they count, and gives those that are left. */
async function* confirmed(
  context: CheckContext,
  found: readonly StoreFinding[],
  lookAgain: (context: CheckContext, findings: readonly StoreFinding[]) => Promise<StoreFinding[]>,
): AsyncGenerator<StoreFinding[]> {
  let findings = [...found]
  for (let counts = false; !counts && findings.length > 0;) {
    counts = await context.settle()
    findings = await lookAgain(context, findings)
  }
  if (findings.length > 0) yield findings
}

/** The files that must be in the store, in pages. */
async function* recordedFiles(db: Queryable): AsyncGenerator<RecordedFile[]> {
  for (let after = ''; ;) {
    const { rows } = await db.query<RecordedFile>(
      sql`select f.path, f.stream, r.seq, f.size, f.digest from release_file f join release r using (stream, number)
          where f.path > ${after} and f.removed_at is null order by f.path limit ${FILES_AT_ONCE}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last.path
  }
}

/** Compares recorded files with what lies at their paths, a few at a time. */
async function examineFiles(
  store: Pick<ObjectStore, 'inspect'>,
  files: readonly RecordedFile[],
): Promise<StoreFinding[]> {
  const findings: StoreFinding[] = []
  for (let offset = 0; offset < files.length; offset += READ_AT_ONCE) {
    const some = files.slice(offset, offset + READ_AT_ONCE)
    const examined = await Promise.all(some.map((recorded) => examineFile(store, recorded)))
    findings.push(...examined.flatMap((finding) => finding ?? []))
  }
  return findings
}

async function examineFile(
  store: Pick<ObjectStore, 'inspect'>,
  recorded: RecordedFile,
): Promise<StoreFinding | undefined> {
  const path = storePath(recorded.path)
  const present = await store.inspect(path)
  if (present === undefined) return { problem: 'lost', path, recorded }
  if (isSame(present.digest, recorded.digest)) return undefined
  return { problem: 'changed', path, size: present.size, recorded }
}

/** The log may have removed them meanwhile. */
async function examineAgain(
  { db, store }: CheckContext,
  findings: readonly StoreFinding[],
): Promise<StoreFinding[]> {
  const { rows } = await db.query<RecordedFile>(
    sql`select f.path, f.stream, r.seq, f.size, f.digest from release_file f join release r using (stream, number)
        where f.path = any(${findings.map(({ recorded }) => recorded?.path ?? '')}::text[]) and f.removed_at is null order by f.path`,
  )
  return examineFiles(store, rows)
}

/** Compares the index, the lists and the public key of each stream with what they must be. */
async function examinePointers(
  context: Omit<CheckContext, 'settle'>,
  streams: readonly ConfiguredStream[],
): Promise<StoreFinding[]> {
  const { db, store } = context
  const findings: StoreFinding[] = []
  const standings = await readStandings(db, streams)
  for (const stream of streams)
    for (const pointer of encoderOf(context, stream).pointers(
      context,
      stream,
      await listedFiles(db, stream.name),
    )) {
      const { path } = pointer
      const present = await store.inspect(path)
      // A stream that was just added: no publisher has come by yet.
      if (present === undefined && standings.get(stream.name)?.number === 0) continue
      if (await isRight(context, pointer)) continue
      findings.push(
        present === undefined
          ? { problem: 'lost', path, stream: stream.name }
          : { problem: 'stale', path, size: present.size, stream: stream.name },
      )
    }
  return findings
}

/** Whether a pointer has its bytes, or can't be held against any: it follows from a zip that is changed, which is a finding of its own. */
async function isRight(context: Pick<CheckContext, 'store'>, pointer: Pointer): Promise<boolean> {
  try {
    return await isAsItMustBe(context, pointer)
  } catch (error) {
    if (error instanceof TocsinError && error.code === 'store_conflict') return true
    throw error
  }
}

async function examinePointersAgain(
  context: CheckContext,
  findings: readonly StoreFinding[],
): Promise<StoreFinding[]> {
  const streams = await listStreams(context.db)
  return examinePointers(
    context,
    streams.filter(({ name }) => findings.some(({ stream }) => stream === name)),
  )
}

/** What lies in the store, in pages. */
async function* storedFiles(store: Pick<ObjectStore, 'list'>): AsyncGenerator<StoredFile[]> {
  let page: StoredFile[] = []
  for await (const file of store.list()) {
    page.push(file)
    if (page.length < FILES_AT_ONCE) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

/**
 * Those of some stored files that should not be there. A file that was put before it was listed is in the log by now: so no
 * file is called a stray that a publisher has just put.
 */
async function findUnexplained(
  context: Omit<CheckContext, 'settle'>,
  files: readonly StoredFile[],
): Promise<StoreFinding[]> {
  const unexplained = new Map(files.map((file) => [file.path, file]))
  const { rows } = await context.db.query<{ path: string; removed: boolean }>(
    sql`select ${PREFIX} || path as path, removed_at is not null as removed from release_file
        where path = any(${files.map(({ path }) => path.slice(PREFIX.length))}::text[])`,
  )
  for (const stream of await listStreams(context.db))
    for (const { path } of encoderOf(context, stream).pointers(context, stream, []))
      unexplained.delete(path)
  for (const { path, removed } of rows) if (!removed) unexplained.delete(path)
  const late = new Set(rows.flatMap(({ path, removed }) => (removed ? [path] : [])))
  return [...unexplained.values()].map(({ path, size }) => ({
    problem: late.has(path) ? 'late' : 'stray',
    path,
    size,
  }))
}

async function findUnexplainedAgain(
  context: CheckContext,
  findings: readonly StoreFinding[],
): Promise<StoreFinding[]> {
  const files = findings.map(({ path, size = 0 }) => ({ path, size }))
  const found = await findUnexplained(context, files)
  const isThere = await Promise.all(
    // What is removed in the log may have been removed from the store meanwhile.
    found.map(
      async ({ problem, path }) =>
        problem === 'stray' || (await context.store.inspect(path)) !== undefined,
    ),
  )
  return found.filter((_, index) => isThere[index])
}

function isSame(present: Uint8Array | undefined, recorded: Uint8Array): boolean {
  return present !== undefined && Buffer.compare(present, recorded) === 0
}
