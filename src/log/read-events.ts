// Log: events in order; promises flat memory however long the log is.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { attachContents } from './detached-parts.ts'
import { decodeEvent, type StoredEvent } from './record.ts'

const PAGE = 500

/** A row of the event table. */
export interface EventRow {
  readonly seq: number
  readonly type: string
  readonly record: Uint8Array
  readonly leafHash: Uint8Array
}

/** The events from `from` on, page by page, as bytes: with what is kept apart, as far as it is there. */
export async function* readEventRows(
  db: Queryable,
  from: number,
  until = Infinity,
): AsyncGenerator<EventRow[]> {
  for (let next = from; next < until;) {
    const { rows } = await db.query<{
      seq: number
      type: string
      record: Uint8Array
      leaf_hash: Uint8Array
    }>(
      sql`select seq, type, record, leaf_hash from event where seq >= ${next} order by seq limit ${PAGE}`,
    )
    const page = rows
      .filter((row) => row.seq < until)
      .map(({ leaf_hash, ...row }) => ({ ...row, leafHash: leaf_hash }))
    if (page.length === 0) return
    yield* attachContents(db, page)
    next = (page.at(-1)?.seq ?? next) + 1
  }
}

/** One event, without what is kept apart; undefined when there is none of that number. */
export async function readEvent(db: Queryable, seq: number): Promise<StoredEvent | undefined> {
  const { rows } = await db.query<{ record: Uint8Array }>(
    sql`select record from event where seq = ${seq}`,
  )
  return rows[0] === undefined ? undefined : decodeEvent(rows[0].record)
}

/** Where the log stands. */
export interface LogHead {
  readonly logId: Uint8Array
  readonly nextSeq: number
  /** Unix seconds. */
  readonly grain: number
  readonly configurationSeq: number
}

/** Digits of a log id that name a folder. */
const FOLDER_DIGITS = 8

/**
 * In which folder below a stream's own the log's files lie: undefined for the first log, and for one that began with a recovery to an
 * earlier point the first 8 hex digits of its log id, so that none of its files has the path of one that the dropped part published.
 */
export async function readLogFolder(db: Queryable): Promise<string | undefined> {
  const { logId } = await readHead(db)
  const first = await readEvent(db, 0)
  const began = (first?.parts[0]?.content as { readonly logId?: Uint8Array } | undefined)?.logId
  if (began !== undefined && Buffer.compare(began, logId) === 0) return undefined
  return Buffer.from(logId).toString('hex').slice(0, FOLDER_DIGITS)
}

/** Reads the head row. */
export async function readHead(db: Queryable): Promise<LogHead> {
  const { rows } = await db.query<{
    log_id: Uint8Array
    next_seq: number
    grain: number
    configuration_seq: number
  }>({
    name: 'read-head',
    text: 'select log_id, next_seq, grain, configuration_seq from log_head',
    values: [],
  })
  const row = rows[0]
  if (row === undefined) throw new Error('the log has no head row')
  return {
    logId: row.log_id,
    nextSeq: row.next_seq,
    grain: row.grain,
    configurationSeq: row.configuration_seq,
  }
}
