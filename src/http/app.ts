// Http: the web server around the route table; promises one shape of error, one way out for every reply, and that no request changes more than its handler does.

import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { REFUSAL_CACHE_CONTROL } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { systemClock } from '../operate/clock.ts'
import type { Logger } from '../operate/logger.ts'
import type { Metrics } from '../operate/metrics.ts'
import { answerDirectly, type Shared } from './answer-directly.ts'
import { clientAddress } from './client-address.ts'
import { createServer } from './create-server.ts'
import { createDecoys, isDecoy } from './decoys.ts'
import { describedWhenAsked } from './openapi.ts'
import { asTocsinError, createRefusals } from './request-faults.ts'
import { BEYOND_LIMIT, createReadBody, ROOM_FOR_LARGE } from './read-body.ts'
import {
  pathOf,
  queryOf,
  RETRY_AFTER_SECONDS,
  type Route,
  type RouteReply,
  type RouteRequest,
} from './route.ts'

/** Bodies of routes that expect none, or a small one. */
const DEFAULT_BODY_LIMIT = 64_000

const DEMO_HEADERS = { 'tocsin-demo': 'true' }

/** Of refusals on paths where a file might be: the same as those of the files' own server. */
const UNKEPT_HEADERS = {
  'cache-control': REFUSAL_CACHE_CONTROL,
  'x-content-type-options': 'nosniff',
}

/** How a server differs from the plain one. */
export interface AppOptions {
  /** Whether every reply is marked as a demo's. */
  readonly demo?: boolean
  /** Whether the APIs of both zones are closed for now. */
  readonly maintenance?: boolean
  /** Proxies of one's own that each request passes. */
  readonly trustedProxies?: number
  /** The time of day; the machine's when it is left out. */
  readonly now?: () => Date
  /** Bytes for bodies of more than 64,000, those of all connections together; 256 MiB when it is left out. */
  readonly roomForLarge?: number
  /** Where requests are counted; nowhere when it is left out. */
  readonly metrics?: Pick<Metrics, 'countRequest' | 'countSubmission'>
}

/** Builds the server; it does not listen yet. */
export async function buildApp(
  routes: readonly Route[],
  version: string,
  logger: Logger,
  {
    demo = false,
    maintenance = false,
    metrics,
    trustedProxies = 0,
    roomForLarge = ROOM_FOR_LARGE,
    now = () => systemClock.now(),
  }: AppOptions = {},
): Promise<FastifyInstance> {
  const server: Server = {
    maintenance,
    trustedProxies,
    finish(reply, route, answer, decoy) {
      // Decoys are no use to anybody but the network's onlookers: counted as what they imitate they would change what the
      // operator learns of real requests, and counted apart they would tell when somebody sent one. So they are not counted.
      if (metrics !== undefined && !decoy) {
        metrics.countRequest(route?.url ?? 'other', answer.status)
        if (answer.submission !== undefined)
          metrics.countSubmission(answer.submission.outcome, answer.submission.keys)
      }
      return send(reply, answer, now)
    },
    refuse(route, error) {
      const known = asTocsinError(error)
      if (known.code === 'internal_error')
        logger.error('request failed', error, { route: route?.url ?? '' })
      const answer = (route?.refuse ?? refuse)(known)
      return isUnkept(route, known)
        ? { ...answer, headers: { ...UNKEPT_HEADERS, ...answer.headers } }
        : answer
    },
  }
  let isClosing = false
  const shared: Shared = {
    headers: demo ? DEMO_HEADERS : {},
    count: (route, { status }) => metrics?.countRequest(route?.url ?? 'other', status),
    refuse: (route, error) => server.refuse(route, error),
    isClosing: () => isClosing,
    now,
  }
  const app = fastify({
    bodyLimit: DEFAULT_BODY_LIMIT,
    serverFactory: (listener) =>
      createServer(
        answerDirectly(routes, listener, shared),
        createRefusals(
          shared,
          METHODS.filter((method) =>
            routes.some(({ methods }) => methods.some((each) => each === method)),
          ),
        ),
      ),
    // The server above has answered it.
    clientErrorHandler: () => undefined,
    exposeHeadRoutes: false,
    // Bodies are judged by the step that they belong to: what would compile schemas is not even loaded.
    schemaController: {
      compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
    },
    logger: false,
    return503OnClosing: false,
    // A path that can't be decoded reaches no route and no other handler of errors.
    frameworkErrors: (error, _request, reply) => {
      server.finish(reply, undefined, server.refuse(undefined, error), false)
    },
  })
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  if (demo)
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers(DEMO_HEADERS)
      done()
    })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', createReadBody(roomForLarge))
  for (const route of routes) addRoute(app, route, server)
  refuseOtherMethods(app, routes)
  const document = describedWhenAsked(routes, version)
  app.get('/openapi.json', async (_request, reply) =>
    reply.header('content-type', 'application/json').send(await document()),
  )
  app.setNotFoundHandler((_request, reply) => {
    const answer = server.refuse(undefined, new TocsinError('not_found'))
    server.finish(reply, undefined, answer, false)
  })
  // What goes wrong before a handler is reached: a body that is too large, a method that is not taken.
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { route } = request.routeOptions.config as { route?: Route }
    server.finish(reply, route, server.refuse(route, error), isDecoy(route, request.headers))
  })
  return app
}

