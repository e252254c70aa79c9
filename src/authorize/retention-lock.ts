// Authorize: what everything that erases shares; promises that one transaction erases at a time, in all processes.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { NewEvent } from '../log/record.ts'
import type { CursorKind } from './retention-rules.ts'
import type { AuthorityZone } from './zone.ts'

/** What is erased, by which time. */
export interface EraseJob {
  readonly zone: AuthorityZone
  readonly now: Date
  /** Ends the work after the transaction that is under way. */
  readonly signal: AbortSignal | undefined
}

/**
 * Waits until nobody else erases, and keeps others from it until the transaction ends. It comes first in a transaction, so
 * that whoever has it waits for nobody who waits for it.
 */
export async function lockErasing(tx: Transaction): Promise<void> {
  await tx.query(sql`lock table retention_cursor in share row exclusive mode`)
}

export const RETENTION_DONE = 'retention.done'

export interface RetentionDoneContent {
  readonly kind: CursorKind
  readonly nextSeq: number
}

/** Everything of a kind in the events below a number was erased. */
export function retentionDone(kind: CursorKind, nextSeq: number): NewEvent {
  const content: RetentionDoneContent = { kind, nextSeq }
  return { type: RETENTION_DONE, parts: [{ retention: 'release', content }] }
}
