// Correct: what withdrawals hold; promises each pair of what is held and what holds it once, until it is taken back.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'

/** A report, or padding, that a withdrawal holds. */
export interface HeldReport {
  /** The numbers of both events. */
  readonly report: number
  readonly withdrawal: number
  readonly isPadding: boolean
}

/** A single key that a withdrawal holds. */
export interface HeldKey {
  readonly keyData: Uint8Array
  readonly withdrawal: number
}

/** A withdrawal of which a part is taken back. */
export interface Holder {
  /** How many reports and single keys are taken back, and how many are not. */
  readonly ending: number
  readonly staying: number
  /** The padding that it holds. */
  readonly padding: readonly HeldReport[]
}

/**
 * Reports that are held: by one withdrawal, of some reports, or both. In the order of their numbers.
 *
 * @param until reports below that number
 * @param from and from that number on
 */
export async function findHeldReports(
  db: Queryable,
  {
    withdrawal,
    reports,
  }: { readonly withdrawal: number | undefined; readonly reports: readonly number[] | undefined },
  until: number,
  from = 0,
): Promise<HeldReport[]> {
  const values: unknown[] = [from, until]
  const conditions = [
    ...(withdrawal === undefined ? [] : [`m.withdrawal = $${values.push(withdrawal)}::bigint`]),
    ...(reports === undefined
      ? []
      : [`m.report = any($${values.push(bigintArray(reports))}::bigint[])`]),
  ]
  const { rows } = await db.query<HeldReport>({
    text: `select m.report, m.withdrawal, p.source is null as "isPadding"
           from report_mark m join report p on p.seq = m.report
           where m.report >= $1::bigint and m.report < $2::bigint and ${conditions.join(' and ')}
           group by m.report, m.withdrawal, p.source having sum(m.change) > 0 order by m.report, m.withdrawal`,
    values,
  })
  return rows
}

/** Single keys that are held: by one withdrawal, of some keys, or both; none when some were selected by other conditions than keys. */
export async function findHeldKeys(
  db: Queryable,
  {
    withdrawal,
    keys,
  }: {
    readonly withdrawal: number | undefined
    readonly keys: readonly Uint8Array[] | undefined
  },
): Promise<HeldKey[]> {
  const values: unknown[] = []
  const conditions = [
    ...(withdrawal === undefined ? [] : [`withdrawal = $${values.push(withdrawal)}::bigint`]),
    ...(keys === undefined ? [] : [`key_data = any($${values.push(byteaArray(keys))}::bytea[])`]),
  ]
  const { rows } = await db.query<HeldKey>({
    text: `select key_data as "keyData", withdrawal from key_mark where ${conditions.join(' and ')}
           group by key_data, withdrawal having sum(change) > 0 order by key_data, withdrawal`,
    values,
  })
  return rows
}

/** The withdrawals of which something is taken back: how much is left of each, and its padding. */
export async function findHolders(
  db: Queryable,
  reports: readonly HeldReport[],
  keys: readonly HeldKey[],
): Promise<Holder[]> {
  const ending = [...reports, ...keys]
  const withdrawals = [...new Set(ending.map(({ withdrawal }) => withdrawal))]
  const among = bigintArray(withdrawals)
  const { rows } = await db.query<HeldReport>(
    sql`select m.report, m.withdrawal, p.source is null as "isPadding"
        from report_mark m join report p on p.seq = m.report where m.withdrawal = any(${among}::bigint[])
        group by m.report, m.withdrawal, p.source having sum(m.change) > 0 order by m.report`,
  )
  const { rows: heldKeys } = await db.query<{ withdrawal: number }>(
    sql`select withdrawal from key_mark where withdrawal = any(${among}::bigint[])
        group by key_data, withdrawal having sum(change) > 0`,
  )
  const count = (held: readonly { readonly withdrawal: number }[], withdrawal: number) =>
    held.reduce((sum, each) => (each.withdrawal === withdrawal ? sum + 1 : sum), 0)
  const real = [...rows.filter(({ isPadding }) => !isPadding), ...heldKeys]
  return withdrawals.map((withdrawal) => ({
    ending: count(ending, withdrawal),
    staying: count(real, withdrawal) - count(ending, withdrawal),
    padding: rows.filter((each) => each.isPadding && each.withdrawal === withdrawal),
  }))
}
