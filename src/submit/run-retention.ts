// Submit: erases in the key zone every hour for as long as the process runs; promises one process at a time, and numbers that tell of no person.

import type { Address } from '../db/database.ts'
import type { EraseJob, Erasure } from '../log/retention-cursor.ts'
import type { Logger } from '../operate/logger.ts'
import type { Gauge, Metrics } from '../operate/metrics.ts'
import { runJobs, type JobsRun, type RunningJobs } from '../operate/run-jobs.ts'
import { eraseDue, KEY_ZONE_KINDS, type KeyZoneKind } from './retention.ts'

/** What erasing needs. */
export interface RetentionContext {
  /** The key zone, and its login for the lock's own connection. */
  readonly zone: EraseJob['zone'] & { readonly address: Address }
  readonly now: () => Date
  readonly logger: Logger
  /** Are told what was erased. */
  readonly metrics: Pick<Metrics, 'gauges'>
}

/** What one run did. */
export type RetentionRun = JobsRun<KeyZoneKind, Erasure<KeyZoneKind>>

/** Milliseconds between two runs. */
const RETENTION_INTERVAL_MS = 3_600_000

/** "ERASEKEY" in ASCII. */
const RETENTION_LOCK = '4995126762607953241'

/** @param mode `timer` erases every hour, `manual` when it is asked to */
export function runRetention(
  { zone, now, logger, metrics }: RetentionContext,
  mode: 'timer' | 'manual',
): RunningJobs<RetentionRun> {
  const { gauges, noteRun } = collectRuns()
  metrics.gauges.push(...gauges)
  return runJobs<KeyZoneKind, Erasure<KeyZoneKind>>(
    {
      name: 'erasing in the key zone',
      jobs: KEY_ZONE_KINDS,
      intervalMs: RETENTION_INTERVAL_MS,
      lock: RETENTION_LOCK,
      address: zone.address,
      now,
      logger,
      work: (signal) => eraseDue(zone, now(), signal),
      onRun: noteRun,
    },
    mode,
  )
}

/** Adds up what runs erased, and tells it. */
function collectRuns(): {
  readonly gauges: readonly Gauge[]
  /** Takes note of a run. */
  noteRun(run: RetentionRun): void
} {
  const erased = new Map<string, number>()
  let succeededAt: ReadonlyMap<string, number> = new Map()
  return {
    noteRun(run) {
      for (const kind of KEY_ZONE_KINDS)
        erased.set(kind, (erased.get(kind) ?? 0) + run.erased[kind])
      succeededAt = run.succeededAt
    },
    gauges: [
      {
        name: 'tocsin_key_zone_erased_total',
        help: 'Parts of events that time erased in the key zone, by kind; since this process started.',
        kind: 'counter',
        label: 'kind',
        values: () => erased,
      },
      {
        name: 'tocsin_key_zone_erasing_last_success_timestamp_seconds',
        help: 'When each kind was erased last in this process; none where another process does it.',
        kind: 'gauge',
        label: 'kind',
        values: () => succeededAt,
      },
    ],
  }
}
