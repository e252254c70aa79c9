// Http: the one table of routes; promises that everything the service answers is a row here.

import { actorOf } from '../authorize/callers.ts'
import { lookedUp } from '../authorize/code-status.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import { listMobileApps } from '../authorize/mobile-apps.ts'
import type { OrderContext } from '../correct/receive-order.ts'
import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Health } from '../operate/health.ts'
import type { StatsContext } from '../submit/stats-v1.ts'
import type { Submit } from '../submit/submission-thread.ts'
import { adminRoutes } from './admin-routes.ts'
import { authorityStatsRoutes, type AuthorityStatsContext } from './authority-stats-routes.ts'
import { authorityZoneRoutes } from './authority-zone-routes.ts'
import { correctionRoutes, type CorrectionContext } from './correction-routes.ts'
import { deepLinkRoutes, type FindRealmByHost } from './deep-link-routes.ts'
import type { HomeDescription } from './home.ts'
import { jwksRoutes } from './jwks-routes.ts'
import { operateRoutes } from './operate-routes.ts'
import { publicRoutes } from './public-routes.ts'
import type { Route } from './route.ts'
import { statsRoutes } from './stats-routes.ts'
import { withdrawalRoutes } from './withdrawal-routes.ts'

/** What the routes need of the running server. */
export interface RouteContext {
  readonly submit: Submit
  /** Whether the earlier publish API is served. */
  readonly v1alpha1: boolean
  /** What was configured of the variables that kinds of key have of their own, by name. */
  readonly ofKinds: ReadonlyMap<string, unknown>
  readonly stats: StatsContext
  readonly orders: OrderContext
  readonly authorize: AuthorizeContext
  /** The key zone's own: see `swapInPassing`. */
  readonly keysSecret: Uint8Array
  readonly corrections: CorrectionContext
  /** The served root of published files. */
  readonly publicFolder: string
  readonly serveFile: (download: Download) => Promise<DownloadReply>
  readonly health: Health
  readonly describe: HomeDescription
}

/** What a kind of key answers. */
export interface RoutesOfKind {
  routes(context: RouteContext): Route[]
}

/** The table. @param kinds with their own routes */
export function buildRoutes(context: RouteContext, kinds: readonly RoutesOfKind[]): Route[] {
  return [
    ...kinds.flatMap((kind) => kind.routes(context)),
    ...statsRoutes(context.stats),
    ...withdrawalRoutes(context.orders),
    ...correctionRoutes(context.corrections),
    ...authorityZoneRoutes(context.authorize),
    ...authorityStatsRoutes(statsOf(context.authorize)),
    ...adminRoutes(context.authorize),
    ...jwksRoutes(context.authorize),
    ...deepLinkRoutes(findByHost(context.authorize)),
    ...publicRoutes(context.serveFile),
    ...operateRoutes(context.health, context.describe),
  ]
}

/** Statistics are told to a realm's own keys, and the log says who looked. */
function statsOf(authorize: AuthorizeContext): AuthorityStatsContext {
  return {
    // Read when somebody asks: the OpenAPI document is made without a context.
    get db() {
      return authorize.db
    },
    now: () => authorize.now(),
    async admit(apiKey, report) {
      const caller = await authorize.findCaller(apiKey, 'stats')
      const looked = lookedUp(`stats.${report}`, caller.realm.name, actorOf(caller))
      await authorize.db.transaction((tx) =>
        appendEvents(tx, authorize.writer, [looked], authorize.now()),
      )
      return caller.realm
    },
  }
}

/** The realm whose links have a host; the settings let two realms have no host in common. */
function findByHost(authorize: AuthorizeContext): FindRealmByHost {
  return async (host) => {
    const { realms } = await authorize.known()
    const realm = [...realms.values()].find(({ settings }) => settings.linkDomain === host)
    if (realm === undefined) return undefined
    return {
      region: realm.settings.region,
      apps: await listMobileApps(authorize.db, realm.name),
    }
  }
}
