// Authorize: what the authority zone does by itself every few minutes: erasing, replacing peppers and keys; promises one process at a time, and that what fails keeps nothing else from being done.

import type { Address } from '../db/database.ts'
import { takeSessionLock, type SessionLock } from '../db/session-lock.ts'
import { TocsinError } from '../errors.ts'
import type { Logger } from '../operate/logger.ts'
import { unusualRealms } from './claim-alarm.ts'
import { runKeySchedule } from './key-schedule.ts'
import { rotatePeppers } from './peppers.ts'
import { eraseDue } from './retention.ts'
import { ERASED_KINDS, type ErasedKind } from './retention-rules.ts'
import { createTokenKeys } from './token-keys.ts'
import { dayOf, type AuthorityZone } from './zone.ts'

/** What upkeep needs. */
export interface UpkeepContext {
  readonly zone: AuthorityZone
  /** The authority zone's login, for the lock's own connection. */
  readonly address: Address
  readonly now: () => Date
  readonly logger: Logger
  /** Hears of each run of this process; not while another process does it. */
  readonly onRun?: (run: UpkeepRun) => void
}

/** The jobs: what is erased, and the secrets that are replaced. */
export const UPKEEP_JOBS = [
  ...ERASED_KINDS,
  'peppers',
  'signing-keys',
  'token-keys',
  'claim-alarm',
] as const

/** See {@link UPKEEP_JOBS}. */
export type UpkeepJob = (typeof UPKEEP_JOBS)[number]

/** What one run did. */
export interface UpkeepRun {
  /** How many parts of events were erased; of phones, how many were forgotten. */
  readonly erased: Readonly<Record<ErasedKind, number>>
  /** Jobs that failed, with what they threw. */
  readonly failures: ReadonlyMap<UpkeepJob, unknown>
  /** When each job of this process succeeded last, unix seconds; none that never did. */
  readonly succeededAt: ReadonlyMap<UpkeepJob, number>
  /** Realms in which far fewer codes were claimed on the last full day than usual. */
  readonly unusualRealms: readonly string[]
}

/** Upkeep that goes on; disposing ends what is under way after its transaction, and gives the lock back. */
export interface RunningUpkeep extends AsyncDisposable {
  /**
   * Does what is due.
   *
   * @returns undefined when another process does it
   * @throws TocsinError `unavailable` when the database can't be reached
   */
  runNow(): Promise<UpkeepRun | undefined>
}

/** Milliseconds between two runs. */
export const UPKEEP_INTERVAL_MS = 300_000

/** "UPKEEPRN" in ASCII. */
const UPKEEP_LOCK = '6147496252248445518'

/** @param mode `timer` does it every few minutes, `manual` when {@link RunningUpkeep.runNow} is called */
export function runUpkeep(context: UpkeepContext, mode: 'timer' | 'manual'): RunningUpkeep {
  const { address, logger, now, onRun } = context
  const stop = new AbortController()
  const succeededAt = new Map<UpkeepJob, number>()
  let told: ReadonlySet<UpkeepJob> = new Set()
  let alarmed: ReadonlySet<string> = new Set()
  let lock: SessionLock | undefined
  let isAway = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<UpkeepRun | undefined> | undefined

  const runAll = async (): Promise<UpkeepRun | undefined> => {
    if ((await lock?.isHeld()) !== true) lock = await takeSessionLock(address, UPKEEP_LOCK, false)
    if (lock === undefined) return undefined
    const { erased, failures, unusualRealms: unusual } = await doJobs(context, stop.signal)
    const seconds = Math.floor(now().getTime() / 1000)
    // One that was cut short has not done its work.
    if (!stop.signal.aborted)
      for (const job of UPKEEP_JOBS) if (!failures.has(job)) succeededAt.set(job, seconds)
    for (const [job, error] of failures)
      if (!told.has(job)) logger.error('upkeep of the authority zone failed', error, { job })
    for (const job of told)
      if (!failures.has(job)) logger.info('upkeep of the authority zone works again', { job })
    told = new Set(failures.keys())
    for (const realm of unusual)
      if (!alarmed.has(realm))
        logger.error('far fewer codes are claimed than usual', new TocsinError('claims_unusual'), {
          realm,
        })
    alarmed = new Set(unusual)
    const run: UpkeepRun = {
      erased,
      failures,
      succeededAt: new Map(succeededAt),
      unusualRealms: unusual,
    }
    onRun?.(run)
    return run
  }
  const runNow = () => (running ??= runAll().finally(() => (running = undefined)))
  const tick = async () => {
    await runNow().then(
      () => (isAway = false),
      (error: unknown) => {
        if (!isAway) logger.error('upkeep of the authority zone could not begin', error)
        isAway = true
      },
    )
    if (!stop.signal.aborted) timer = setTimeout(() => void tick(), UPKEEP_INTERVAL_MS)
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

async function doJobs(
  { zone, now }: UpkeepContext,
  signal: AbortSignal,
): Promise<Pick<UpkeepRun, 'erased' | 'failures' | 'unusualRealms'>> {
  const { erased, failures: unerased } = await eraseDue(zone, now(), signal)
  const failures = new Map<UpkeepJob, unknown>(unerased)
  const attempt = async (job: UpkeepJob, work: () => Promise<unknown>) => {
    if (signal.aborted) return
    try {
      await work()
    } catch (error) {
      failures.set(job, error)
    }
  }
  // Behind erasing: a pepper is destroyed once no row needs it.
  await attempt('peppers', () => rotatePeppers(zone.db, zone.masterKey, now()))
  await attempt('signing-keys', () => runKeySchedule(zone, now()))
  // Processes without requests don't look after them.
  await attempt('token-keys', () => createTokenKeys(zone, now))
  let unusual: string[] = []
  await attempt('claim-alarm', async () => {
    unusual = await unusualRealms(zone.db, dayOf(now()))
  })
  return { erased, failures, unusualRealms: unusual }
}
