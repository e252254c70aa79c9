// Log: checks the log against itself and its tables; promises to find a gap, a changed event, a wrong root and a row that no event explains.

import type { Database, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { CheckedEvents } from './checked-events.ts'
import { countContents } from './detached-parts.ts'
import type { Projection } from './projection.ts'
import { readEventRows, readHead } from './read-events.ts'
import { compareTable, makeShadows, projectIntoShadows } from './shadow-tables.ts'

/** What was found. The log is as it should be when `problems` is empty. */
export interface LogFindings {
  readonly events: number
  /** Root of the tree over all events, in hex. */
  readonly root: string
  /** Sentences; at most {@link MOST_PROBLEMS}, the last of which then says how many more there are. */
  readonly problems: readonly string[]
}

/** How many problems are told: a log that is wrong from end to end must not fill the memory. */
export const MOST_PROBLEMS = 100

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
  let told = 0
  const tell = (problem: string) => {
    if (++told < MOST_PROBLEMS) problems.push(problem)
  }
  const head = await readHead(tx)
  const checked = new CheckedEvents(await readCheckpoints(tx), tell)
  const tables = projections.flatMap((projection) => projection.tables)
  const schema = await makeShadows(tx, tables)
  for await (const page of readEventRows(tx, 0)) {
    const events = page.flatMap((row) => checked.add(row) ?? [])
    await projectIntoShadows(tx, projections, events, tell)
  }
  checked.compareHead(head)
  const others = (await countContents(tx)) - checked.contents
  if (others > 0) tell(`event_content: ${others} rows are of no part of an event that lacks them`)
  for (const table of tables) await compareTable(tx, schema, table, tell)
  if (told > problems.length) problems.push(`and ${told - problems.length} more problems`)
  return { events: checked.count, root: Buffer.from(checked.root).toString('hex'), problems }
}

async function readCheckpoints(
  tx: Transaction,
): Promise<Map<number, { root: Uint8Array; frontier: Uint8Array }>> {
  const { rows } = await tx.query<{ size: number; root: Uint8Array; frontier: Uint8Array }>(
    sql`select size, root, frontier from checkpoint order by size`,
  )
  return new Map(rows.map(({ size, ...checkpoint }) => [size, checkpoint]))
}
