// Http: the web server around the route table; promises one shape of error, and that no request changes more than its handler does.

import { randomBytes } from 'node:crypto'
import swagger from '@fastify/swagger'
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { ERRORS, TocsinError } from '../errors.ts'
import type { Logger } from '../operate/logger.ts'
import { replyPadding } from '../submit/publish-v1.ts'
import { RETRY_AFTER_SECONDS, type Route, type RouteReply } from './route.ts'

/** Bodies of routes that expect none, or a small one. */
const DEFAULT_BODY_LIMIT = 64_000

/** Builds the server; it does not listen yet. */
export async function buildApp(
  routes: readonly Route[],
  version: string,
  logger: Logger,
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: DEFAULT_BODY_LIMIT,
    // A client that sends its headers or body a byte at a time may hold a connection no longer than this.
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    exposeHeadRoutes: false,
    logger: false,
    return503OnClosing: false,
    // Bodies are judged by the step that they belong to; schemas are here for the OpenAPI document.
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
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) =>
    reply.send(app.swagger()),
  )
  app.setNotFoundHandler((_request, reply) => sendError(reply, new TocsinError('not_found'), false))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = asTocsinError(error)
    if (known.code === 'internal_error')
      logger.error('request failed', error, { route: request.routeOptions.url ?? '' })
    sendError(reply, known, isSubmission(request))
  })
  return app
}

function addRoute(app: FastifyInstance, route: Route): void {
  app.route({
    method: [...route.methods],
    url: route.url,
    bodyLimit: route.bodyLimit ?? DEFAULT_BODY_LIMIT,
    config: { submission: route.submission === true },
    schema: openApiSchema(route),
    handler: async (request, reply) => {
      if (route.requestBody !== undefined) requireJson(request)
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

function requireJson(request: FastifyRequest): void {
  if (!(request.headers['content-type'] ?? '').startsWith('application/json'))
    throw new TocsinError('unsupported_media_type')
}

function send(reply: FastifyReply, answer: RouteReply): FastifyReply {
  reply.code(answer.status).headers(answer.headers ?? {})
  if (answer.body === undefined && answer.json === undefined) return reply.send()
  if (answer.json === undefined) return reply.send(answer.body)
  return reply.header('content-type', 'application/json').send(JSON.stringify(answer.json))
}

// What may come while a body is read, and what we say to it.
const FRAMEWORK_ERRORS: Readonly<Record<string, keyof typeof ERRORS>> = {
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

function sendError(reply: FastifyReply, error: TocsinError, submission: boolean): FastifyReply {
  if (error.code === 'unavailable') reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  if (submission)
    reply
      .header('tocsin-tracking-id', randomBytes(16).toString('hex'))
      .header('x-api-version', 'v1')
  const padding = submission ? { padding: replyPadding() } : {}
  return reply
    .code(error.status)
    .header('content-type', 'application/json')
    .send(JSON.stringify({ error: error.message, code: error.code, ...padding }))
}

function isSubmission(request: FastifyRequest): boolean {
  return (request.routeOptions.config as { submission?: boolean }).submission === true
}
