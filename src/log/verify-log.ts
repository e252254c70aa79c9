// Log: checks the log against itself and its tables; promises to find a gap, a changed event, a wrong root and a row that no event explains.

import type { Database, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { project } from './append-event.ts'
import type { Projection } from './projection.ts'
import { readEventRows, readHead } from './read-events.ts'
import { decodeEvent, leafHashOf } from './record.ts'
import { appendLeaf, EMPTY_FRONTIER, rootOf } from './tree.ts'

/** What was found. The log is as it should be when `problems` is empty. */
export interface LogFindings {
  readonly events: number
  /** Root of the tree over all events, in hex. */
  readonly root: string
  readonly problems: readonly string[]
}

/**
 * Reads the whole log, computes its tree, and writes all projections again into temporary tables with the code that
 * wrote the real ones; then compares the two. Changes nothing: its transaction is rolled back.
 */
export async function verifyLog(
  db: Database,
  projections: readonly Projection[],
): Promise<LogFindings> {
  const done = new Finished()
  try {
    await db.transaction(async (tx) => {
      await tx.query(sql`set transaction isolation level repeatable read`)
      done.findings = await findProblems(tx, projections)
      throw done
    })
  } catch (error) {
    if (error !== done) throw error
  }
  return done.findings as LogFindings
}

/** Thrown to roll back a transaction that only looked. */
class Finished extends Error {
  findings: LogFindings | undefined
}

async function findProblems(
  tx: Transaction,
  projections: readonly Projection[],
): Promise<LogFindings> {
  const problems: string[] = []
  const head = await readHead(tx)
  const roots = await readCheckpoints(tx)
  const tables = projections.flatMap((projection) => projection.tables)
  for (const table of tables)
    await tx.query({
      text: `create temp table ${table} (like ${table} including all) on commit drop`,
      values: [],
    })
  let frontier = EMPTY_FRONTIER
  let grain = 0
  const compareRoot = () => {
    const recorded = roots.get(frontier.size)
    if (recorded !== undefined && !Buffer.from(rootOf(frontier)).equals(recorded))
      problems.push(`the root over the first ${frontier.size} events is not the recorded one`)
    roots.delete(frontier.size)
  }
  for await (const page of readEventRows(tx, 0)) {
    for (const row of page) {
      if (row.seq !== frontier.size) problems.push(`event ${frontier.size} is missing`)
      if (!Buffer.from(leafHashOf(row.record)).equals(row.leafHash))
        problems.push(`event ${row.seq} was changed`)
      frontier = appendLeaf({ ...frontier }, row.leafHash)
      compareRoot()
    }
    const events = page.map((row) => decodeEvent(row.record))
    for (const event of events) {
      if (event.grain < grain)
        problems.push(`event ${event.seq} has an earlier grain than the one before`)
      grain = event.grain
    }
    await Promise.all(project(tx, projections, events))
  }
  if (frontier.size !== head.nextSeq)
    problems.push(`the head says ${head.nextSeq} events, ${frontier.size} are there`)
  for (const size of roots.keys())
    problems.push(`the checkpoint over ${size} events is beyond the log`)
  for (const table of tables) problems.push(...(await compareTable(tx, table)))
  return { events: frontier.size, root: Buffer.from(rootOf(frontier)).toString('hex'), problems }
}

async function readCheckpoints(tx: Transaction): Promise<Map<number, Uint8Array>> {
  const { rows } = await tx.query<{ size: number; root: Uint8Array }>(
    sql`select size, root from checkpoint order by size`,
  )
  return new Map(rows.map((row) => [row.size, row.root]))
}

async function compareTable(tx: Transaction, table: string): Promise<string[]> {
  const { rows: schemas } = await tx.query<{ name: string }>(sql`select current_schema() as name`)
  const real = `${schemas[0]?.name}.${table}`
  const count = async (text: string) =>
    (
      await tx.query<{ n: number }>({
        text: `select count(*) as n from (${text}) as difference`,
        values: [],
      })
    ).rows[0]?.n ?? 0
  const unexplained = await count(`select * from ${real} except select * from pg_temp.${table}`)
  const missing = await count(`select * from pg_temp.${table} except select * from ${real}`)
  return [
    ...(unexplained > 0 ? [`${table}: ${unexplained} rows follow from no event`] : []),
    ...(missing > 0
      ? [`${table}: ${missing} rows that follow from events are missing or changed`]
      : []),
  ]
}
