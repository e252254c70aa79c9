// Recover: a batch of events and all that follows from them, in one go; promises that an interruption leaves nothing that the next run does not find.

import { copyInto, type TableRows } from '../db/copy-rows.ts'
import type { Database, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import type { LogWriter } from '../log/append-event.ts'
import { copyEvents, restoreCheckpoint } from '../log/load-events.ts'
import { follows, type BulkRows } from '../log/projection.ts'
import type { EventRow } from '../log/read-events.ts'
import type { StoredEvent } from '../log/record.ts'
import { releaseContent } from '../publish/earlier-events.ts'
import { RELEASE } from '../publish/releases.ts'

/** Where a log is recovered to. */
export interface RecoveryTarget {
  readonly db: Database
  /** Two connections without pipelining at the least. */
  readonly copyDb: Database
  readonly writer: LogWriter
}

/** Events of a batch, as they are stored and as they are read. */
export interface Batch {
  readonly rows: readonly EventRow[]
  readonly events: readonly StoredEvent[]
}

/**
 * Writes a batch. The most rows go by a connection of their own, so that two cores work, and are committed before the transaction that holds the
 * events and everything else.
 */
export async function writeBatch(target: RecoveryTarget, { rows, events }: Batch): Promise<void> {
  const bulk: BulkRows[] = []
  const applied: ((tx: Transaction) => Promise<void>)[] = []
  for (const projection of target.writer.projections) {
    const { rowsOf, apply } = projection
    const followed = events.filter(({ type }) => follows(projection, type))
    if (followed.length === 0) continue
    if (rowsOf === undefined) applied.push((tx) => apply(tx, followed))
    else bulk.push(...rowsOf(followed))
  }
  const ahead = target.copyDb.transaction(async (tx) => {
    await commitLater(tx)
    await copyAll(
      tx,
      bulk.filter((each) => each.ahead === true),
    )
  })
  // It is waited for below, also when what comes first fails.
  ahead.catch(() => undefined)
  try {
    await target.copyDb.transaction(async (tx) => {
      await commitLater(tx)
      await copyEvents(tx, rows, events)
      await copyAll(
        tx,
        bulk.filter((each) => each.ahead !== true),
      )
      for (const apply of applied) await apply(oneByOne(tx))
      await restoreCheckpoints(tx, events)
      await ahead
    })
  } finally {
    await ahead.catch(() => undefined)
  }
}

/**
 * Nobody waits until a batch is on the disk: the database keeps what was committed first, and the head's transaction, which is waited for, comes last.
 */
async function commitLater(tx: Transaction): Promise<void> {
  await tx.query(sql`set local synchronous_commit = off`)
}

/** What is asked at once is sent one after the other: this connection does not pipeline. */
export function oneByOne(tx: Transaction): Transaction {
  let last: Promise<unknown> = Promise.resolve()
  const query: Transaction['query'] = (statement) => {
    const result = last.then(() => tx.query(statement))
    last = result.catch(() => undefined)
    return result as never
  }
  return { ...tx, query }
}

async function copyAll(tx: Transaction, tables: readonly TableRows[]): Promise<void> {
  for (const table of tables) await copyInto(tx, table)
}

/** A checkpoint was made with each release, over events before it. */
async function restoreCheckpoints(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  for (const event of events) {
    if (event.type !== RELEASE) continue
    const { checkpoint } = releaseContent(event)
    if (!(await restoreCheckpoint(tx, checkpoint)))
      throw new TocsinError(
        'log_invalid',
        `Event ${event.seq} says of the first ${checkpoint.size} events what they are not.`,
      )
  }
}

/** Removes the rows that an interrupted run wrote ahead of their events. @param next the first number whose event is not there */
export async function removeAhead({ db, writer }: RecoveryTarget, next: number): Promise<void> {
  const tables = writer.projections.flatMap(({ rowsOf }) =>
    (rowsOf?.([]) ?? []).filter(({ ahead }) => ahead === true).map(({ table }) => table),
  )
  for (const table of tables)
    await db.transaction((tx) =>
      tx.query({ text: `delete from ${table} where seq >= $1`, values: [next] }),
    )
}
