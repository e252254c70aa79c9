// Authorize: erases what has outlived its time (docs/retention.md); promises that each kind is erased whatever becomes of the others, and that the log's check finds nothing wrong after any of it.

import { eraseKinds, type EraseJob, type Erasure } from '../log/retention-cursor.ts'
import { eraseKind } from './retention-cursors.ts'
import { blankSecrets, eraseStatus, forgetDuePhones } from './retention-codes.ts'
import { ERASED_KINDS, type ErasedKind } from './retention-rules.ts'
import type { AuthorityZone } from './zone.ts'

const JOBS: Readonly<Record<ErasedKind, (job: EraseJob) => Promise<number>>> = {
  token: (job) => eraseKind('token', job),
  'failed-code': (job) => eraseKind('failed-code', job),
  'code-secret': blankSecrets,
  code: eraseStatus,
  'code-remains': (job) => eraseKind('code-remains', job),
  phone: forgetDuePhones,
  statistics: (job) => eraseKind('statistics', job),
  audit: (job) => eraseKind('audit', job),
}

/**
 * Erases all that is due, in transactions of some thousand events at the most. Any number of processes may do it at once, and any may be
 * killed: the next one goes on.
 *
 * @param signal ends it after the transaction that is under way
 */
export function eraseDue(
  zone: AuthorityZone,
  now: Date,
  signal?: AbortSignal,
): Promise<Erasure<ErasedKind>> {
  return eraseKinds(ERASED_KINDS, JOBS, { zone, now, signal })
}

/**
 * Erases once more what the cursors say was erased: of a log that was just recovered, from an archive that held some of it.
 *
 * @throws what the first kind that fails throws
 */
export async function eraseAgain(zone: AuthorityZone, now: Date): Promise<void> {
  const job = { zone, now, signal: undefined, again: true }
  // What the tables say first: of codes that are gone the events say nothing more.
  for (const kind of ['code-secret', 'code', 'phone'] as const) await JOBS[kind](job)
  for (const kind of ERASED_KINDS) await JOBS[kind](job)
}
