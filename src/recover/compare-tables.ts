// Recover: the content of tables as one digest each; promises that the order of their rows does not count.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'

/** Tables that are no part of a log: secrets are backed up apart, and where an archive lies is the machine's. */
const APART = ['secret', 'archive_object', 'archive_recipient']

/** Of the head its grain is left out: a publisher raises it before an event says so. */
const COLUMNS: Readonly<Record<string, string>> = {
  log_head: 'log_id, next_seq, configuration_seq',
}

/** The digests of a zone's tables, by name; without those that no recovery brings. */
export async function digestTables(db: Queryable): Promise<Map<string, string>> {
  const { rows } = await db.query<{ name: string }>(
    // Whole ones, not their partitions.
    sql`select relname::text as name from pg_class where relnamespace = current_schema()::regnamespace
          and relkind in ('r', 'p') and not relispartition order by relname`,
  )
  const digests = new Map<string, string>()
  for (const { name } of rows) {
    if (APART.includes(name)) continue
    const found = await db.query<{ digest: string }>({
      // Sixty bits of each row's digest: their sum is the same in every order.
      text: `select count(*) || ':' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0) as digest
             from (select ${COLUMNS[name] ?? '*'} from "${name}") t`,
      values: [],
    })
    digests.set(name, found.rows[0]?.digest ?? '')
  }
  return digests
}

/** The names of tables that differ. */
export function differingTables(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter(
    (name) => one.get(name) !== other.get(name),
  )
}
