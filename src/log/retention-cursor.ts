// Log: erases what leaves in the order in which it came, by going through the log once; promises that one transaction erases at a time in all processes, and that whoever is killed is gone on for.

import type { Database, Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { appendEvents, type LogWriter } from './append-event.ts'
import { firstSeqSince } from './erase-parts.ts'
import type { Projection } from './projection.ts'
import { readHead } from './read-events.ts'
import type { NewEvent } from './record.ts'

/** What is erased, by which time. */
export interface EraseJob {
  readonly zone: { readonly db: Database; readonly writer: LogWriter }
  readonly now: Date
  /** Ends the work after the transaction that is under way. */
  readonly signal: AbortSignal | undefined
  /**
   * Whether what was erased before is erased once more, and no more: for a log that was recovered, whose archive held some of it. It makes
   * no event: the cursors say it already.
   */
  readonly again?: boolean
}

/** What is special of a kind of thing that is erased. */
export interface CursorRule {
  /** The number of the first event that is not due. */
  until(job: EraseJob): Promise<number>
  /** Where a page ends at the latest; without it, after {@link EVENTS_A_PAGE}. */
  pageEnd?(tx: Transaction, from: number, until: number): Promise<number>
  /** Erases it of the events of a page, in the log and in the tables. @returns how many parts */
  erase(tx: Transaction, page: Page): Promise<number>
}

/** Events that are looked at in one transaction. */
export interface Page {
  readonly from: number
  /** All events below this number have been looked at then. */
  readonly nextSeq: number
  readonly now: Date
}

/** How many these are. */
export const EVENTS_A_PAGE = 2_000

/**
 * Waits until nobody else erases, and keeps others from it until the transaction ends. It comes first in a transaction, so
 * that whoever has it waits for nobody who waits for it.
 */
export async function lockErasing(tx: Transaction): Promise<void> {
  await tx.query(sql`lock table retention_cursor in share row exclusive mode`)
}

const RETENTION_DONE = 'retention.done'

interface RetentionDoneContent {
  readonly kind: string
  readonly nextSeq: number
}

/** Everything of a kind in the events below a number was erased. */
function retentionDone(kind: string, nextSeq: number): NewEvent {
  const content: RetentionDoneContent = { kind, nextSeq }
  return { type: RETENTION_DONE, parts: [{ retention: 'release', content }] }
}

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

/** Erases what is due of a kind, page by page. @returns how many parts */
export async function eraseByCursor(
  kind: string,
  rule: CursorRule,
  job: EraseJob,
): Promise<number> {
  const { zone, now, signal, again = false } = job
  const until = again ? await readCursor(zone.db, kind) : await rule.until(job)
  let erased = 0
  let from = 0
  while (from < until) {
    if (signal?.aborted === true) break
    const page = await zone.db.transaction((tx) => erasePage(tx, kind, rule, from, until, job))
    erased += page.erased
    from = page.nextSeq
    // Only what saves work is worth an event: what it left behind is looked at again, and found erased.
    if (!again && (page.erased > 0 || page.nextSeq - page.cursor >= EVENTS_A_PAGE))
      // Apart: whoever holds the head makes everybody wait, and must not wait for anybody's rows.
      await zone.db.transaction(async (tx) => {
        await lockErasing(tx)
        await appendEvents(tx, zone.writer, [retentionDone(kind, page.nextSeq)], now)
      })
  }
  return erased
}

async function readCursor(db: Queryable, kind: string): Promise<number> {
  const { rows } = await db.query<{ next_seq: number }>(
    sql`select next_seq from retention_cursor where kind = ${kind}`,
  )
  return rows[0]?.next_seq ?? 0
}

async function erasePage(
  tx: Transaction,
  kind: string,
  rule: CursorRule,
  after: number,
  until: number,
  { now, again }: EraseJob,
): Promise<{ readonly erased: number; readonly cursor: number; readonly nextSeq: number }> {
  await lockErasing(tx)
  const cursor = again === true ? 0 : await readCursor(tx, kind)
  const from = Math.max(cursor, after)
  if (from >= until) return { erased: 0, cursor, nextSeq: until }
  const nextSeq = (await rule.pageEnd?.(tx, from, until)) ?? Math.min(until, from + EVENTS_A_PAGE)
  return { erased: await rule.erase(tx, { from, nextSeq, now }), cursor, nextSeq }
}

/** The number of the first event that was accepted at or after a moment. @param moment unix seconds */
export async function firstSince({ zone }: EraseJob, moment: number): Promise<number> {
  return firstSeqSince(zone.db, moment, (await readHead(zone.db)).nextSeq)
}

/** What became of one run over several kinds. */
export interface Erasure<Kind extends string> {
  /** Parts of events that were erased, or what else a kind counts. */
  readonly erased: Readonly<Record<Kind, number>>
  /** What went wrong; the others were erased all the same. */
  readonly failures: ReadonlyMap<Kind, unknown>
}

/** Erases each kind in order, whatever becomes of the others. @param erase by kind, how many it erased */
export async function eraseKinds<Kind extends string>(
  kinds: readonly Kind[],
  erase: Readonly<Record<Kind, (job: EraseJob) => Promise<number>>>,
  job: EraseJob,
): Promise<Erasure<Kind>> {
  const erased = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>
  const failures = new Map<Kind, unknown>()
  for (const kind of kinds)
    try {
      erased[kind] = await erase[kind](job)
    } catch (error) {
      failures.set(kind, error)
    }
  return { erased, failures }
}
