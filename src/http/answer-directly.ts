// Http: requests that are answered in front of the web framework, for routes that ask for it; promises the same replies as behind it.

import type {
  IncomingMessage,
  OutgoingHttpHeaders,
  RequestListener,
  ServerResponse,
} from 'node:http'
import { Readable, pipeline } from 'node:stream'
import { pathOf, queryOf, RETRY_AFTER_SECONDS, type Route, type RouteReply } from './route.ts'

/** What is the same in front of the framework and behind it. */
export interface Shared {
  /** Headers of every reply. */
  readonly headers: Readonly<Record<string, string>>
  /** @param route left out for what belongs to none */
  count(route: Route | undefined, answer: RouteReply): void
  /** The reply to an error. */
  refuse(route: Route | undefined, error: unknown): RouteReply
  /** Whether the server takes no more requests: a connection ends with its answer. */
  isClosing(): boolean
  now(): Date
}

/** @param behind takes every request that no route wants directly */
export function answerDirectly(
  routes: readonly Route[],
  behind: RequestListener,
  shared: Shared,
): RequestListener {
  const direct = routes.filter((route) => route.takesDirectly !== undefined)
  return (request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') {
      const path = pathOf(request.url ?? '')
      const route = direct.find((each) => each.takesDirectly?.(path))
      if (route !== undefined) {
        void answer(route, path, request, response, shared)
        return
      }
    }
    behind(request, response)
  }
}

async function answer(
  route: Route,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  shared: Shared,
): Promise<void> {
  let reply: RouteReply
  try {
    reply = await route.handle({
      method: request.method ?? '',
      path,
      query: queryOf(request.url ?? ''),
      params: {},
      headers: request.headers as Record<string, string | undefined>,
      body: new Uint8Array(),
      // What is answered here is a file, whoever asks.
      address: () => '',
    })
  } catch (error) {
    reply = shared.refuse(route, error)
  }
  shared.count(route, reply)
  sendDirectly(response, reply, shared)
}

/** Sends a reply without the framework. */
export function sendDirectly(
  response: ServerResponse,
  reply: RouteReply,
  shared: Pick<Shared, 'headers' | 'isClosing'>,
): void {
  const json = reply.json === undefined ? undefined : Buffer.from(JSON.stringify(reply.json))
  const body = json ?? reply.body
  const headers: OutgoingHttpHeaders = { ...shared.headers, ...reply.headers }
  if (json !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = json.length
  }
  const retryAfter = RETRY_AFTER_SECONDS[reply.status]
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter)
  if (shared.isClosing()) headers['connection'] = 'close'
  response.writeHead(reply.status, headers)
  // A client that hangs up destroys the stream, and the stream's failure the connection: nobody takes a part for the whole.
  if (body instanceof Readable) pipeline(body, response, () => undefined)
  else response.end(body)
}
