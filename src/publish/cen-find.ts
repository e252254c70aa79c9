// Publish: which reports brought a contact event number; promises to find it by looking at all that are stored, little memory, and not to say whose reports they are.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { NUMBER_BYTES } from '../format/number-file.ts'
import { explainNumbersOf, type ExplainedNumbers } from './cen-explain.ts'

/** How many reports of numbers there are, and numbers of all of them together. */
export async function countNumbers(db: Queryable): Promise<{ reports: number; numbers: number }> {
  const { rows } = await db.query<{ reports: number; numbers: number }>(
    sql`select count(*) as reports, coalesce(sum(count), 0)::bigint as numbers from cen_report`,
  )
  return rows[0] ?? { reports: 0, numbers: 0 }
}

/** Reports that are looked through at a time: 45 MB of numbers, as people send them. */
const REPORTS_AT_ONCE = 300

/**
 * Says what became of a number. There is no index of numbers, so that all that are stored are read.
 *
 * @param now unix seconds
 * @param onReports told how many reports were looked through
 * @returns for each report that brought it, oldest first, what is to be said of its numbers
 */
export async function findNumber(
  db: Queryable,
  number: Uint8Array,
  now: number,
  onReports: (count: number) => void = () => undefined,
): Promise<ExplainedNumbers[]> {
  const found: ExplainedNumbers[] = []
  for (let after = -1; ;) {
    const { rows } = await db.query<{ seq: number; last: number; reports: number; at: number }>(
      sql`with piece as (select seq from cen_report where seq > ${after} order by seq limit ${REPORTS_AT_ONCE})
          select (select max(seq) from piece) as last, (select count(*) from piece) as reports, e.seq, e.at
          from (select) as one left join lateral (
            select c.seq, position(${number}::bytea in c.content) - 1 as at from event_content c
            where c.seq in (select seq from piece) and position(${number}::bytea in c.content) > 0 order by c.seq
          ) as e on true`,
    )
    const [first] = rows
    if (first === undefined || first.last === null) return found
    onReports(first.reports)
    for (const { seq, at } of rows)
      if (seq !== null && (await isWhole(db, seq, at, number)))
        found.push(await explainNumbersOf(db, seq, now))
    after = first.last
  }
}

/** Whether a report has a number, and not the end of one and the beginning of the next, which look like it. @param at where it was found first: bytes */
async function isWhole(
  db: Queryable,
  seq: number,
  at: number,
  number: Uint8Array,
): Promise<boolean> {
  if (at % NUMBER_BYTES === 0) return true
  const { rows } = await db.query<{ content: Buffer }>(
    sql`select content from event_content where seq = ${seq}`,
  )
  return rows.some(({ content }) => {
    let from = content.indexOf(number)
    while (from >= 0 && from % NUMBER_BYTES !== 0) from = content.indexOf(number, from + 1)
    return from >= 0
  })
}
