// Authorize: erases codes and phones whose own time has come, which their rows say; promises that an event keeps what any of its codes needs.

import { bigintArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import type { Statement } from '../db/sql.ts'
import { sql } from '../db/sql.ts'
import { eraseParts } from '../log/erase-parts.ts'
import { lockErasing, type EraseJob } from '../log/retention-cursor.ts'
import { expiredBy } from '../log/retention-times.ts'
import { RETENTION } from './retention-rules.ts'
import { dayOf } from './zone.ts'

/** Rows that one transaction changes, but for an event that alone has more. */
export const ROWS_A_PAGE = 4_000
/** Events that one look at the table finds. */
const EVENTS_A_LOOK = 10_000

/** Blanks what recognises codes, long after they expired; not while a token counts, which needs their pepper. */
export function blankSecrets(job: EraseJob): Promise<number> {
  return eraseCodes(job, RETENTION.codeSecret, true, async (tx, seqs) => {
    // One of an earlier version has its HMACs beside the rest, and keeps them as long.
    const blanked = await eraseParts(tx, seqs, 'code-secret')
    await tx.query(
      sql`update verification_code set pepper = null, code_mac = null, long_code_mac = null,
            nonce_mac = case when token_seq is not null then nonce_mac end
          where seq = any(${bigintArray(blanked)}::bigint[])`,
    )
    return blanked.length
  })
}

/** Deletes codes, with all that the log says of them. */
export function eraseStatus(job: EraseJob): Promise<number> {
  return eraseCodes(job, RETENTION.code, false, async (tx, seqs, rows) => {
    const tokens = rows.flatMap((row) => [row.token_seq ?? [], row.certified_seq ?? []].flat())
    const said = rows.flatMap((row) => [row.activated_seq ?? [], row.certified_seq ?? []].flat())
    await tx.query(
      sql`delete from verification_code where seq = any(${bigintArray(seqs)}::bigint[])`,
    )
    // Of those that should be gone by now, too: nothing would find them again.
    const erased = [
      await eraseParts(tx, tokens, 'token'),
      await eraseParts(tx, seqs, 'code-secret'),
      await eraseParts(tx, [...seqs, ...said], 'code'),
    ]
    return erased.flat().length
  })
}

interface CodeRow {
  readonly seq: number
  readonly is_due: boolean
  readonly token_seq: number | null
  readonly certified_seq: number | null
  readonly activated_seq: number | null
}

type EraseCodes = (
  tx: Transaction,
  seqs: readonly number[],
  rows: readonly CodeRow[],
) => Promise<number>

/** Erases of events all of whose codes are due. @param keptFor seconds after both forms expired @returns how many parts */
async function eraseCodes(
  { zone, now, signal }: EraseJob,
  keptFor: number,
  needsMac: boolean,
  erase: EraseCodes,
): Promise<number> {
  const expired = expiredBy(now, keptFor)
  const seconds = expiredBy(now, 0)
  let erased = 0
  for (let after = -1; ;) {
    const { rows: found } = await zone.db.query<FoundEvent>(
      dueEvents(after, expired, seconds, needsMac),
    )
    for (const seqs of pagesOf(found)) {
      if (signal?.aborted === true) return erased
      erased += await zone.db.transaction(async (tx) => {
        await lockErasing(tx)
        const rows = await lockRows(tx, seqs, expired, seconds)
        const kept = new Set(rows.flatMap((row) => (row.is_due ? [] : [row.seq])))
        const due = rows.filter((row) => !kept.has(row.seq))
        return due.length === 0 ? 0 : erase(tx, [...new Set(due.map(({ seq }) => seq))], due)
      })
    }
    const last = found.at(-1)
    if (last === undefined || found.length < EVENTS_A_LOOK) return erased
    after = last.seq
  }
}

interface FoundEvent {
  readonly seq: number
  readonly codes: number
}

function dueEvents(after: number, expired: number, seconds: number, needsMac: boolean): Statement {
  return sql`select seq, (select count(*) from verification_code c where c.seq = due.seq) as codes
    from (select distinct seq from verification_code
          where long_expires_at <= ${expired} and seq > ${after} and (code_mac is not null or not ${needsMac}::boolean)) as due
    where not exists (select 1 from verification_code c where c.seq = due.seq
          and (greatest(c.expires_at, c.long_expires_at) > ${expired} or c.token_expires_at > ${seconds}))
    order by seq limit ${EVENTS_A_LOOK}`
}

/** The codes of these events, locked; always in one order. They may have changed since they were found. */
async function lockRows(
  tx: Transaction,
  seqs: readonly number[],
  expired: number,
  seconds: number,
): Promise<CodeRow[]> {
  const { rows } = await tx.query<CodeRow>(
    sql`select seq, token_seq, certified_seq, activated_seq,
          greatest(expires_at, long_expires_at) <= ${expired} and coalesce(token_expires_at, 0) <= ${seconds} as is_due
        from verification_code where seq = any(${bigintArray(seqs)}::bigint[]) order by seq, place for update`,
  )
  return rows
}

function pagesOf(events: readonly FoundEvent[]): number[][] {
  const pages: number[][] = []
  let room = 0
  for (const { seq, codes } of events) {
    if (codes > room || pages.length === 0) {
      pages.push([])
      room = ROWS_A_PAGE
    }
    pages.at(-1)?.push(seq)
    room -= codes
  }
  return pages
}

/** Forgets phones whose realm no longer wants to know that they reported themselves. @returns how many */
export async function forgetDuePhones({ zone, now, signal }: EraseJob): Promise<number> {
  let forgotten = 0
  for (;;) {
    if (signal?.aborted === true) return forgotten
    const count = await zone.db.transaction(async (tx) => {
      await lockErasing(tx)
      return forget(
        tx,
        sql`select seq from user_report where forget_day <= ${dayOf(now)}::integer
            order by seq limit ${ROWS_A_PAGE} for update`,
      )
    })
    forgotten += count
    if (count < ROWS_A_PAGE) return forgotten
  }
}

/**
 * Forgets that a phone reported itself, since it is about to do so again: its new report is the only one that is known, and can be
 * taken back.
 *
 * @param phoneMacs its HMACs under every pepper
 */
export async function forgetPhone(
  tx: Transaction,
  realm: string,
  phoneMacs: readonly Uint8Array[],
): Promise<void> {
  await forget(
    tx,
    sql`select seq from user_report where realm = ${realm} and phone_mac = any(${phoneMacs}::bytea[]) order by seq for update`,
  )
}

async function forget(tx: Transaction, which: Statement): Promise<number> {
  const { rows } = await tx.query<{ seq: number }>(which)
  if (rows.length === 0) return 0
  const seqs = rows.map(({ seq }) => seq)
  await tx.query(sql`delete from user_report where seq = any(${bigintArray(seqs)}::bigint[])`)
  await eraseParts(tx, seqs, 'phone')
  return rows.length
}
