// Authorize: erases what has outlived its time (docs/retention.md); promises that each kind is erased whatever becomes of the others, and that the log's check finds nothing wrong after any of it.

import { sql } from '../db/sql.ts'
import type { Projection } from '../log/projection.ts'
import { eraseByCursor } from './retention-cursors.ts'
import { blankSecrets, eraseStatus, forgetDuePhones } from './retention-codes.ts'
import { RETENTION_DONE, type EraseJob, type RetentionDoneContent } from './retention-lock.ts'
import { ERASED_KINDS, type ErasedKind } from './retention-rules.ts'
import type { AuthorityZone } from './zone.ts'

/** Writes how far the log was gone through. */
export const retentionProjection: Projection = {
  types: [RETENTION_DONE],
  tables: ['retention_cursor'],
  async apply(tx, events) {
    for (const { parts } of events) {
      const done = parts[0]?.content as RetentionDoneContent | undefined
      if (done === undefined) continue
      const { kind, nextSeq } = done
      await tx.query(
        sql`insert into retention_cursor (kind, next_seq) values (${kind}, ${nextSeq}::bigint)
            on conflict (kind) do update set next_seq = greatest(retention_cursor.next_seq, excluded.next_seq)`,
      )
    }
  },
}

/** What became of one run. */
export interface Erasure {
  /** Parts of events that were erased; of phones, how many were forgotten. */
  readonly erased: Readonly<Record<ErasedKind, number>>
  /** What went wrong; the others were erased all the same. */
  readonly failures: ReadonlyMap<ErasedKind, unknown>
}

const JOBS: Readonly<Record<ErasedKind, (job: EraseJob) => Promise<number>>> = {
  token: (job) => eraseByCursor('token', job),
  'failed-code': (job) => eraseByCursor('failed-code', job),
  'code-secret': blankSecrets,
  code: eraseStatus,
  'code-remains': (job) => eraseByCursor('code-remains', job),
  phone: forgetDuePhones,
  statistics: (job) => eraseByCursor('statistics', job),
  audit: (job) => eraseByCursor('audit', job),
}

/**
 * Erases all that is due, in transactions of some thousand events at the most. Any number of processes may do it at once, and any may be
 * killed: the next one goes on.
 *
 * @param signal ends it after the transaction that is under way
 */
export async function eraseDue(
  zone: AuthorityZone,
  now: Date,
  signal?: AbortSignal,
): Promise<Erasure> {
  const erased = Object.fromEntries(ERASED_KINDS.map((kind) => [kind, 0])) as Record<
    ErasedKind,
    number
  >
  const failures = new Map<ErasedKind, unknown>()
  for (const kind of ERASED_KINDS)
    try {
      erased[kind] = await JOBS[kind]({ zone, now, signal })
    } catch (error) {
      failures.set(kind, error)
    }
  return { erased, failures }
}
