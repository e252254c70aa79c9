// Http: the addresses of links with codes, and of the files that tie their host to apps; promises that a code goes to the phone's app alone: to no log, cache or other site.

import {
  androidAssociation,
  appleAssociation,
  redirectFor,
  type LinkTarget,
} from '../authorize/deep-links.ts'
import type { MobileApp } from '../authorize/mobile-apps.ts'
import { TocsinError } from '../errors.ts'
import { renderLinkPage } from './deep-link-pages.ts'
import type { Route, RouteReply, RouteRequest } from './route.ts'

/** What links need to know of the realm that a host belongs to. */
export interface LinkRealm {
  /** Such as US-WA; empty when the realm has none. */
  readonly region: string
  readonly apps: readonly MobileApp[]
}

/** The realm whose links have a host: lower case, without port or last dot. */
export type FindRealmByHost = (host: string) => Promise<LinkRealm | undefined>

// The address that is answered here has a code in it.
const PRIVATE_HEADERS = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }

// An app that was removed, or signed anew, is known to everybody soon.
const ASSOCIATION_HEADERS = {
  'cache-control': 'public, max-age=300',
  'x-content-type-options': 'nosniff',
}

/** Links and association files. An unknown host gets what any unknown address gets. */
export function deepLinkRoutes(findRealmByHost: FindRealmByHost): Route[] {
  const realmOf = async ({ headers }: RouteRequest): Promise<LinkRealm> => {
    const host = readHost(headers['host'] ?? '')
    const realm = host === undefined ? undefined : await findRealmByHost(host)
    if (realm === undefined) throw new TocsinError('not_found')
    return realm
  }
  return [
    {
      methods: ['GET', 'HEAD'],
      url: '/v',
      operationId: 'openLink',
      summary: 'A link with a code (?c=) that a browser opened: leads to the app or to its store',
      // Stays open in maintenance: the app says it in its own words.
      tag: 'public files',
      replies: {
        303: { description: "The app, the phone's own screens, or a store" },
        404: {
          description: 'Nothing here opens the link: a page that says what to do',
          contentType: 'text/html',
        },
      },
      async handle(request) {
        const { region, apps } = await realmOf(request)
        const userAgent = request.headers['user-agent'] ?? ''
        const target = redirectFor({ userAgent, query: request.query, region, apps })
        return toReply(target, request.headers['accept-language'] ?? '', apps)
      },
      refuse: refusePrivately,
    },
    associationRoute('apple-app-site-association', 'appleAssociation', async (request) =>
      appleAssociation((await realmOf(request)).apps),
    ),
    associationRoute('assetlinks.json', 'androidAssociation', async (request) =>
      androidAssociation((await realmOf(request)).apps),
    ),
  ]
}

function toReply(
  target: LinkTarget,
  acceptLanguage: string,
  apps: readonly MobileApp[],
): RouteReply {
  if (target.status === 303)
    return { status: 303, headers: { ...PRIVATE_HEADERS, location: target.location } }
  const { headers, body } = renderLinkPage(target.page, acceptLanguage, apps)
  return { status: 404, headers: { ...headers, ...PRIVATE_HEADERS }, body }
}

/** @param associate what the file says; undefined when the realm has no such app */
function associationRoute(
  file: string,
  operationId: string,
  associate: (request: RouteRequest) => Promise<unknown>,
): Route {
  return {
    methods: ['GET', 'HEAD'],
    url: `/.well-known/${file}`,
    operationId,
    summary: "The apps that open links of this host, for the phones' systems",
    tag: 'public files',
    replies: {
      200: { description: 'The apps' },
      404: { description: 'The host has no links, or no app of this system' },
    },
    async handle(request) {
      const json = await associate(request)
      if (json === undefined) throw new TocsinError('not_found')
      return { status: 200, headers: ASSOCIATION_HEADERS, json }
    },
  }
}

function refusePrivately(error: TocsinError): RouteReply {
  return {
    status: error.status,
    headers: PRIVATE_HEADERS,
    json: { error: error.message, code: error.code },
  }
}

/** The host without its port and last dot, lower case; undefined for what is no name. */
function readHost(header: string): string | undefined {
  return /^([a-z0-9.-]{1,253}?)\.?(?::\d{1,5})?$/.exec(header.toLowerCase())?.[1]
}
