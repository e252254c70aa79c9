// Log: events that were there before, back in an empty database; promises bytes as they were, and no head before everything is in.

import { copyInto, CopyRows } from '../db/copy-rows.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { advanceTree, type Checkpoint } from './checkpoint.ts'
import { detachParts } from './detach-record.ts'
import { copyContents, type EventContent } from './detached-parts.ts'
import type { EventRow, LogHead } from './read-events.ts'
import type { StoredEvent } from './record.ts'
import { appendLeaf, EMPTY_FRONTIER, type Frontier } from './tree.ts'

// Beside the record: the other columns and their lengths.
const ROW_BYTES = 90

/**
 * Stores events as they are.
 *
 * @param tx of a database without pipelining
 * @param events what the rows hold
 */
export async function copyEvents(
  tx: Transaction,
  rows: readonly EventRow[],
  events: readonly StoredEvent[],
): Promise<void> {
  const size = rows.reduce((sum, { record }) => sum + record.length + ROW_BYTES, 0)
  const copied = new CopyRows(size)
  const contents: EventContent[] = []
  rows.forEach((row, index) => {
    const { seq, type, leafHash } = row
    const { grain, parts } = events[index] as StoredEvent
    const hasMore = parts.some((part) => part.detached === true && part.content !== undefined)
    const { record, contents: own } = hasMore ? detachParts(row.record) : { ...row, contents: [] }
    copied.start(4).bigint(seq).text(type).bytea(record).bytea(leafHash)
    contents.push(...own.map((content) => ({ ...content, seq, grain })))
  })
  await copyInto(tx, { table: 'event', columns: 'seq, type, record, leaf_hash', rows: copied })
  if (contents.length > 0) await copyContents(tx, contents)
}

/** Makes a checkpoint again. @returns whether it has the root that it had */
export async function restoreCheckpoint(
  tx: Transaction,
  { size, root }: Checkpoint,
): Promise<boolean> {
  return Buffer.compare((await advanceTree(tx, size)).root, root) === 0
}

/** Makes the head of a log whose events are all there: from then on it can be appended to. */
export async function restoreHead(
  tx: Transaction,
  { logId, nextSeq, grain, configurationSeq }: LogHead,
): Promise<void> {
  await tx.query(
    sql`insert into log_head (log_id, next_seq, grain, configuration_seq)
        values (${logId}, ${nextSeq}, ${grain}, ${configurationSeq})`,
  )
}

/** Notes to whom the archive is encrypted when the configuration does not say it. @param recipient `age1...` */
export async function restoreRecipient(tx: Transaction, recipient: string): Promise<void> {
  await tx.query(
    sql`insert into archive_recipient (recipient) values (${recipient}) on conflict do nothing`,
  )
}

/** What a database holds of a log: the tree over its events, and whether there is a head. */
export interface LoadedLog {
  readonly tree: Frontier
  readonly hasHead: boolean
}

const PAGE = 20_000

/** Reads how far a log is there. */
export async function readLoaded(db: Queryable): Promise<LoadedLog> {
  const { rows } = await db.query(sql`select 1 from log_head`)
  return { tree: await readTree(db), hasHead: rows.length > 0 }
}

/** The tree over the first events that are there. @param size how many at the most */
export async function readTree(db: Queryable, size = Infinity): Promise<Frontier> {
  let tree = EMPTY_FRONTIER
  for (;;) {
    const limit = Math.min(PAGE, size - tree.size)
    const { rows } = await db.query<{ leaf_hash: Uint8Array }>(
      sql`select leaf_hash from event where seq >= ${tree.size} order by seq limit ${limit}`,
    )
    for (const row of rows) tree = appendLeaf(tree, row.leaf_hash)
    if (rows.length < limit || tree.size === size) return tree
  }
}
