// Log: archives a zone's log for as long as the process runs; promises that no event waits for long, and that an archive which falls behind is told.

import { TocsinError } from '../errors.ts'
import { ArchiveAge } from './archive-age.ts'
import { isSnapshotDue, makeSnapshot } from './archive-snapshot.ts'
import { readArchiveSummary, requireNewest } from './archive-rows.ts'
import { archiveThrough } from './archiver.ts'
import { readHead } from './read-events.ts'
import type { ArchiveContext } from './write-archive.ts'

/** How often it looks, in milliseconds. */
const LOOK_MS = 10_000
/** How long the oldest event that is not archived may have waited before that is an alarm, in milliseconds. */
const LATE_MS = 60_000

/** How a zone's archive is. */
export interface ArchiveState {
  /** How long the oldest event has waited that is not archived: seconds, in steps of 10; 0 when all are. */
  readonly ageSeconds: number
  readonly objects: number
  /** When the newest snapshot was made: unix seconds at the time grain; undefined without one. */
  readonly lastSnapshot: number | undefined
  /** False when archiving failed at the last try, or an event has waited for more than a minute. */
  readonly isWell: boolean
}

/** Hears what goes wrong, and when it is over. */
export interface ArchiveListener {
  info(event: string, counts: Readonly<Record<string, string>>): void
  error(event: string, error: unknown, counts: Readonly<Record<string, string>>): void
}

/** An archiver; disposing lets it end what it writes. */
export interface RunningArchiver extends AsyncDisposable {
  readonly state: ArchiveState
  /** Looks once: archives when the oldest event has waited for long enough, and makes a snapshot when one is due. */
  look(): Promise<void>
}

/** How to run one. */
export interface ArchiverOptions {
  /** For how long an event waits at the most, in seconds. */
  readonly mostAge: number
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number
  readonly listener: ArchiveListener
  /** `timer` looks by itself, `manual` when {@link RunningArchiver.look} is called. */
  readonly mode: 'timer' | 'manual'
}

/**
 * Starts an archiver. Any number of processes may: each archives what it finds waiting, and one at a time writes. What waits
 * at the first look is archived then.
 */
export function runArchiver(context: ArchiveContext, options: ArchiverOptions): RunningArchiver {
  const { mostAge, monotonicMs, mode } = options
  const tell = createTeller(context.zone, options.listener)
  const waiting = new ArchiveAge()
  let state: ArchiveState = { ageSeconds: 0, objects: 0, lastSnapshot: undefined, isWell: true }
  let isFirst = true
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  const see = async () => {
    // The clock first: an event that comes in between has not waited yet.
    const at = monotonicMs()
    const { nextSeq } = await readHead(context.db)
    const summary = await readArchiveSummary(context.db)
    return { ...summary, age: waiting.note(at, nextSeq, summary.end) }
  }
  const lookOnce = async () => {
    let failure: unknown
    const before = await see()
    try {
      await requireNewest(context.db, context.archive)
      if (isFirst || before.age >= mostAge * 1_000) await archiveThrough(context, Infinity)
      isFirst = false
      if (isSnapshotDue(before, context.now())) await makeSnapshot(context)
    } catch (error) {
      failure = error
    }
    const { age, objects, lastSnapshot } = await see()
    state = {
      ageSeconds: Math.floor(age / LOOK_MS) * (LOOK_MS / 1_000),
      objects,
      lastSnapshot,
      isWell: failure === undefined && age <= LATE_MS,
    }
    tell(failure, age > LATE_MS)
  }
  const look = () => (running ??= lookOnce().finally(() => (running = undefined)))
  const tick = async () => {
    // A database that is away is told by others.
    await look().catch(() => undefined)
    if (!isStopped) timer = setTimeout(() => void tick(), LOOK_MS)
  }
  if (mode === 'timer') void tick()
  return {
    get state() {
      return state
    },
    look,
    async [Symbol.asyncDispose]() {
      isStopped = true
      clearTimeout(timer)
      await running?.catch(() => undefined)
    },
  }
}

/** Tells each trouble once, until it is over. */
function createTeller(
  zone: string,
  listener: ArchiveListener,
): (failure: unknown, isLate: boolean) => void {
  let hasFailed = false
  let wasLate = false
  return (failure, isLate) => {
    if (failure !== undefined && !hasFailed) listener.error('archiving failed', failure, { zone })
    if (isLate && !wasLate) listener.error('the archive is behind', behind(), { zone })
    if ((hasFailed || wasLate) && failure === undefined && !isLate)
      listener.info('the archive is up to date again', { zone })
    hasFailed = failure !== undefined
    wasLate = isLate
  }
}

function behind(): TocsinError {
  return new TocsinError(
    'archive_failed',
    `Events have waited for more than ${LATE_MS / 1_000} s to be archived: check the archive's disk.`,
  )
}
