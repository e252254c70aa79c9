// Http: the route of the earlier publish API; promises what POST /v1/publish does, so that only the shape differs.

import type { TocsinError } from '../errors.ts'
import type { PublishReplyBody } from '../submit/publish-v1.ts'
import { earlierReplyBody } from '../submit/publish-v1alpha1.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { keyZoneRoutes } from './key-zone-routes.ts'
import type { Chaff, Route, RouteReply } from './route.ts'
import { EARLIER_PUBLISH_REPLY, EARLIER_PUBLISH_REQUEST } from './schemas.ts'

/** Submissions as the earlier API has them: the row of POST /v1/publish, its requests and replies in another shape. */
export function earlierApiRoutes(submit: Submit): Route[] {
  return keyZoneRoutes((body, userAgent) => submit(body, userAgent, 'publish-v1alpha1'))
    .filter(({ url }) => url === '/v1/publish')
    .map((route) => ({
      ...route,
      url: '/',
      operationId: 'publishEarlier',
      summary: 'Uploads temporary exposure keys with a certificate, as early apps do',
      requestBody: EARLIER_PUBLISH_REQUEST,
      replies: Object.fromEntries(
        Object.entries(route.replies).map(([status, reply]) => [
          status,
          {
            ...reply,
            description: reply.description.replace('`code`', '`error`'),
            schema: EARLIER_PUBLISH_REPLY,
          },
        ]),
      ),
      handle: async (request) => reshape(await route.handle(request)),
      ...(route.refuse === undefined
        ? {}
        : {
            refuse: (error: TocsinError) =>
              reshape((route.refuse as NonNullable<Route['refuse']>)(error)),
          }),
      ...(route.chaff === undefined ? {} : { chaff: reshapeChaff(route.chaff) }),
    }))
}

// A success has this field more.
const EMPTY_ERROR = ',"error":""'.length

function reshapeChaff({ typical, imitate }: Chaff): Chaff {
  return {
    typical: { ...typical, length: typical.length + EMPTY_ERROR },
    imitate(length) {
      const reply = imitate(length - EMPTY_ERROR)
      // What is too short for the fields of a success is padding alone, and stays so.
      return 'revisionToken' in (reply.json as PublishReplyBody)
        ? reshape(reply)
        : withVersion(imitate(length))
    },
  }
}

function reshape(reply: RouteReply): RouteReply {
  return { ...withVersion(reply), json: earlierReplyBody(reply.json as PublishReplyBody) }
}

function withVersion(reply: RouteReply): RouteReply {
  // Not the API's name, but what apps find there.
  return { ...reply, headers: { ...reply.headers, 'x-api-version': 'v1alpha' } }
}
