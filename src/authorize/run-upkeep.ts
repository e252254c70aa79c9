// Authorize: what the authority zone does by itself every few minutes: erasing, replacing peppers and keys; promises one process at a time, and that what fails keeps nothing else from being done.

import type { Address } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import type { Logger } from '../operate/logger.ts'
import { runJobs, type JobsOutcome, type JobsRun, type RunningJobs } from '../operate/run-jobs.ts'
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

/** What the jobs of one run did. */
interface UpkeepOutcome extends JobsOutcome<UpkeepJob> {
  /** How many parts of events were erased; of phones, how many were forgotten. */
  readonly erased: Readonly<Record<ErasedKind, number>>
  /** Realms in which far fewer codes were claimed on the last full day than usual. */
  readonly unusualRealms: readonly string[]
}

/** What one run did. */
export type UpkeepRun = JobsRun<UpkeepJob, UpkeepOutcome>

/** Milliseconds between two runs. */
const UPKEEP_INTERVAL_MS = 300_000

/** "UPKEEPRN" in ASCII. */
const UPKEEP_LOCK = '6147496252248445518'

/** @param mode `timer` does it every few minutes, `manual` when it is asked to */
export function runUpkeep(
  context: UpkeepContext,
  mode: 'timer' | 'manual',
): RunningJobs<UpkeepRun> {
  const { address, logger, now, onRun } = context
  let alarmed: ReadonlySet<string> = new Set()
  return runJobs<UpkeepJob, UpkeepOutcome>(
    {
      name: 'upkeep of the authority zone',
      jobs: UPKEEP_JOBS,
      intervalMs: UPKEEP_INTERVAL_MS,
      lock: UPKEEP_LOCK,
      address,
      now,
      logger,
      onRun,
      async work(signal) {
        const outcome = await doJobs(context, signal)
        for (const realm of outcome.unusualRealms)
          if (!alarmed.has(realm))
            logger.error(
              'far fewer codes are claimed than usual',
              new TocsinError('claims_unusual'),
              { realm },
            )
        alarmed = new Set(outcome.unusualRealms)
        return outcome
      },
    },
    mode,
  )
}

async function doJobs({ zone, now }: UpkeepContext, signal: AbortSignal): Promise<UpkeepOutcome> {
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
