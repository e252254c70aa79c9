// Authorize: whether fewer of a realm's codes are claimed than usual; promises to look at whole days alone, and at counts that people may see anyway.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { claimAnomaly } from './claim-anomaly.ts'

/** Days that are looked at: the last full one, and those that it is compared with. */
const DAYS = 60

/**
 * The realms in which the share of claimed codes has fallen below what is usual: codes are issued that nobody uses, or phones fail.
 *
 * @param today days since the epoch
 */
export async function unusualRealms(db: Queryable, today: number): Promise<string[]> {
  const { rows } = await db.query<{ realm: string; issued: number[]; claimed: number[] }>(
    sql`select realm, array_agg(issued order by day)::integer[] as issued, array_agg(claimed order by day)::integer[] as claimed
        from (
          select realm, day, coalesce(sum(count) filter (where kind = 'codes_issued'), 0) as issued,
            coalesce(sum(count) filter (where kind = 'codes_claimed'), 0) as claimed
          from authority_stat
          where subject_kind = 'realm' and kind in ('codes_issued', 'codes_claimed')
            and day >= ${today - DAYS}::integer and day < ${today}::integer
          group by realm, day
        ) as days
        group by realm having max(day) = ${today - 1}::integer order by realm`,
  )
  return rows
    .filter(({ issued, claimed }) => {
      const days = issued.map((count, index) => ({
        issued: Math.max(0, count),
        claimed: Math.max(0, claimed[index] ?? 0),
      }))
      return claimAnomaly(days)?.isUnusual === true
    })
    .map(({ realm }) => realm)
}
