// Authorize: a realm's statistics as existing readers know them; promises that no day tells a count of 1 to 9, nor does any part of one beside its total.

import type { Queryable } from '../db/database.ts'
import {
  CLAIM_AGE_LIMITS,
  OPERATING_SYSTEMS,
  type OperatingSystem,
  type StatKind,
} from './stat-counts.ts'
import {
  dateOf,
  daysOf,
  readCounts,
  type StatDay,
  type StatPeriod,
  type StatRealm,
} from './stat-rows.ts'
import { tellCount, tellParts } from './stat-suppression.ts'

type BySystem = Readonly<Record<OperatingSystem, number>>

/** A day of a realm. 0 is told for what is below 10, or must be hidden with it. */
export interface RealmData {
  readonly codes_issued: number
  readonly codes_claimed: number
  readonly codes_invalid: number
  readonly codes_invalid_by_os: BySystem
  readonly user_reports_issued: number
  readonly user_reports_claimed: number
  readonly user_reports_invalid_nonce: number
  readonly user_reports_invalid_nonce_by_os: BySystem
  readonly tokens_claimed: number
  readonly tokens_invalid: number
  readonly user_report_tokens_claimed: number
  readonly code_claim_mean_age_seconds: number
  /** By {@link CLAIM_AGE_LIMITS}; empty when no claim is told. */
  readonly code_claim_age_distribution: readonly number[]
}

/** Every day of the period, the newest first. */
export interface RealmReport {
  readonly realm_id: number
  readonly statistics: readonly StatDay<RealmData>[]
}

/** The statistics of a realm. */
export async function realmStats(
  db: Queryable,
  realm: StatRealm,
  period: StatPeriod,
): Promise<RealmReport> {
  const rows = await readCounts(db, realm, ['realm'], period)
  const byDay = new Map<number, Map<string, number>>()
  for (const { day, kind, count } of rows) {
    const kinds = byDay.get(day) ?? new Map<string, number>()
    byDay.set(day, kinds.set(kind, count))
  }
  return {
    realm_id: realm.number,
    statistics: daysOf(period).map((day) => ({
      date: dateOf(day),
      data: realmData((kind) => byDay.get(day)?.get(kind) ?? 0),
    })),
  }
}

/** The statistics of a realm beside those of its key server. */
export interface CompositeReport {
  readonly realm_id: number
  readonly has_key_server_stats: boolean
  readonly statistics: readonly StatDay<CompositeData>[]
}

/** A day of both. What the key zone counts is 0 here: a health authority asks it there, with a token of its own. */
export interface CompositeData extends RealmData {
  readonly total_publish_requests: number
  readonly publish_requests: {
    readonly unknown: number
    readonly android: number
    readonly ios: number
  }
  readonly total_teks_published: number
  readonly requests_with_revisions: number
  readonly tek_age_distribution: null
  readonly onset_to_upload_distribution: null
  readonly requests_missing_onset_date: number
}

const NO_KEY_SERVER = {
  total_publish_requests: 0,
  publish_requests: { unknown: 0, android: 0, ios: 0 },
  total_teks_published: 0,
  requests_with_revisions: 0,
  tek_age_distribution: null,
  onset_to_upload_distribution: null,
  requests_missing_onset_date: 0,
} as const

/** The statistics of a realm in the form that has room for a key server's; there are none of those. */
export async function compositeStats(
  db: Queryable,
  realm: StatRealm,
  period: StatPeriod,
): Promise<CompositeReport> {
  const { realm_id, statistics } = await realmStats(db, realm, period)
  return {
    realm_id,
    has_key_server_stats: false,
    statistics: statistics.map(({ date, data }) => ({ date, data: { ...data, ...NO_KEY_SERVER } })),
  }
}

function realmData(count: (kind: StatKind) => number): RealmData {
  const part = (total: StatKind, kind: StatKind) => tellParts(count(total), [count(kind)])[0] ?? 0
  const bySystem = (total: 'codes_invalid' | 'user_reports_invalid_nonce') => {
    const systems = OPERATING_SYSTEMS.map((system) => count(`${total}_${system}`))
    const told = tellParts(count(total), systems)
    return Object.fromEntries(
      OPERATING_SYSTEMS.map((system, index) => [system, told[index] ?? 0]),
    ) as Record<OperatingSystem, number>
  }
  const claimed = tellCount(count('codes_claimed'))
  const ages = CLAIM_AGE_LIMITS.map((_, bucket) => count(`claim_age_${bucket}`))
  return {
    codes_issued: tellCount(count('codes_issued')),
    codes_claimed: claimed,
    codes_invalid: tellCount(count('codes_invalid')),
    codes_invalid_by_os: bySystem('codes_invalid'),
    user_reports_issued: part('codes_issued', 'user_reports_issued'),
    user_reports_claimed: part('codes_claimed', 'user_reports_claimed'),
    user_reports_invalid_nonce: tellCount(count('user_reports_invalid_nonce')),
    user_reports_invalid_nonce_by_os: bySystem('user_reports_invalid_nonce'),
    tokens_claimed: tellCount(count('tokens_claimed')),
    tokens_invalid: tellCount(count('tokens_invalid')),
    user_report_tokens_claimed: part('tokens_claimed', 'user_report_tokens_claimed'),
    code_claim_mean_age_seconds:
      claimed === 0 ? 0 : Math.floor(count('claim_age_seconds') / claimed),
    code_claim_age_distribution: claimed === 0 ? [] : tellParts(claimed, ages),
  }
}
