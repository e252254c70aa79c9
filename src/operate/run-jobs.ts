// Operate: jobs that a zone does by itself every so often; promises one process at a time, and that a job that fails is told once and keeps no other from being done.

import type { Address } from '../db/database.ts'
import { takeSessionLock, type SessionLock } from '../db/session-lock.ts'
import type { Logger } from './logger.ts'

/** What jobs need. */
export interface JobsContext<Job extends string, Outcome extends JobsOutcome<Job>> {
  /** What the log of the process calls them: `upkeep of the authority zone`. */
  readonly name: string
  readonly jobs: readonly Job[]
  /** Milliseconds between two runs. */
  readonly intervalMs: number
  /** As {@link takeSessionLock} takes it. */
  readonly lock: string
  /** The zone's login, for the lock's own connection. */
  readonly address: Address
  readonly now: () => Date
  readonly logger: Logger
  /** Does the jobs, each whatever becomes of the others. @param signal ends it after what is under way */
  readonly work: (signal: AbortSignal) => Promise<Outcome>
  /** Hears of each run of this process; not while another process does it. */
  readonly onRun?: ((run: JobsRun<Job, Outcome>) => void) | undefined
}

/** What a run says of its jobs. */
export interface JobsOutcome<Job extends string> {
  /** Jobs that failed, with what they threw. */
  readonly failures: ReadonlyMap<Job, unknown>
}

/** What one run did. */
export type JobsRun<Job extends string, Outcome extends JobsOutcome<Job>> = Outcome & {
  /** When each job of this process succeeded last, unix seconds; none that never did. */
  readonly succeededAt: ReadonlyMap<Job, number>
}

/** Jobs that go on; disposing ends what is under way after its transaction, and gives the lock back. */
export interface RunningJobs<Run> extends AsyncDisposable {
  /**
   * Does what is due.
   *
   * @returns undefined when another process does it
   * @throws TocsinError `unavailable` when the database can't be reached
   */
  runNow(): Promise<Run | undefined>
}

/** @param mode `timer` does them every so often, `manual` when {@link RunningJobs.runNow} is called */
export function runJobs<Job extends string, Outcome extends JobsOutcome<Job>>(
  context: JobsContext<Job, Outcome>,
  mode: 'timer' | 'manual',
): RunningJobs<JobsRun<Job, Outcome>> {
  const { name, jobs, logger } = context
  const stop = new AbortController()
  const succeededAt = new Map<Job, number>()
  let told: ReadonlySet<Job> = new Set()
  let lock: SessionLock | undefined
  let isAway = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<JobsRun<Job, Outcome> | undefined> | undefined

  const runAll = async () => {
    if ((await lock?.isHeld()) !== true)
      lock = await takeSessionLock(context.address, context.lock, false)
    if (lock === undefined) return undefined
    const outcome = await context.work(stop.signal)
    const { failures } = outcome
    const seconds = Math.floor(context.now().getTime() / 1000)
    // One that was cut short has not done its work.
    if (!stop.signal.aborted)
      for (const job of jobs) if (!failures.has(job)) succeededAt.set(job, seconds)
    for (const [job, error] of failures)
      if (!told.has(job)) logger.error(`${name} failed`, error, { job })
    for (const job of told) if (!failures.has(job)) logger.info(`${name} works again`, { job })
    told = new Set(failures.keys())
    const run = { ...outcome, succeededAt: new Map(succeededAt) }
    context.onRun?.(run)
    return run
  }
  const runNow = () => (running ??= runAll().finally(() => (running = undefined)))
  const tick = async () => {
    await runNow().then(
      () => (isAway = false),
      (error: unknown) => {
        if (!isAway) logger.error(`${name} could not begin`, error)
        isAway = true
      },
    )
    if (!stop.signal.aborted) timer = setTimeout(() => void tick(), context.intervalMs)
  }
  if (mode === 'timer') void tick()
  return {
    runNow,
    async [Symbol.asyncDispose]() {
      stop.abort()
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock?.[Symbol.asyncDispose]()
    },
  }
}
