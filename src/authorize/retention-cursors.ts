// Authorize: erases what leaves in the order in which it came, by going through the log once; promises that what was erased in the log and what is left in the tables agree after each transaction.

import { bigintArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { eraseParts, findParts, firstSeqSince } from '../log/erase-parts.ts'
import { readEvent, readHead } from '../log/read-events.ts'
import type { StoredEvent } from '../log/record.ts'
import type { KeptRetention } from '../log/retentions.ts'
import {
  eraseByCursor,
  firstSince,
  type CursorRule,
  type EraseJob,
  type Page,
} from '../log/retention-cursor.ts'
import {
  AUDIT_DAYS,
  expiredBy,
  firstDayKept,
  startOfDay,
  STATISTICS_DAYS,
} from '../log/retention-times.ts'
import { FAILED, ISSUED, type CodeId } from './codes.ts'
import { eraseCounts } from './erase-counts.ts'
import { RETENTION, type CursorKind } from './retention-rules.ts'
import { TOKEN_LIFE } from './tokens.ts'
import { dayOf } from './zone.ts'

const RULES: Readonly<Record<CursorKind, CursorRule>> = {
  token: {
    // A grain is no later than the claim, but for a clock that went back: then the token is kept the longer.
    until: (job) => firstSince(job, expiredBy(job.now, TOKEN_LIFE + RETENTION.token) + 1),
    erase: ofEvents(['token'], (tx, events) => eraseTokens(tx, seqsOf(events))),
  },
  'failed-code': {
    until: async ({ zone }) => (await readHead(zone.db)).nextSeq,
    erase: ofEvents(['code'], eraseFailed),
  },
  'code-remains': {
    until: oldestCode,
    erase: ofEvents(['code', 'code-secret'], async (tx, events) => {
      const failed = await eraseFailed(tx, events)
      const codes = await eraseParts(tx, seqsOf(events), 'code')
      const secrets = await eraseParts(tx, seqsOf(events), 'code-secret')
      return failed + codes.length + secrets.length
    }),
  },
  statistics: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, STATISTICS_DAYS))),
    erase: ofEvents(['statistics'], async (tx, events) => {
      await eraseCounts(tx, events)
      return (await eraseParts(tx, seqsOf(events), 'statistics')).length
    }),
  },
  audit: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, AUDIT_DAYS))),
    // A day at a time, of which there is little: the last use of a key is known by day.
    async pageEnd(tx, from, until) {
      const first = await readEvent(tx, from)
      if (first === undefined) return until
      const nextDay = dayOf(new Date(first.grain * 1000)) + 1
      return firstSeqSince(tx, startOfDay(nextDay), until)
    },
    erase: ofEvents(['audit'], eraseAudit),
  },
}

/** Erases what is due of a kind. @returns how many parts */
export function eraseKind(kind: CursorKind, job: EraseJob): Promise<number> {
  return eraseByCursor(kind, RULES[kind], job)
}

/** Hands on those events of a page that have such a part. */
function ofEvents(
  retentions: readonly KeptRetention[],
  erase: (tx: Transaction, events: readonly StoredEvent[], page: Page) => Promise<number>,
): CursorRule['erase'] {
  return async (tx, page) => {
    const events = await findParts(tx, retentions, page.from, page.nextSeq)
    return events.length === 0 ? 0 : erase(tx, events, page)
  }
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
