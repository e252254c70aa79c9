// Log: a new log's head row and first event; promises that a log is begun once, whoever starts first.

import { randomBytes } from 'node:crypto'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, type LogWriter } from './append-event.ts'

/** Begins the log when there is none: a random log id of 128 bits, and event 0 that holds it. */
export async function startLog(tx: Transaction, writer: LogWriter, now: Date): Promise<void> {
  const logId = randomBytes(16)
  const made = await tx.query(
    sql`insert into log_head (log_id, next_seq, grain, configuration_seq) values (${logId}, 0, 0, 0) on conflict do nothing`,
  )
  if (made.rowCount === 0) return
  const { rowCount } = await tx.query(sql`select 1 from event limit 1`)
  // A recovery makes the head last.
  if (rowCount !== 0) throw new TocsinError('recovery_unfinished')
  const content = { logId }
  await appendEvents(
    tx,
    writer,
    [{ type: 'log.started', parts: [{ retention: 'configuration', content }] }],
    now,
  )
}
