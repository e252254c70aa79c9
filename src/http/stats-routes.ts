// Http: the route of statistics; promises replies whose length does not tell how many days they hold.

import { TocsinError } from '../errors.ts'
import { replyPadding } from '../operate/reply-padding.ts'
import { MAX_BODY_BYTES } from '../submit/parse-publish.ts'
import { OLDEST_KEY_BUCKETS, ONSET_BUCKETS } from '../submit/stats-projection.ts'
import {
  refuseStats,
  statsAsCsv,
  statsV1,
  type StatsContext,
  type StatsReply,
} from '../submit/stats-v1.ts'
import {
  CLOSED,
  isJson,
  type Route,
  type RouteReply,
  type RouteRequest,
  type Schema,
} from './route.ts'

/** What a health authority may know of the submissions that it vouched for. */
export function statsRoutes(context: StatsContext): Route[] {
  return [
    {
      methods: ['POST'],
      url: '/v1/stats',
      operationId: 'stats',
      summary: "Tells a health authority its submissions by day; as CSV with 'Accept: text/csv'",
      tag: 'key zone',
      bodyLimit: MAX_BODY_BYTES,
      headers: {
        type: 'object',
        properties: {
          authorization: {
            type: 'string',
            description: "Bearer and a JWT signed with a key of the health authority's",
          },
        },
        required: ['authorization'],
      },
      requestBody: STATS_REQUEST,
      replies: {
        200: { description: 'The days that may be shown', schema: STATS_REPLY },
        400: { description: 'The body could not be understood', schema: STATS_REPLY },
        401: { description: 'The token was not accepted', schema: STATS_REPLY },
        429: { description: CLOSED, schema: STATS_REPLY },
        503: {
          description: 'Busy: try again after the seconds of Retry-After',
          schema: STATS_REPLY,
        },
      },
      async handle(request) {
        if (!isJson(request)) throw new TocsinError('unsupported_media_type')
        const reply = await statsV1(context, request.headers['authorization'], request.body)
        return reply.status === 200 && wantsCsv(request)
          ? toCsv(statsAsCsv(reply.body.days ?? []))
          : toReply(reply)
      },
      refuse: (error) => toReply(refuseStats(error)),
    },
  ]
}

const BUCKETS = (count: number, description: string): Schema => ({
  type: 'array',
  items: { type: 'integer' },
  minItems: count,
  maxItems: count,
  description,
})

const STATS_REQUEST: Schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    padding: { type: 'string', description: 'Ignored: hides how long the rest is' },
  },
}

const STATS_DAY: Schema = {
  type: 'object',
  properties: {
    day: { type: 'string', format: 'date-time', description: 'UTC midnight' },
    publish_requests: {
      type: 'object',
      properties: {
        unknown: { type: 'integer' },
        android: { type: 'integer' },
        ios: { type: 'integer' },
      },
    },
    total_teks_published: { type: 'integer', description: 'Keys that were new' },
    requests_with_revisions: { type: 'integer' },
    tek_age_distribution: BUCKETS(
      OLDEST_KEY_BUCKETS,
      'Requests without revisions by the days from their oldest key to the upload, the last bucket for more as well',
    ),
    onset_to_upload_distribution: BUCKETS(
      ONSET_BUCKETS,
      'Requests without revisions by the days from the onset to the upload, the last bucket for more as well',
    ),
    requests_missing_onset_date: {
      type: 'integer',
      description: 'Requests without revisions that are not in onset_to_upload_distribution',
    },
  },
}

const STATS_REPLY: Schema = {
  type: 'object',
  properties: {
    days: { type: 'array', items: STATS_DAY, description: 'Left out when there is none' },
    error: { type: 'string', description: 'What to mend' },
    code: { type: 'string', description: 'A stable code' },
    padding: { type: 'string' },
  },
}

/** Whether a request names CSV among what it accepts. */
function wantsCsv(request: RouteRequest): boolean {
  return (request.headers['accept'] ?? '')
    .split(',')
    .some((range) => range.split(';')[0]?.trim().toLowerCase() === 'text/csv')
}

// Bytes of padding, before base64: more than a submission's, since a reply with days is longer.
const PADDING = [2_048, 3_071] as const

function toReply({ status, body }: StatsReply): RouteReply {
  return {
    status,
    ...(status === 401 ? { headers: { 'www-authenticate': 'Bearer' } } : {}),
    json: { ...body, padding: replyPadding(...PADDING) },
  }
}

/** CSV has no place for padding: it is for people at a desk, whose health authority is no secret. */
function toCsv(body: string): RouteReply {
  return { status: 200, headers: { 'content-type': 'text/csv; charset=utf-8' }, body }
}
