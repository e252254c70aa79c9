// Authorize: how many codes a day; promises that what was issued is counted in the log, so that no restart gives more, and that what failed is given back.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { dailyQuota } from './quota-model.ts'
import { lockRealm, type Realm } from './realms.ts'

/** Who issues, as the counts name it. */
export interface QuotaSubject {
  readonly kind: 'key' | 'staff'
  readonly name: string
  /** Codes a day of this one; null for what the realm says. */
  readonly dailyQuota: number | null
}

/** What may still be issued today; null for any number. */
export interface QuotaState {
  readonly limit: number | null
  readonly issued: number
  readonly remaining: number | null
}

/**
 * Codes that health systems and staff issue, and those that people ask for themselves: each have the quota of the realm for
 * themselves, or whoever reads the app's key out of the app could keep a hospital from issuing.
 */
export type QuotaPool = 'issued' | 'reported'

/** What counts towards a pool. No quota is meant for codes that are printed. */
const POOLS: Readonly<Record<QuotaPool, Readonly<Record<string, 1 | -1>>>> = {
  issued: { codes_issued: 1, paper_codes_issued: -1, user_reports_issued: -1 },
  reported: { user_reports_issued: 1 },
}

/** Days that the model looks at, beside today. */
const MODEL_DAYS = 21

/** What a realm may issue on a day. */
export async function realmQuota(
  db: Queryable,
  realm: Realm,
  day: number,
  pool: QuotaPool = 'issued',
): Promise<QuotaState> {
  const { dailyQuota: initial, quotaPercent } = realm.settings
  const counts = await readDays(db, realm.name, day, pool)
  const issued = counts.at(-1) ?? 0
  if (initial === null) return { limit: null, issued, remaining: null }
  const extra = await countOf(db, realm.name, day, 'quota_extra', 'realm', '')
  const limit = dailyQuota(counts, initial, quotaPercent) + extra
  return { limit, issued, remaining: Math.max(0, limit - issued) }
}

/** What a member of staff or an API key may issue on a day. */
export async function memberQuota(
  db: Queryable,
  realm: Realm,
  subject: QuotaSubject,
  day: number,
): Promise<QuotaState> {
  const issued = await countOf(db, realm.name, day, 'codes_issued', subject.kind, subject.name)
  const limit = subject.dailyQuota ?? realm.settings.memberQuota
  return { limit, issued, remaining: limit === null ? null : Math.max(0, limit - issued) }
}

/**
 * Makes sure that so many codes may be issued, and that nobody else issues before the transaction ends.
 *
 * @throws TocsinError `quota_exceeded`
 */
export async function takeQuota(
  tx: Transaction,
  realm: Realm,
  pool: QuotaPool,
  subject: QuotaSubject | undefined,
  count: number,
  day: number,
): Promise<void> {
  const isLimited =
    realm.settings.dailyQuota !== null ||
    (subject !== undefined && (subject.dailyQuota ?? realm.settings.memberQuota) !== null)
  if (!isLimited) return
  await lockRealm(tx, realm.name)
  const states = [
    await realmQuota(tx, realm, day, pool),
    ...(subject === undefined ? [] : [await memberQuota(tx, realm, subject, day)]),
  ]
  if (states.some(({ remaining }) => remaining !== null && remaining < count))
    throw new TocsinError('quota_exceeded')
}

/** Codes of each day, the oldest first and the day itself last: the model leaves that one out. */
async function readDays(
  db: Queryable,
  realm: string,
  day: number,
  pool: QuotaPool,
): Promise<number[]> {
  const signs = POOLS[pool]
  const { rows } = await db.query<{ day: number; kind: string; count: number }>(
    sql`select day, kind, count from authority_stat
        where realm = ${realm} and kind = any (${Object.keys(signs)}::text[]) and subject_kind = 'realm'
          and day >= ${day - MODEL_DAYS}::integer and day <= ${day}::integer
        order by day`,
  )
  const first = rows[0]?.day ?? day
  const counts = Array.from({ length: day - first + 1 }, () => 0)
  for (const row of rows) {
    const place = row.day - first
    counts[place] = (counts[place] ?? 0) + (signs[row.kind] ?? 0) * row.count
  }
  return counts.map((count) => Math.max(0, count))
}

async function countOf(
  db: Queryable,
  realm: string,
  day: number,
  kind: string,
  subjectKind: string,
  subject: string,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    sql`select count from authority_stat where realm = ${realm} and day = ${day}::integer and kind = ${kind}
          and subject_kind = ${subjectKind} and subject = ${subject}`,
  )
  return rows[0]?.count ?? 0
}

/** Who issues: an API key, as far as quotas go. */
export function quotaSubjectOf(apiKey: {
  readonly prefix: string
  readonly dailyQuota: number | null
}): QuotaSubject {
  return { kind: 'key', name: apiKey.prefix, dailyQuota: apiKey.dailyQuota }
}
