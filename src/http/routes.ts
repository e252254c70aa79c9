// Http: the one table of routes; promises that everything the service answers is a row here.

import type { AuthorizeContext } from '../authorize/context.ts'
import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { authorityZoneRoutes } from './authority-zone-routes.ts'
import type { HomeDescription } from './home.ts'
import { keyZoneRoutes } from './key-zone-routes.ts'
import { operateRoutes } from './operate-routes.ts'
import { publicRoutes } from './public-routes.ts'
import type { Route } from './route.ts'

/** What the routes need of the running server. */
export interface RouteContext {
  readonly submit: Submit
  readonly authorize: AuthorizeContext
  readonly serveFile: (download: Download) => Promise<DownloadReply>
  /** Throws when a database is away. */
  readonly isReady: () => Promise<void>
  readonly describe: HomeDescription
}

/** The table. */
export function buildRoutes(context: RouteContext): Route[] {
  return [
    ...keyZoneRoutes(context.submit),
    ...authorityZoneRoutes(context.authorize),
    ...publicRoutes(context.serveFile),
    ...operateRoutes(context.isReady, context.describe),
  ]
}
