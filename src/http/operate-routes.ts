// Http: what operators and newcomers ask of the service; promises to tell nothing that is not public.

import { renderHome, type HomeDescription } from './home.ts'
import type { Route, RouteReply } from './route.ts'

/** Health and the page at /. @param isReady throws when a database is away */
export function operateRoutes(isReady: () => Promise<void>, describe: HomeDescription): Route[] {
  const check = async (): Promise<RouteReply> => {
    try {
      await isReady()
      return { status: 200, json: { status: 'ok' } }
    } catch {
      return { status: 503, json: { status: 'unavailable', reason: 'the database is away' } }
    }
  }
  const health = (
    url: string,
    operationId: string,
    summary: string,
    handle: Route['handle'],
  ): Route => ({
    methods: ['GET', 'HEAD'],
    url,
    operationId,
    summary,
    tag: 'operate',
    replies: { 200: { description: 'Yes' }, 503: { description: 'No; `reason` says why' } },
    handle,
  })
  return [
    health('/health', 'health', 'Whether the service works, its database included', check),
    health('/readyz', 'ready', 'Whether requests can be sent here', check),
    health('/livez', 'live', 'Whether the process answers', async () => ({
      status: 200,
      json: { status: 'ok' },
    })),
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
