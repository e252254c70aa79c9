// Http: the routes of the key zone; promises that every reply of a submission carries its tracking id.

import { randomInt } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { imitateFields } from '../operate/chaff.ts'
import type { KeyCounts } from '../operate/metrics.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { MAX_BODY_BYTES } from '../submit/parse-publish.ts'
import { replyPadding } from '../operate/reply-padding.ts'
import { refusePublish, type PublishReply } from '../submit/publish-v1.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { CHAFF_HEADER, CLOSED, isJson, type Chaff, type Route, type RouteReply } from './route.ts'
import { PUBLISH_REPLY, PUBLISH_REQUEST } from './schemas.ts'

/** Submissions. */
export function keyZoneRoutes(submit: Submit): Route[] {
  return [
    {
      methods: ['POST'],
      url: '/v1/publish',
      operationId: 'publish',
      summary: 'Uploads temporary exposure keys with a certificate',
      tag: 'key zone',
      bodyLimit: MAX_BODY_BYTES,
      headers: { type: 'object', properties: CHAFF_HEADER },
      requestBody: PUBLISH_REQUEST,
      replies: {
        200: { description: 'The keys are durable', schema: PUBLISH_REPLY },
        400: { description: 'Nothing was stored; `code` says why', schema: PUBLISH_REPLY },
        401: {
          description: 'The health authority or its certificate was not accepted',
          schema: PUBLISH_REPLY,
        },
        413: { description: 'The body is too large', schema: PUBLISH_REPLY },
        415: { description: 'The content type is not JSON', schema: PUBLISH_REPLY },
        429: { description: CLOSED, schema: PUBLISH_REPLY },
        503: {
          description: 'Busy: try again after the seconds of Retry-After',
          schema: PUBLISH_REPLY,
        },
      },
      async handle(request) {
        if (!isJson(request)) throw new TocsinError('unsupported_media_type')
        return toReply(await submit(request.body, request.headers['user-agent'] ?? ''))
      },
      refuse: (error) => toReply(refusePublish(error)),
      chaff: publishChaff,
    },
  ]
}

/** Decoys of submissions. */
export const publishChaff: Chaff = {
  // With a revision token, as any accepted report has.
  typical: { latency: 20, length: 1_780, isRefusal: false },
  imitate: (length) =>
    makeReply(
      200,
      randomPiece(16).toString('hex'),
      imitateFields({ revisionToken: '', insertedExposures: randomInt(1, 15) }, length),
      undefined,
    ),
}

function toReply({ status, trackingId, keys = NO_KEYS, body }: PublishReply): RouteReply {
  return makeReply(
    status,
    trackingId,
    { ...body, padding: replyPadding() },
    { outcome: body.code ?? 'accepted', keys },
  )
}

const NO_KEYS: KeyCounts = { inserted: 0, revised: 0, dropped: 0 }

/** What every reply looks like, those to decoys too. */
function makeReply(
  status: number,
  trackingId: string,
  json: unknown,
  submission: RouteReply['submission'],
): RouteReply {
  const headers = { 'tocsin-tracking-id': trackingId, 'x-api-version': 'v1' }
  return { status, headers, json, submission }
}
