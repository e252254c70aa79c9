// Log: erases parts of events whose time is over; promises that numbers, grains and leaf hashes stay, and that a moment is found among events without reading all of them.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql, type Statement } from '../db/sql.ts'
import { readEvent } from './read-events.ts'
import { decodeEvent, erasePart, type StoredEvent } from './record.ts'
import { isDetached, type KeptRetention } from './retentions.ts'

/** Events whose records are in memory at a time: one can hold thousands of HMACs. */
const PAGE = 200

/**
 * Erases the parts of a retention in these events, in the transaction of the caller, which also changes the tables: they must be
 * what the projections give from the parts that remain.
 *
 * @returns the numbers of the events that had such a part until now, ascending
 */
export async function eraseParts(
  tx: Transaction,
  seqs: readonly number[],
  retention: KeptRetention,
): Promise<number[]> {
  const ordered = [...new Set(seqs)].sort((a, b) => a - b)
  const erased: number[] = []
  for (let from = 0; from < ordered.length; from += PAGE) {
    const page = bigintArray(ordered.slice(from, from + PAGE))
    // Locked, since another part of the same event may be on its way out.
    const records = sql`select seq, record from event where seq = any(${page}::bigint[]) order by seq for update`
    erased.push(...(await erasePage(tx, records, retention)))
  }
  return erased
}

/**
 * The same of all events from `from` on, before `until`, each of which is read once.
 *
 * @param except numbers of events that are left as they are
 * @returns how many had such a part until now
 */
export async function eraseRange(
  tx: Transaction,
  from: number,
  until: number,
  retention: KeptRetention,
  except: readonly number[] = [],
): Promise<number> {
  const left = bigintArray(except)
  let erased = 0
  for (let next = from; next < until; next += PAGE) {
    const end = Math.min(until, next + PAGE)
    const records = sql`select seq, record from event where seq >= ${next} and seq < ${end}
      and seq <> all(${left}::bigint[]) order by seq for update`
    erased += (await erasePage(tx, records, retention)).length
  }
  return erased
}

/** @param records gives numbers and records, locked */
async function erasePage(
  tx: Transaction,
  records: Statement,
  retention: KeptRetention,
): Promise<number[]> {
  const { rows } = await tx.query<{ seq: number; record: Uint8Array }>(records)
  const due = rows.flatMap(({ seq, record }) => {
    const left = erasePart(record, retention)
    return Buffer.compare(left, record) === 0 ? [] : [{ seq, record: left }]
  })
  if (due.length === 0) return []
  const erased = due.map(({ seq }) => seq)
  await tx.query({
    name: 'erase-parts',
    text: `update event set record = erased.record
           from unnest($1::bigint[], $2::bytea[]) as erased(seq, record) where event.seq = erased.seq`,
    values: [bigintArray(erased), byteaArray(due.map(({ record }) => record))],
  })
  return erased
}

function holdsAny({ parts }: StoredEvent, retentions: readonly KeptRetention[]): boolean {
  return parts.some(
    ({ content, retention }) =>
      content !== undefined && !isDetached(retention) && retentions.includes(retention),
  )
}

/** The events from `from` on, before `until`, that have a part of one of these retentions which is not erased. */
export async function findParts(
  db: Queryable,
  retentions: readonly KeptRetention[],
  from: number,
  until: number,
): Promise<StoredEvent[]> {
  const found: StoredEvent[] = []
  for (let next = from; next < until; next += PAGE) {
    const { rows } = await db.query<{ record: Uint8Array }>(
      sql`select record from event where seq >= ${next} and seq < ${Math.min(until, next + PAGE)} order by seq`,
    )
    for (const { record } of rows) {
      const event = decodeEvent(record)
      if (holdsAny(event, retentions)) found.push(event)
    }
  }
  return found
}

/**
 * The number of the first event that was accepted at or after a moment, by halving: grains never go back.
 *
 * @param moment unix seconds
 * @param nextSeq the head's: what is returned when all are earlier
 */
export async function firstSeqSince(
  db: Queryable,
  moment: number,
  nextSeq: number,
): Promise<number> {
  let low = 0
  let high = nextSeq
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const event = await readEvent(db, middle)
    if (event === undefined) throw new Error(`event ${middle} is missing`)
    if (event.grain < moment) low = middle + 1
    else high = middle
  }
  return low
}
