// Authorize: erases what leaves in the order in which it came, by going through the log once; promises that what was erased in the log and what is left in the tables agree after each transaction.

import { bigintArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { appendEvents } from '../log/append-event.ts'
import { eraseParts, findParts, firstSeqSince } from '../log/erase-parts.ts'
import { readEvent, readHead } from '../log/read-events.ts'
import type { StoredEvent } from '../log/record.ts'
import { FAILED, ISSUED, type CodeId } from './codes.ts'
import { eraseCounts } from './erase-counts.ts'
import { lockErasing, retentionDone, type EraseJob } from './retention-lock.ts'
import {
  CURSOR_PARTS,
  expiredBy,
  firstDayKept,
  RETENTION,
  startOfDay,
  type CursorKind,
} from './retention-rules.ts'
import { TOKEN_LIFE } from './tokens.ts'
import { dayOf } from './zone.ts'

/** Events that are looked at in a transaction. */
export const EVENTS_A_PAGE = 2_000

/** What is special of a kind. */
interface CursorRule {
  /** The number of the first event that is not due. */
  until(job: EraseJob): Promise<number>
  /** Where a page ends at the latest; without it, after so many events. */
  pageEnd?(tx: Transaction, from: number, until: number): Promise<number>
  /** Erases of these events, which have such a part, in the log and in the tables. @returns how many parts */
  erase(tx: Transaction, events: readonly StoredEvent[], page: Page): Promise<number>
}

interface Page {
  /** All events below this number have been looked at. */
  readonly nextSeq: number
  readonly until: number
  readonly now: Date
}

const RULES: Readonly<Record<CursorKind, CursorRule>> = {
  token: {
    // A grain is no later than the claim, but for a clock that went back: then the token is kept the longer.
    until: (job) => firstSince(job, expiredBy(job.now, TOKEN_LIFE + RETENTION.token) + 1),
    erase: (tx, events) => eraseTokens(tx, seqsOf(events)),
  },
  'failed-code': {
    until: async ({ zone }) => (await readHead(zone.db)).nextSeq,
    erase: eraseFailed,
  },
  'code-remains': {
    until: oldestCode,
    async erase(tx, events) {
      const failed = await eraseFailed(tx, events)
      const codes = await eraseParts(tx, seqsOf(events), 'code')
      const secrets = await eraseParts(tx, seqsOf(events), 'code-secret')
      return failed + codes.length + secrets.length
    },
  },
  statistics: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, RETENTION.statisticsDays))),
    async erase(tx, events) {
      await eraseCounts(tx, events)
      return (await eraseParts(tx, seqsOf(events), 'statistics')).length
    },
  },
  audit: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, RETENTION.auditDays))),
    // A day at a time, of which there is little: the last use of a key is known by day.
    async pageEnd(tx, from, until) {
      const first = await readEvent(tx, from)
      if (first === undefined) return until
      const nextDay = dayOf(new Date(first.grain * 1000)) + 1
      return firstSeqSince(tx, startOfDay(nextDay), until)
    },
    erase: eraseAudit,
  },
}

/** Erases what is due of a kind, page by page. @returns how many parts */
export async function eraseByCursor(kind: CursorKind, job: EraseJob): Promise<number> {
  const { zone, now, signal } = job
  const rule = RULES[kind]
  const until = await rule.until(job)
  let erased = 0
  let from = 0
  while (from < until) {
    if (signal?.aborted === true) break
    const page = await zone.db.transaction((tx) => erasePage(tx, kind, from, until, now))
    erased += page.erased
    from = page.nextSeq
    // Only what saves work is worth an event: what it left behind is looked at again, and found erased.
    if (page.erased > 0 || page.nextSeq - page.cursor >= EVENTS_A_PAGE)
      // Apart: whoever holds the head makes everybody wait, and must not wait for anybody's code.
      await zone.db.transaction(async (tx) => {
        await lockErasing(tx)
        await appendEvents(tx, zone.writer, [retentionDone(kind, page.nextSeq)], now)
      })
  }
  return erased
}

