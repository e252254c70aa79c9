// Http: the web server around the route table; promises one shape of error, and that no request changes more than its handler does.

import swagger from '@fastify/swagger'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { TocsinError, type ErrorCode } from '../errors.ts'
import type { Logger } from '../operate/logger.ts'
import { createServer } from './create-server.ts'
import { RETRY_AFTER_SECONDS, type Route, type RouteReply } from './route.ts'

/** Bodies of routes that expect none, or a small one. */
const DEFAULT_BODY_LIMIT = 64_000

/** Builds the server; it does not listen yet. @param demo marks every reply as a demo's */
export async function buildApp(
  routes: readonly Route[],
  version: string,
  logger: Logger,
  demo = false,
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: DEFAULT_BODY_LIMIT,
    serverFactory: createServer,
    exposeHeadRoutes: false,
    logger: false,
    return503OnClosing: false,
    // A path that can't be decoded reaches no route and no other handler of errors.
    frameworkErrors: (error, _request, reply) => {
      send(reply, refuse(asTocsinError(error)))
    },
    // Bodies are judged by the step that they belong to; schemas are here for the OpenAPI document.
  })
  if (demo)
    app.addHook('onRequest', (_request, reply, done) => {
      reply.header('tocsin-demo', 'true')
      done()
    })
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tocsin',
        description: 'A backend for privacy-preserving contact tracing.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
    },
  })
  for (const route of routes) addRoute(app, route)
  refuseOtherMethods(app, routes)
  let document: Buffer | undefined
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) =>
    reply
      .header('content-type', 'application/json')
      .send((document ??= Buffer.from(`${JSON.stringify(app.swagger(), null, 2)}\n`))),
  )
  app.setNotFoundHandler((_request, reply) => send(reply, refuse(new TocsinError('not_found'))))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = asTocsinError(error)
    if (known.code === 'internal_error')
      logger.error('request failed', error, { route: request.routeOptions.url ?? '' })
    const { route } = request.routeOptions.config as { route?: Route }
    return send(reply, (route?.refuse ?? refuse)(known))
  })
  return app
}

function addRoute(app: FastifyInstance, route: Route): void {
  app.route({
    method: [...route.methods],
    url: route.url,
    bodyLimit: route.bodyLimit ?? DEFAULT_BODY_LIMIT,
    config: { route },
    schema: openApiSchema(route),
    handler: async (request, reply) => {
      const answer = await route.handle({
        method: request.method,
        path: request.url.split('?')[0] ?? '',
        params: request.params as Record<string, string>,
        headers: request.headers as Record<string, string | undefined>,
        body: Buffer.isBuffer(request.body) ? request.body : new Uint8Array(),
      })
      return send(reply, answer)
    },
  })
}

function openApiSchema(route: Route) {
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    ...(route.params === undefined ? {} : { params: route.params }),
    ...(route.headers === undefined ? {} : { headers: route.headers }),
    ...(route.requestBody === undefined ? {} : { body: route.requestBody }),
    response: Object.fromEntries(
      Object.entries(route.replies).map(([status, { description, schema, contentType }]) => [
        status,
        { description, content: { [contentType ?? 'application/json']: { schema: schema ?? {} } } },
      ]),
    ),
  }
}

// What a client may try on an address that takes other methods.
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function refuseOtherMethods(app: FastifyInstance, routes: readonly Route[]): void {
  for (const url of new Set(routes.map((route) => route.url))) {
    const taken = routes.filter((route) => route.url === url)
    const allowed = new Set<string>(taken.flatMap((route) => route.methods))
    app.route({
      method: METHODS.filter((method) => !allowed.has(method)),
      url,
      schema: { hide: true },
      config: { route: taken[0] },
      handler: (_request, reply) => {
        reply.header('allow', [...allowed].join(', '))
        throw new TocsinError('method_not_allowed')
      },
    })
  }
}

function send(reply: FastifyReply, answer: RouteReply): FastifyReply {
  if (answer.status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  reply.code(answer.status).headers(answer.headers ?? {})
  if (answer.body === undefined && answer.json === undefined) return reply.send()
  if (answer.json === undefined) return reply.send(answer.body)
  return reply.header('content-type', 'application/json').send(JSON.stringify(answer.json))
}

// What may come while a body is read, and what we say to it.
const FRAMEWORK_ERRORS: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'request_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_request',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

function asTocsinError(error: FastifyError): TocsinError {
  if (error instanceof TocsinError) return error
  const known = FRAMEWORK_ERRORS[error.code]
  if (known !== undefined) return new TocsinError(known)
  // A body that ends early, or another fault of the request that the framework found.
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new TocsinError('bad_request')
  return new TocsinError('internal_error')
}

function refuse(error: TocsinError): RouteReply {
  return { status: error.status, json: { error: error.message, code: error.code } }
}