function noSchemas(): never {
  throw new Error('schemas are for the OpenAPI document alone')
}

/** What all routes of one server share. */
interface Server {
  readonly maintenance: boolean
  readonly trustedProxies: number
  /** Sends a reply, and counts it unless it answers a decoy. @returns how long its body is without its padding: characters */
  finish(reply: FastifyReply, route: Route | undefined, answer: RouteReply, decoy: boolean): number
  /** The reply to an error, in the shape of its route; what nobody expected is told to the log. */
  refuse(route: Route | undefined, error: unknown): RouteReply
}

function addRoute(app: FastifyInstance, route: Route, server: Server): void {
  const decoys = route.chaff && createDecoys(route.chaff, route.takesAnyType)
  const isClosed =
    server.maintenance && (route.tag === 'key zone' || route.tag === 'authority zone')
  app.route({
    method: [...route.methods],
    url: route.url,
    bodyLimit: route.bodyLimit ?? DEFAULT_BODY_LIMIT,
    config: { route },
    // Before the body is read, whatever it is, and in the words that existing apps know.
    onRequest: (request, _reply, done) => {
      // The framework refuses what is no content type.
      if (route.takesAnyType) delete request.headers['content-type']
      done(isClosed ? new TocsinError('maintenance', 'please try again later') : undefined)
    },
    handler: async (request, reply) => {
      const began = performance.now()
      const given: RouteRequest = {
        method: request.method,
        path: pathOf(request.url),
        query: queryOf(request.url),
        params: request.params as Record<string, string>,
        headers: request.headers as Record<string, string | undefined>,
        body: Buffer.isBuffer(request.body) ? request.body : new Uint8Array(),
        address: () =>
          clientAddress(
            request.headers['x-forwarded-for']?.toString(),
            request.socket.remoteAddress ?? '',
            server.trustedProxies,
          ),
      }
      const decoy = decoys !== undefined && isDecoy(route, given.headers)
      let answer: RouteReply
      try {
        if (request.body === BEYOND_LIMIT) throw new TocsinError('request_too_large')
        answer = await (decoy ? decoys : route).handle(given)
      } catch (error) {
        answer = server.refuse(route, error)
      }
      if (!decoy && answer.status >= 400 && answer.status < 500 && route.chaff?.pacesRefusals)
        await decoys?.pace(performance.now() - began)
      const length = server.finish(reply, route, answer, decoy)
      if (!decoy)
        decoys?.observe({
          latency: performance.now() - began,
          length,
          isRefusal: answer.status !== 200,
        })
      return reply
    },
  })
}

// What a client may try on an address that takes other methods.
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

function refuseOtherMethods(app: FastifyInstance, routes: readonly Route[]): void {
  for (const url of new Set(routes.map((route) => route.url))) {
    const taken = routes.filter((route) => route.url === url)
    const allowed = new Set<string>(taken.flatMap((route) => route.methods))
    app.route({
      method: METHODS.filter((method) => !allowed.has(method)),
      url,
      config: { route: taken[0] },
      handler: (_request, reply) => {
        reply.header('allow', METHODS.filter((method) => allowed.has(method)).join(', '))
        throw new TocsinError('method_not_allowed')
      },
    })
  }
}

/** @returns how long the body is without its padding: characters; 0 for what is not JSON */
function send(
  reply: FastifyReply,
  { status, headers, json, body, retryAfter = RETRY_AFTER_SECONDS[status] }: RouteReply,
  now: () => Date,
): number {
  if (retryAfter !== undefined) {
    reply.header('retry-after', String(retryAfter))
    // Existing apps read this one, and as a date.
    const time = new Date(now().getTime() + retryAfter * 1000)
    reply.header('x-retry-after', time.toUTCString())
  }
  reply.code(status).headers(headers ?? {})
  if (json === undefined) {
    reply.send(body)
    return 0
  }
  const text = JSON.stringify(json)
  // As bytes: to a text the framework would add a charset, which JSON has none of (RFC 8259, section 11).
  reply.header('content-type', 'application/json').send(Buffer.from(text))
  const { padding } = json as { readonly padding?: unknown }
  return text.length - (typeof padding === 'string' ? padding.length : 0)
}

/** Whether a cache might keep the refusal of a file that is there by now, or of an address that could be one's. */
function isUnkept(route: Route | undefined, { code }: TocsinError): boolean {
  return route?.tag === 'public files' || code === 'not_found' || code === 'method_not_allowed'
}

function refuse(error: TocsinError): RouteReply {
  return { status: error.status, json: { error: error.message, code: error.code } }
}
