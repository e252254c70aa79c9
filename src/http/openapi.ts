// Http: the OpenAPI document of the route table; promises what /openapi.json serves, byte for byte, with and without a server that runs.

import fastify from 'fastify'
import { VERSION } from '../operate/version.ts'
import type { Route } from './route.ts'
import { buildRoutes, type RouteContext, type RoutesOfKind } from './routes.ts'

/** The document, as it is served and committed. */
export async function openApiDocument(kinds: readonly RoutesOfKind[]): Promise<string> {
  // Routes say what they are before they are asked anything: nothing of the context is touched.
  const routes = buildRoutes({ ofKinds: new Map() } as unknown as RouteContext, kinds)
  return describe(routes, VERSION)
}

/** The document of a server, made when it is first asked for: what makes it takes more memory than many a server's work. */
export function describedWhenAsked(
  routes: readonly Route[],
  version: string,
): () => Promise<Buffer> {
  let document: Promise<Buffer> | undefined
  return () =>
    (document ??= describe(routes, version).then(Buffer.from, (error: unknown) => {
      document = undefined
      throw error
    }))
}

async function describe(routes: readonly Route[], version: string): Promise<string> {
  const { default: swagger } = await import('@fastify/swagger')
  const app = fastify({ exposeHeadRoutes: false })
  // Nobody asks this one anything.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => JSON.stringify)
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
  for (const route of routes)
    app.route({
      method: [...route.methods],
      url: route.url,
      schema: schemaOf(route),
      handler: () => undefined,
    })
  try {
    await app.ready()
    return `${JSON.stringify(app.swagger(), null, 2)}\n`
  } finally {
    await app.close()
  }
}

function schemaOf(route: Route) {
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
