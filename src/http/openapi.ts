// Http: the OpenAPI document of the route table, without a server that runs; promises what /openapi.json serves, byte for byte.

import { createLogger } from '../operate/logger.ts'
import { VERSION } from '../operate/version.ts'
import { buildApp } from './app.ts'
import { buildRoutes, type RouteContext, type RoutesOfKind } from './routes.ts'

/** The document, as it is served and committed. */
export async function openApiDocument(kinds: readonly RoutesOfKind[]): Promise<string> {
  // Routes say what they are before they are asked anything: nothing of the context is touched.
  const routes = buildRoutes({ ofKinds: new Map() } as unknown as RouteContext, kinds)
  const app = await buildApp(routes, VERSION, createLogger('silent'))
  try {
    return (await app.inject({ url: '/openapi.json' })).body
  } finally {
    await app.close()
  }
}
