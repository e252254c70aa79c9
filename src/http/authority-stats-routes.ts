// Http: the routes of the authority zone's statistics; promises each realm its own, and 404 for whatever has none.

import { refuseRequest } from '../authorize/reply.ts'
import {
  compositeCsv,
  issuerCsv,
  keyCsv,
  memberCsv,
  realmCsv,
  staffCsv,
  textErrorCsv,
} from '../authorize/stat-csv.ts'
import { compositeStats, realmStats } from '../authorize/stat-report.ts'
import { STAT_DAYS, type StatPeriod, type StatRealm } from '../authorize/stat-rows.ts'
import {
  issuerStats,
  keyStats,
  memberStats,
  staffStats,
  textErrorStats,
} from '../authorize/stat-subjects.ts'
import { dayOf } from '../authorize/zone.ts'
import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { CLOSED, type Route, type RouteReply, type RouteRequest, type Schema } from './route.ts'

/** What requests for statistics need. */
export interface AuthorityStatsContext {
  readonly db: Queryable
  readonly now: () => Date
  /**
   * The realm of the API key, which must be of the type `stats`; whoever gives this may note the look-up.
   *
   * @param report which one is asked for, such as `realm/users`
   * @throws TocsinError `unauthorized`
   */
  readonly admit: (apiKey: string | undefined, report: string) => Promise<StatRealm>
}

/** What is told, as JSON and as CSV. */
interface Told {
  readonly json: unknown
  readonly csv: string
}

/** An address below /api/stats/, without its ending. */
interface Report {
  readonly path: string
  readonly summary: string
  /** What the last part of the path names, where it names something. */
  readonly subject?: string
  read(db: Queryable, realm: StatRealm, period: StatPeriod, subject: string): Promise<Told>
}

const REPORTS: readonly Report[] = [
  {
    path: 'realm',
    summary: "Tells a realm's codes and tokens by day",
    read: async (db, realm, period) => both(await realmStats(db, realm, period), realmCsv),
  },
  {
    path: 'realm/composite',
    summary: "Tells a realm's codes and tokens by day, with room for its key server's counts",
    read: async (db, realm, period) => both(await compositeStats(db, realm, period), compositeCsv),
  },
  {
    path: 'realm/key-server',
    summary: 'Tells nothing: the key zone tells a health authority its own counts (POST /v1/stats)',
    read: () => Promise.resolve({ json: [], csv: '' }),
  },
  {
    path: 'realm/users',
    summary: 'Tells how many codes each member of staff issued, by day',
    read: async (db, realm, period) => both(await staffStats(db, realm, period), staffCsv),
  },
  {
    path: 'realm/users',
    subject: "A member of staff's name",
    summary: 'Tells how many codes a member of staff issued, by day',
    read: async (db, realm, period, name) =>
      both(await memberStats(db, realm, name, period), memberCsv),
  },
  {
    path: 'realm/api-keys',
    subject: "An API key's prefix",
    summary: 'Tells how many codes an API key issued, by day',
    read: async (db, realm, period, prefix) =>
      both(await keyStats(db, realm, prefix, period), keyCsv),
  },
  {
    path: 'realm/external-issuers',
    summary: 'Tells how many codes were issued for each external issuer, by day',
    read: async (db, realm, period) => both(await issuerStats(db, realm, period), issuerCsv),
  },
  {
    path: 'realm/sms-errors',
    summary: 'Tells why texts were not sent, by day',
    read: async (db, realm, period) => both(await textErrorStats(db, realm, period), textErrorCsv),
  },
]

/** Statistics as JSON and as CSV. */
export function authorityStatsRoutes(context: AuthorityStatsContext): Route[] {
  return REPORTS.flatMap((report) =>
    report.subject === undefined
      ? FORMATS.map((format) =>
          routeOf(context, report, `${report.path}.${format}`, () => ({ subject: '', format })),
        )
      : [routeOf(context, report, `${report.path}/:file`, subjectOf)],
  )
}

const FORMATS = ['json', 'csv'] as const

/** What the address asks for. */
interface Asked {
  readonly subject: string
  readonly format: (typeof FORMATS)[number]
}

function routeOf(
  context: AuthorityStatsContext,
  report: Report,
  path: string,
  askedOf: (request: RouteRequest) => Asked,
): Route {
  const name = path.replace('/:file', '-one').replaceAll(/[^a-z]+/g, '-')
  return {
    methods: ['GET'],
    url: `/api/stats/${path}`,
    operationId: `stats-${name}`,
    summary: report.summary,
    tag: 'authority zone',
    ...(report.subject === undefined ? {} : { params: fileParams(report.subject) }),
    headers: HEADERS,
    replies: {
      200: {
        description:
          'The days that may be told, the newest first. Counts below 10 are told as 0, and so is what would give them away',
        ...(path.endsWith('.csv') ? { contentType: 'text/csv', schema: { type: 'string' } } : {}),
      },
      401: { description: 'The API key was not accepted: it must be of the type stats' },
      404: { description: 'The realm has nothing of this name' },
      429: { description: CLOSED },
      503: { description: 'Busy: try again after the seconds of Retry-After' },
    },
    async handle(request) {
      const realm = await context.admit(request.headers['x-api-key'], report.path)
      const { subject, format } = askedOf(request)
      // The last full day: whoever looks again and again must not see the counts of this one grow by ones.
      const period = { today: dayOf(context.now()) - 1, days: STAT_DAYS }
      const told = await report.read(context.db, realm, period, subject)
      return format === 'json'
        ? { status: 200, headers: KEPT_NOWHERE, json: told.json }
        : { status: 200, headers: csvHeaders(name), body: told.csv }
    },
    refuse: (error) => toReply(error),
  }
}

/** `NAME.json` or `NAME.csv`; a name may hold dots. @throws TocsinError `not_found` */
function subjectOf({ params }: RouteRequest): Asked {
  const [, subject, format] = /^(.+)\.(json|csv)$/s.exec(params['file'] ?? '') ?? []
  if (subject === undefined || (format !== 'json' && format !== 'csv'))
    throw new TocsinError('not_found')
  return { subject, format }
}

function both<Value>(report: Value, toCsv: (report: Value) => string): Told {
  return { json: report, csv: toCsv(report) }
}

const HEADERS: Schema = {
  type: 'object',
  properties: {
    'x-api-key': { type: 'string', description: 'An API key of the realm, of the type stats' },
  },
  required: ['x-api-key'],
}

function fileParams(subject: string): Schema {
  return {
    type: 'object',
    properties: { file: { type: 'string', description: `${subject}, and .json or .csv` } },
    required: ['file'],
  }
}

const KEPT_NOWHERE = { 'cache-control': 'no-store' }

function csvHeaders(name: string): Record<string, string> {
  return {
    ...KEPT_NOWHERE,
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': `attachment; filename="${name.replace(/-csv$/, '')}.csv"`,
    'x-content-type-options': 'nosniff',
  }
}

function toReply(error: TocsinError): RouteReply {
  const { status, body } = refuseRequest(error, 'unparsable_request')
  return { status, json: body }
}