async function erasePage(
  tx: Transaction,
  kind: CursorKind,
  after: number,
  until: number,
  now: Date,
): Promise<{ readonly erased: number; readonly cursor: number; readonly nextSeq: number }> {
  const rule = RULES[kind]
  await lockErasing(tx)
  const { rows } = await tx.query<{ next_seq: number }>(
    sql`select next_seq from retention_cursor where kind = ${kind}`,
  )
  const cursor = rows[0]?.next_seq ?? 0
  const from = Math.max(cursor, after)
  if (from >= until) return { erased: 0, cursor, nextSeq: until }
  const end = (await rule.pageEnd?.(tx, from, until)) ?? Math.min(until, from + EVENTS_A_PAGE)
  const events = await findParts(tx, CURSOR_PARTS[kind], from, end)
  const erased =
    events.length === 0 ? 0 : await rule.erase(tx, events, { nextSeq: end, until, now })
  return { erased, cursor, nextSeq: end }
}

async function firstSince({ zone }: EraseJob, moment: number): Promise<number> {
  return firstSeqSince(zone.db, moment, (await readHead(zone.db)).nextSeq)
}

/**
 * Events of codes say something of codes that were there before them. So of those before the oldest code that is left, nothing is
 * needed. The head is read first: a code that is issued meanwhile comes behind it.
 */
async function oldestCode({ zone }: EraseJob): Promise<number> {
  const { nextSeq } = await readHead(zone.db)
  const { rows } = await zone.db.query<{ seq: number }>(
    sql`select seq from verification_code order by seq limit 1`,
  )
  return Math.min(nextSeq, rows[0]?.seq ?? nextSeq)
}

/**
 * Erases claims and certificates. With the last claim of a code goes its certificate, which the token was for.
 *
 * @returns how many parts
 */
async function eraseTokens(tx: Transaction, seqs: readonly number[]): Promise<number> {
  const wanted = bigintArray(seqs)
  const { rows } = await tx.query<{ certified_seq: number | null }>(
    sql`select certified_seq from verification_code
        where token_seq = any(${wanted}::bigint[]) or (keys_mac is not null and certified_seq = any(${wanted}::bigint[]))
        order by seq, place for update`,
  )
  const certified = rows.flatMap(({ certified_seq }) => certified_seq ?? [])
  // Of a code that only one phone may claim, its own nonce stays: it is the code's.
  await tx.query(
    sql`update verification_code set token_id = null, token_expires_at = null, token_seq = null, keys_mac = null,
          certified_seq = null, nonce_mac = case when needs_nonce and pepper is not null then nonce_mac end
        where token_seq = any(${wanted}::bigint[])`,
  )
  await tx.query(
    sql`update verification_code set keys_mac = null, certified_seq = null
        where keys_mac is not null and certified_seq = any(${wanted}::bigint[])`,
  )
  return (await eraseParts(tx, [...seqs, ...certified], 'token')).length
}

/** Erases codes that could not be told to anybody, and that they were: no table has them. @returns how many parts */
async function eraseFailed(tx: Transaction, events: readonly StoredEvent[]): Promise<number> {
  const failures = events.filter(({ type }) => type === FAILED)
  const issued: number[] = []
  for (const { parts } of failures) {
    const code = parts.find((part) => part.retention === 'code')?.content as CodeId | undefined
    if (code !== undefined && (await readEvent(tx, code.seq))?.type === ISSUED)
      issued.push(code.seq)
  }
  // The phone's first: what else is there says that it is forgotten.
  const phones = await eraseParts(tx, issued, 'phone')
  const secrets = await eraseParts(tx, issued, 'code-secret')
  const codes = await eraseParts(tx, [...issued, ...seqsOf(failures)], 'code')
  return phones.length + secrets.length + codes.length
}

async function eraseAudit(
  tx: Transaction,
  events: readonly StoredEvent[],
  { nextSeq, now }: Page,
): Promise<number> {
  const erased = await eraseParts(tx, seqsOf(events), 'audit')
  const next = await readEvent(tx, nextSeq)
  const day = dayOf(next === undefined ? now : new Date(next.grain * 1000))
  await tx.query(sql`update api_key set last_used_day = null where last_used_day < ${day}::integer`)
  return erased.length
}

function seqsOf(events: readonly StoredEvent[]): number[] {
  return events.map(({ seq }) => seq)
}
