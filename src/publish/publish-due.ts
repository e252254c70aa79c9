// Publish: makes the releases that are due; promises that a crash anywhere is mended by the next run, which puts the same bytes.

import { storePath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, raiseGrain } from '../log/append-event.ts'
import { archiveThrough } from '../log/archive.ts'
import { advanceTree } from '../log/checkpoint.ts'
import { readHead } from '../log/read-events.ts'
import { ENCODER_VERSION } from './build-export.ts'
import { draftRelease, type DraftRelease } from './build-window.ts'
import { movePointer, placeFiles } from './place-files.ts'
import { planWindows, type Window } from './plan-windows.ts'
import type { LeaderContext, PublisherContext } from './publisher-context.ts'
import type { PublisherLock } from './publisher-lock.ts'
import {
  latestReleases,
  releaseEvent,
  type LatestRelease,
  type ReleaseContent,
  type ReleasedFile,
} from './releases.ts'
import { listStreams, type ConfiguredStream } from './streams.ts'

export type { PublisherContext } from './publisher-context.ts'

/** What a run did. */
export interface PublishedRun {
  readonly releases: number
  readonly files: number
  readonly keys: number
}

/** Empty windows are recorded this many in one transaction, so that a long downtime is caught up with quickly. */
const EMPTY_WINDOWS_AT_ONCE = 1_000

/**
 * A publisher, made when its process becomes the leader. Each call makes every release that is due, oldest first.
 *
 * What an earlier leader recorded but could not put is put at the first call, and after a failure: other calls do what is
 * new and no more. A stream that fails does not stop the others: the call throws once they are done.
 *
 * @param lock the publisher's lock, asked before each thing that others can see
 * @returns makes one run; to be called again only once that has ended
 */
export function createPublisher(
  context: PublisherContext,
  lock: Pick<PublisherLock, 'mustHold'>,
): () => Promise<PublishedRun> {
  const leader: LeaderContext = { ...context, mustHold: lock.mustHold }
  /** The streams whose files are in the store as the log has them. */
  const placed = new Set<string>()
  let tidy = false

  const publish = async (
    stream: ConfiguredStream,
    latest: LatestRelease | undefined,
    run: RunningCount,
  ) => {
    // Files appear in the order of their releases: what was recorded comes before what is new.
    if (!placed.has(stream.name)) await placeFiles(leader, stream)
    placed.add(stream.name)
    await publishStream(leader, stream, latest, run)
  }
  return async () => {
    const run = { releases: 0, files: 0, keys: 0 }
    const problems: unknown[] = []
    await leader.mustHold()
    // What a killed or a failed run left half made.
    if (!tidy) await leader.store.clearStaging()
    tidy = true
    const latest = await latestReleases(leader.db)
    for (const stream of await listStreams(leader.db))
      try {
        await publish(stream, latest.get(stream.name), run)
      } catch (error) {
        tidy = false
        placed.delete(stream.name)
        if (concernsAll(error)) throw error
        problems.push(error)
      }
    if (problems.length > 0) throw asOneError(problems)
    return run
  }
}

/**
 * Makes every release that is due: one call of a publisher of its own.
 *
 * @param lock left out only by who is alone with the database, such as a test
 */
export function publishDue(
  context: PublisherContext,
  lock: Pick<PublisherLock, 'mustHold'> = { mustHold: async () => undefined },
): Promise<PublishedRun> {
  return createPublisher(context, lock)()
}

/** A {@link PublishedRun} that is still going on. */
type RunningCount = { -readonly [Name in keyof PublishedRun]: PublishedRun[Name] }

async function publishStream(
  context: LeaderContext,
  stream: ConfiguredStream,
  latest: LatestRelease | undefined,
  run: RunningCount,
): Promise<void> {
  let number = latest?.number ?? 0
  let lastEnd = latest?.windowEnd
  for (;;) {
    const now = Math.floor(context.now().getTime() / 1000)
    const due = planWindows(stream, lastEnd, now, EMPTY_WINDOWS_AT_ONCE)
    if (due.length === 0) return
    const windows = await release(context, stream, number, due, run)
    number += windows.length
    run.releases += windows.length
    lastEnd = windows.at(-1)?.end
  }
}

/**
 * The story of a release: plan, build, sign, record, archive, put, move the pointer.
 *
 * @returns the windows that were settled: empty ones, then at most one with a file
 */
async function release(
  context: LeaderContext,
  stream: ConfiguredStream,
  numberBefore: number,
  due: readonly Window[],
  run: RunningCount,
): Promise<readonly Window[]> {
  // Plan. From here on nothing can be accepted into these windows, however late it commits.
  const end = due.at(-1)?.end ?? 0
  await context.db.transaction((tx) => raiseGrain(tx, end))

  // Build and sign. A crash leaves a staged file, which the next publisher clears away, and no trace in the log.
  const draft = await draftRelease(context, stream, due)
  await context.mustHold()

  // THE COMMIT POINT. Before it there is no release; after it the log holds the file's digest and its signature, and
  // whoever publishes next makes these very bytes, by placeFiles, and no others.
  const seq = await recordReleases(context, stream, numberBefore, draft)

  // Archive. Phones may see only what a recovery from the archive knows of.
  await archiveThrough(seq)
  if (draft.file === undefined) return draft.windows
  const { path, built } = draft.file

  // Put. A crash leaves a file that no index names yet; the next publisher finds it in its place.
  await context.mustHold()
  await context.store.putImmutable(storePath(path), built.staged, built.digest)

  // Move the pointer. A crash leaves the old index or the new one, whole; the next publisher moves it when it is old.
  await movePointer(context, stream)
  run.files += 1
  run.keys += built.keys
  return draft.windows
}

/** Appends the events of a draft's releases; a file belongs to the last one. @returns the last event's number */
async function recordReleases(
  context: LeaderContext,
  stream: ConfiguredStream,
  numberBefore: number,
  { windows, readSeq, file }: DraftRelease,
): Promise<number> {
  return context.db.transaction(async (tx) => {
    const { logId, nextSeq } = await readHead(tx)
    const checkpoint = await advanceTree(tx, nextSeq)
    const files = file === undefined ? [] : [releasedFile(file)]
    const contents = windows.map((window, index): ReleaseContent => ({
      logId,
      stream: stream.name,
      number: numberBefore + index + 1,
      window,
      readSeq,
      configurationSeq: stream.configurationSeq,
      encoderVersion: ENCODER_VERSION,
      files: index < windows.length - 1 ? [] : files,
      checkpoint,
    }))
    const events = await appendEvents(tx, context.writer, contents.map(releaseEvent), context.now())
    return events.at(-1)?.seq ?? 0
  })
}

function releasedFile({ path, built }: NonNullable<DraftRelease['file']>): ReleasedFile {
  const { size, digest, keys, signatures } = built
  return { path, size, digest, keys, signatures }
}

/** Whether it is no use to go on with the next stream. */
export function concernsAll(error: unknown): boolean {
  return (
    error instanceof TocsinError &&
    (error.code === 'unavailable' || error.code === 'publisher_lost')
  )
}

/** One error as it is; of several, the first one's code and the sentences of all. */
function asOneError(problems: readonly unknown[]): unknown {
  const [first] = problems
  if (problems.length === 1) return first
  const sentences = problems.map((each) => (each instanceof Error ? each.message : String(each)))
  return new TocsinError(
    first instanceof TocsinError ? first.code : 'internal_error',
    sentences.join(' '),
    { cause: new AggregateError(problems) },
  )
}
