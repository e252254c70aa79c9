// Http: the operator's route that explains a captured request; promises to change nothing, and to tell nothing that is secret in it.

import { TocsinError } from '../errors.ts'
import { parseTimestamp } from '../operate/timestamp.ts'
import type { Explain } from '../submit/explain.ts'
import { MAX_BODY_BYTES } from '../submit/parse-publish.ts'
import { isJson, type Route, type RouteRequest } from './route.ts'
import { EXPLANATION, PUBLISH_REQUEST } from './schemas.ts'

/** Explains requests, as `tocsin explain-submission` does. For the operator's own port alone: it tells what is stored. */
export function explainRoutes(explain: Explain): Route[] {
  return [
    {
      methods: ['POST'],
      url: '/explain-submission',
      operationId: 'explainSubmission',
      summary: 'Tells what every rule says of the body of a publish request, and changes nothing',
      tag: 'operate',
      bodyLimit: MAX_BODY_BYTES,
      headers: {
        type: 'object',
        properties: {
          'tocsin-at': {
            type: 'string',
            format: 'date-time',
            description: 'Explains as if it were that moment',
          },
          'tocsin-api': {
            type: 'string',
            enum: ['v1', 'v1alpha1'],
            default: 'v1',
            description: 'The API that the body was sent to',
          },
        },
      },
      requestBody: PUBLISH_REQUEST,
      replies: {
        200: {
          description: 'What the rules say; `reply` is what a phone gets',
          schema: EXPLANATION,
        },
        400: { description: 'tocsin-at or tocsin-api could not be understood' },
        413: { description: 'The body is too large' },
        415: { description: 'The content type is not JSON' },
        503: { description: 'The database is away' },
      },
      async handle(request) {
        if (!isJson(request)) throw new TocsinError('unsupported_media_type')
        return { status: 200, json: await explain(request.body, readOptions(request)) }
      },
    },
  ]
}

function readOptions({ headers }: RouteRequest) {
  const api = headers['tocsin-api'] ?? 'v1'
  if (api !== 'v1' && api !== 'v1alpha1')
    throw new TocsinError('bad_request', 'tocsin-api must be v1 or v1alpha1.')
  const text = headers['tocsin-at']
  const at = text === undefined ? undefined : parseTimestamp(text)
  if (text !== undefined && at === undefined)
    throw new TocsinError('bad_request', 'tocsin-at must be a time such as 2027-01-31T00:00Z.')
  return { api: `publish-${api}` as const, ...(at === undefined ? {} : { at }) }
}
