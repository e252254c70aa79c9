// Publish: makes the releases that are due; promises that a crash anywhere is mended by the next run, which puts the same bytes.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, raiseGrain } from '../log/append-event.ts'
import { advanceTree } from '../log/checkpoint.ts'
import { readHead } from '../log/read-events.ts'
import { PADDING } from '../submit/padding-report.ts'
import { draftReleases, type Draft, type DraftFile } from './build-window.ts'
import { familiesOf, readRegionLists } from './families.ts'
import { movePointer, placeFiles, putFiles } from './place-files.ts'
import { planWindows, type Window } from './plan-windows.ts'
import type { LeaderContext, PublisherContext } from './publisher-context.ts'
import type { PublisherLock } from './publisher-lock.ts'
import { readStandings, releaseEvent, type ReleasedFile, type Standing } from './releases.ts'
import { createRetirement, renewUnlisted, type Attempt } from './retire-files.ts'
import { settlePadding } from './settle-padding.ts'
import { encoderOf } from './stream-encoder.ts'
import { listStreams, type ConfiguredStream } from './streams.ts'

export type { PublisherContext } from './publisher-context.ts'

/** What a run did. */
export interface PublishedRun {
  readonly releases: number
  readonly files: number
  /** Published for the first time, padding included. */
  readonly keys: number
  readonly revisedKeys: number
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
  /** The streams whose files are in the store as the log has them, by the event that configured them. */
  const placed = new Map<string, number>()
  const retire = createRetirement(leader)
  let tidy = false

