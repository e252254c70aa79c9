// Http: the OpenAPI document of the route table, without a server that runs; promises what /openapi.json serves, byte for byte.

import { createLogger } from '../operate/logger.ts'
import { VERSION } from '../operate/version.ts'
import { buildApp } from './app.ts'
import { buildRoutes, type RouteContext } from './routes.ts'

/** The document, as it is served and committed. */
export async function openApiDocument(): Promise<string> {
  // Routes say what they are before they are asked anything: nothing of the context is touched.
  const app = await buildApp(buildRoutes({} as RouteContext), VERSION, createLogger('silent'))
  try {
    return (await app.inject({ url: '/openapi.json' })).body
  } finally {
    await app.close()
  }
}
