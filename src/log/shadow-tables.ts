// Log: the tables made a second time from events, in temporary ones of the same names; promises never to write the real ones.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { project } from './append-event.ts'
import type { Tell } from './checked-events.ts'
import type { Projection } from './projection.ts'
import type { StoredEvent } from './record.ts'

/**
 * Makes an empty temporary table for each, constraints included, which hides the real one from the projections' statements
 * until the transaction ends.
 *
 * @returns the schema of the real ones
 */
export async function makeShadows(tx: Transaction, tables: readonly string[]): Promise<string> {
  const { rows } = await tx.query<{ name: string }>(
    sql`select quote_ident(current_schema()) as name`,
  )
  const schema = rows[0]?.name ?? ''
  // Named, not only implied: a statement that this connection prepared before goes on writing the real table unless the
  // path is another one.
  await tx.query(sql`select set_config('search_path', ${`pg_temp, ${schema}`}, true)`)
  for (const table of tables)
    await tx.query({
      text: `create temp table ${table} (like ${schema}.${table} including all) on commit drop`,
      values: [],
    })
  return schema
}

/** Writes what follows from the events; those that a table refuses are told of, and the others are written. */
export async function projectIntoShadows(
  tx: Transaction,
  projections: readonly Projection[],
  events: readonly StoredEvent[],
  tell: Tell,
): Promise<void> {
  await tx.query(sql`savepoint projected`)
  try {
    await Promise.all(project(tx, projections, events))
    await tx.query(sql`release savepoint projected`)
  } catch {
    // When the connection is lost this fails, too, and ends the check.
    await tx.query(sql`rollback to savepoint projected`)
    if (events.length === 1) tell(`what event ${events[0]?.seq} says does not fit the tables`)
    else for (const event of events) await projectIntoShadows(tx, projections, [event], tell)
  }
}

/** Compares a real table with the one that was made from events. */
export async function compareTable(
  tx: Transaction,
  schema: string,
  table: string,
  tell: Tell,
): Promise<void> {
  const count = async (text: string) =>
    (
      await tx.query<{ n: number }>({
        text: `select count(*) as n from (${text}) as difference`,
        values: [],
      })
    ).rows[0]?.n ?? 0
  const real = `${schema}.${table}`
  const made = `pg_temp.${table}`
  const unexplained = await count(`select * from ${real} except select * from ${made}`)
  if (unexplained > 0) tell(`${table}: ${unexplained} rows follow from no event`)
  const missing = await count(`select * from ${made} except select * from ${real}`)
  if (missing > 0) tell(`${table}: ${missing} rows that follow from events are missing or changed`)
}
