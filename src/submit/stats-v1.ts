// Submit: POST /v1/stats, as existing health authorities send it; promises a health authority its own counts and nobody else's.

import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { parseJsonObject, readText } from '../operate/read-json.ts'
import { readDays, type DayCounts } from './stats-days.ts'
import { verifyStatsToken } from './stats-token.ts'

/** What a request for statistics needs of the key zone. */
export interface StatsContext {
  readonly db: Queryable
  /** The audience of the tokens. */
  readonly audience: string
  readonly clockLeewaySeconds: number
  /** Seconds to which times are truncated at acceptance. */
  readonly timeGrain: number
  readonly now: () => Date
}

/** A day as it is told. */
export interface StatsDay {
  /** UTC midnight, RFC 3339. */
  readonly day: string
  readonly publish_requests: {
    readonly unknown: number
    readonly android: number
    readonly ios: number
  }
  readonly total_teks_published: number
  readonly requests_with_revisions: number
  readonly tek_age_distribution: readonly number[]
  readonly onset_to_upload_distribution: readonly number[]
  readonly requests_missing_onset_date: number
}

/** A reply: status and the JSON body's fields, its padding not yet among them. */
export interface StatsReply {
  readonly status: number
  readonly body: {
    /** Left out when there is none. */
    readonly days?: readonly StatsDay[]
    readonly error?: string
    readonly code?: string
  }
}

/**
 * Handles one request. The body is judged first: it tells nothing of who may ask. A refusal is a reply, too; only what nobody
 * expected is thrown.
 *
 * @param authorization the header of that name
 */
export async function statsV1(
  context: StatsContext,
  authorization: string | undefined,
  body: Uint8Array,
): Promise<StatsReply> {
  try {
    readText(parseJsonObject(body, REQUEST_FIELDS, 'bad_request'), 'padding')
    const now = context.now()
    const rules = { audience: context.audience, leewaySeconds: context.clockLeewaySeconds }
    const issuer = await verifyStatsToken(context.db, authorization, rules, now)
    const days = await readDays(context.db, issuer, now, context.timeGrain)
    return { status: 200, body: days.length === 0 ? {} : { days: days.map(toStatsDay) } }
  } catch (error) {
    if (error instanceof TocsinError) return refuseStats(error)
    throw error
  }
}

const REQUEST_FIELDS = new Set(['padding'])

// Existing clients know one code and one status for whatever is wrong with a body.
const BODY_PROBLEMS: readonly string[] = ['unsupported_media_type', 'request_too_large']

/** The reply to a refused request. */
export function refuseStats(error: TocsinError): StatsReply {
  return BODY_PROBLEMS.includes(error.code)
    ? { status: 400, body: { error: error.message, code: 'bad_request' } }
    : { status: error.status, body: { error: error.message, code: error.code } }
}

function toStatsDay(day: DayCounts): StatsDay {
  return {
    day: `${new Date(day.start * 1000).toISOString().slice(0, 10)}T00:00:00Z`,
    publish_requests: { unknown: day.unknown, android: day.android, ios: day.ios },
    total_teks_published: day.keys,
    requests_with_revisions: day.revisions,
    tek_age_distribution: day.oldestKeyDays,
    onset_to_upload_distribution: day.onsetDays,
    requests_missing_onset_date: day.missingOnset,
  }
}

const CSV_HEADER = [
  'day',
  'publish_requests_unknown',
  'publish_requests_android',
  'publish_requests_ios',
  'total_teks_published',
  'requests_with_revisions',
  'requests_missing_onset_date',
  'tek_age_distribution',
  'onset_to_upload_distribution',
].join(',')

/** The same days as CSV: a line each below the names, days as dates, the elements of a distribution between bars. */
export function statsAsCsv(days: readonly StatsDay[]): string {
  const lines = days.map((day) =>
    [
      day.day.slice(0, 10),
      day.publish_requests.unknown,
      day.publish_requests.android,
      day.publish_requests.ios,
      day.total_teks_published,
      day.requests_with_revisions,
      day.requests_missing_onset_date,
      day.tek_age_distribution.join('|'),
      day.onset_to_upload_distribution.join('|'),
    ].join(','),
  )
  return [CSV_HEADER, ...lines, ''].join('\n')
}