  return async () => {
    const problems: unknown[] = []
    const streams = new Map<string, ConfiguredStream>()
    /** Does something for streams; when that fails they are left out for the rest of the run. */
    const attempt = async (names: readonly string[], work: () => Promise<void>) => {
      try {
        await work()
      } catch (error) {
        tidy = false
        for (const name of names) {
          placed.delete(name)
          streams.delete(name)
        }
        if (concernsAll(error)) throw error
        problems.push(error)
      }
    }
    await leader.mustHold()
    // What a killed or a failed run left half made.
    if (!tidy) await leader.store.clearStaging()
    tidy = true
    const all = await listStreams(leader.db)
    for (const stream of all) streams.set(stream.name, stream)
    for (const stream of all) {
      // Files appear in the order of their releases: what was recorded comes before what is new.
      if (placed.get(stream.name) === stream.configurationSeq) continue
      await attempt([stream.name], async () => {
        await renewUnlisted(leader, stream)
        await placeFiles(leader, stream)
      })
      if (streams.has(stream.name)) placed.set(stream.name, stream.configurationSeq)
    }
    await retire(streams, attempt)
    const run = await publishInOrder(leader, all, streams, attempt)
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

/**
 * Publishes the due windows of all streams in the order of their ends: padding that a family needs is made before any of its
 * streams publishes a window that could hold it.
 *
 * @param streams those of all that are published in this run
 */
async function publishInOrder(
  context: LeaderContext,
  all: readonly ConfiguredStream[],
  streams: ReadonlyMap<string, ConfiguredStream>,
  attempt: Attempt,
): Promise<PublishedRun> {
  const run: RunningCount = { releases: 0, files: 0, keys: 0, revisedKeys: 0 }
  const standings = await readStandings(context.db, all)
  // With those that are left out of this run: padding is theirs, too, and must not come into what they have published. Without
  // those that have ended.
  const going = all.filter(
    (stream) =>
      encoderOf(context, stream).sharesKeys &&
      (stream.through === null || (standings.get(stream.name)?.keysEnd ?? 0) < stream.through),
  )
  const families = familiesOf(going, await readRegionLists(context.db))
  const due = new Map<string, Window[]>()
  const plan = (stream: ConfiguredStream) => {
    const now = Math.floor(context.now().getTime() / 1000)
    const lastEnd = standings.get(stream.name)?.windowEnd
    due.set(stream.name, planWindows(stream, lastEnd, now, EMPTY_WINDOWS_AT_ONCE))
  }
  const nextEnd = (name: string) => (streams.has(name) ? due.get(name)?.[0]?.end : undefined)
  streams.forEach(plan)
  for (;;) {
    const end = Math.min(...[...due.keys()].map((name) => nextEnd(name) ?? Infinity))
    if (end === Infinity) return run
    for (const family of families)
      if (family.some(({ name }) => nextEnd(name) === end))
        await attempt(
          family.map(({ name }) => name),
          () => settle(context, family, end),
        )
    const ending = [...streams.values()].filter(({ name }) => nextEnd(name) === end)
    for (const stream of ending)
      await attempt([stream.name], async () => {
        const { name } = stream
        const standing = standings.get(name) as Standing
        // Nothing new for it may still be a window in which another's held keys come out, padded.
        const windows = (due.get(name) ?? []).slice(0, isAnyHeld(standings) ? 1 : undefined)
        standings.set(name, await publishNext(context, stream, standing, windows, run))
        plan(stream)
      })
  }
}

function isAnyHeld(standings: ReadonlyMap<string, Standing>): boolean {
  return [...standings.values()].some(({ windowEnd, keysEnd }) => keysEnd < (windowEnd ?? keysEnd))
}

/** Makes a family's padding for the windows that end at `end`, if its streams want any. */
async function settle(
  context: LeaderContext,
  family: readonly ConfiguredStream[],
  end: number,
): Promise<void> {
  if (family.every((stream) => stream.minimum === 0)) return
  // What is counted must not change any more.
  await context.db.transaction((tx) => raiseGrain(tx, end))
  await context.mustHold()
  await settlePadding(context, family, end)
}

/**
 * The story of a release: plan, build, sign, record, archive, put, move the pointer.
 *
 * @param due the stream's windows, oldest first
 * @returns where the stream stands afterwards: past the windows that were empty, or past one that was not
 */
async function publishNext(
  context: LeaderContext,
  stream: ConfiguredStream,
  standing: Standing,
  due: readonly Window[],
  run: RunningCount,
): Promise<Standing> {
  // Plan. From here on nothing can be accepted into these windows, however late it commits.
  const end = due.at(-1)?.end ?? 0
  await context.db.transaction((tx) => raiseGrain(tx, end))

  // Build and sign. A crash leaves staged files, which the next publisher clears away, and no trace in the log.
  const draft = await draftReleases(context, stream, standing, due)
  await context.mustHold()

  // THE COMMIT POINT. Before it there is no release; after it the log holds the files' digests and their signatures, and
  // whoever publishes next makes these very bytes, by placeFiles, and no others.
  const seq = await recordReleases(context, stream, standing.number, draft)

  // Archive. Phones may see only what a recovery from the archive knows of. When it can't be archived now, the files wait for
  // placeFiles of a later run, which archives first.
  await context.archiveThrough(seq)

  // Put. A crash leaves files that no index names yet; the next publisher finds them in their place.
  const files = draft.releases.flatMap((release) => release.files)
  await putFiles(context, files)

  // Move the pointer. A crash leaves the old index or the new one, whole; the next publisher moves it when it is old.
  if (files.length > 0) await movePointer(context, stream)
  count(run, draft)
  return standingAfter(standing, draft)
}

/** Appends the events of a draft's releases. @returns the last event's number */
async function recordReleases(
  context: LeaderContext,
  stream: ConfiguredStream,
  numberBefore: number,
  { releases, readSeq }: Draft,
): Promise<number> {
  return context.db.transaction(async (tx) => {
    const { logId, nextSeq } = await readHead(tx)
    const checkpoint = await advanceTree(tx, nextSeq)
    const contents = releases.map(({ window, keysFrom, files }, index) => ({
      logId,
      stream: stream.name,
      number: numberBefore + index + 1,
      window,
      keysFrom,
      readSeq,
      configurationSeq: stream.configurationSeq,
      encoderVersion: encoderOf(context, stream).version,
      files: files.map(releasedFile),
      checkpoint,
    }))
    const events = await appendEvents(tx, context.writer, contents.map(releaseEvent), context.now())
    await refusePaddingSince(tx, readSeq)
    return events.at(-1)?.seq ?? 0
  })
}

/**
 * A leader that has lost its lock without knowing may have made padding after this release was read: it would be in the window
 * and in none of its files. The head is locked here, so no more can come.
 *
 * @throws TocsinError `publisher_lost`
 */
async function refusePaddingSince(tx: Transaction, readSeq: number): Promise<void> {
  const { rowCount } = await tx.query(
    sql`select 1 from event where seq >= ${readSeq} and type = ${PADDING} limit 1`,
  )
  if (rowCount !== 0) throw new TocsinError('publisher_lost')
}

function releasedFile({ path, built }: DraftFile): ReleasedFile {
  const { staged: _, ...recorded } = built
  return { path, ...recorded }
}

function count(run: RunningCount, { releases }: Draft): void {
  run.releases += releases.length
  for (const { built } of releases.flatMap((release) => release.files)) {
    run.files += 1
    run.keys += built.keys
    run.revisedKeys += built.revisedKeys
  }
}

function standingAfter(standing: Standing, { releases }: Draft): Standing {
  const settled = releases.findLast((release) => release.keysFrom !== null)
  return {
    number: standing.number + releases.length,
    windowEnd: releases.at(-1)?.window.end ?? standing.windowEnd,
    keysEnd: settled?.window.end ?? standing.keysEnd,
  }
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
