// Http: what operators and newcomers ask of the service; promises to tell nothing that is not public.

import type { Health, Part } from '../operate/health.ts'
import { renderHome, type HomeDescription } from './home.ts'
import { prefersText } from './preferred-type.ts'
import type { Route, RouteReply, Schema } from './route.ts'

/** Health and the page at /. Maintenance changes none of it. */
export function operateRoutes(health: Health, describe: HomeDescription): Route[] {
  return [
    healthRoute(
      '/health',
      'health',
      'Whether the service works, its databases included',
      500,
      async ({ headers }) => {
        const missing = await health.missingDatabases()
        return prefersText(headers['accept']) ? toText(missing) : toReply(missing, 500)
      },
    ),
    healthRoute(
      '/readyz',
      'ready',
      'Whether requests can be served here; also says when publishing or archiving fails',
      503,
      async () => {
        const databases = await health.missingDatabases()
        // What can't be published or archived is told, but takes no server out: they all serve requests as well as ever.
        return toReply(await health.missingParts(), databases.length === 0 ? 200 : 503)
      },
    ),
    healthRoute('/livez', 'live', 'Whether the process answers', undefined, async () =>
      toReply([], 200),
    ),
    {
      methods: ['GET', 'HEAD'],
      url: '/',
      operationId: 'home',
      summary: 'A page that says what runs here',
      tag: 'operate',
      replies: { 200: { description: 'The page', contentType: 'text/html' } },
      handle: async () => ({
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        },
        body: await renderHome(describe),
      }),
    },
  ]
}

function healthRoute(
  url: string,
  operationId: string,
  summary: string,
  unwell: 500 | 503 | undefined,
  handle: Route['handle'],
): Route {
  return {
    methods: ['GET', 'HEAD'],
    url,
    operationId,
    summary,
    tag: 'operate',
    replies: {
      200: { description: 'Yes', schema: HEALTH_REPLY },
      ...(unwell === undefined
        ? {}
        : { [unwell]: { description: 'No; `reasons` says why', schema: HEALTH_REPLY } }),
    },
    handle,
  }
}

const PARTS: readonly Part[] = [
  'key zone database',
  'authority zone database',
  'publishing',
  'archiving',
]

const HEALTH_REPLY: Schema = {
  type: 'object',
  required: ['status'],
  properties: {
    status: { type: 'string', enum: ['ok', 'unavailable'] },
    reasons: {
      type: 'array',
      items: { type: 'string', enum: PARTS },
      description: 'What is away, or fails',
    },
  },
}

/** As ct-diag-server's own checks have it. */
function toText(reasons: readonly Part[]): RouteReply {
  return {
    status: reasons.length === 0 ? 200 : 500,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: reasons.length === 0 ? 'OK' : `unavailable: ${reasons.join(', ')}`,
  }
}

/** @param status the status when something is away */
function toReply(reasons: readonly Part[], status: number): RouteReply {
  return reasons.length === 0
    ? { status: 200, json: { status: 'ok' } }
    : { status, json: { status: status === 200 ? 'ok' : 'unavailable', reasons } }
}
