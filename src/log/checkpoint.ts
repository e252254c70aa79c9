// Log: the tree's frontier, advanced when a release is made, off the path of submissions; promises a root for every checkpoint.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import {
  appendLeaf,
  decodeFrontier,
  EMPTY_FRONTIER,
  encodeFrontier,
  rootOf,
  type Frontier,
} from './tree.ts'

/** The tree over the first `size` events. */
export interface Checkpoint {
  readonly size: number
  readonly root: Uint8Array
}

const PAGE = 5_000

/** Advances the tree to the first `size` events and keeps the checkpoint. Work grows with what is new. */
export async function advanceTree(tx: Transaction, size: number): Promise<Checkpoint> {
  let frontier = await latestFrontier(tx, size)
  while (frontier.size < size) {
    const { rows } = await tx.query<{ leaf_hash: Uint8Array }>(
      sql`select leaf_hash from event where seq >= ${frontier.size} and seq < ${size} order by seq limit ${PAGE}`,
    )
    if (rows.length === 0) throw new Error(`the log ends before event ${size}`)
    for (const row of rows) frontier = appendLeaf(frontier, row.leaf_hash)
  }
  const root = rootOf(frontier)
  await tx.query(
    sql`insert into checkpoint (size, root, frontier) values (${size}, ${root}, ${encodeFrontier(frontier)}) on conflict do nothing`,
  )
  return { size, root }
}

async function latestFrontier(db: Queryable, size: number): Promise<Frontier> {
  const { rows } = await db.query<{ size: number; frontier: Uint8Array }>(
    sql`select size, frontier from checkpoint where size <= ${size} order by size desc limit 1`,
  )
  return rows[0] === undefined ? EMPTY_FRONTIER : decodeFrontier(rows[0].size, rows[0].frontier)
}
