// Http: the one table of routes; promises that everything the service answers is a row here.

import type { AuthorizeContext } from '../authorize/context.ts'
import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import type { Health } from '../operate/health.ts'
import type { StatsContext } from '../submit/stats-v1.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { authorityZoneRoutes } from './authority-zone-routes.ts'
import { earlierApiRoutes } from './earlier-api-routes.ts'
import type { HomeDescription } from './home.ts'
import { keyZoneRoutes } from './key-zone-routes.ts'
import { operateRoutes } from './operate-routes.ts'
import { publicRoutes } from './public-routes.ts'
import type { Route } from './route.ts'
import { statsRoutes } from './stats-routes.ts'

/** What the routes need of the running server. */
export interface RouteContext {
  readonly submit: Submit
  /** Whether the earlier publish API is served. */
  readonly v1alpha1: boolean
  readonly stats: StatsContext
  readonly authorize: AuthorizeContext
  readonly serveFile: (download: Download) => Promise<DownloadReply>
  readonly health: Health
  readonly describe: HomeDescription
}

/** The table. */
export function buildRoutes(context: RouteContext): Route[] {
  return [
    ...keyZoneRoutes(context.submit),
    ...statsRoutes(context.stats),
    ...authorityZoneRoutes(context.authorize),
    ...publicRoutes(context.serveFile),
    ...operateRoutes(context.health, context.describe),
    ...(context.v1alpha1 ? earlierApiRoutes(context.submit) : []),
  ]
}
