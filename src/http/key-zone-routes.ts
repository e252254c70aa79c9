// Http: the routes of the key zone; promises that every reply of a submission carries its tracking id.

import { TocsinError } from '../errors.ts'
import { MAX_BODY_BYTES } from '../submit/parse-publish.ts'
import { replyPadding } from '../operate/reply-padding.ts'
import { refusePublish, type PublishReply } from '../submit/publish-v1.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { isJson, type Route, type RouteReply } from './route.ts'
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
    },
  ]
}

function toReply({ status, trackingId, body }: PublishReply): RouteReply {
  return {
    status,
    headers: { 'tocsin-tracking-id': trackingId, 'x-api-version': 'v1' },
    json: { ...body, padding: replyPadding() },
  }
}
