// Authorize: where a link with a code leads, on which phone; promises that the link's sender chooses no part of the target but the code.

import type { MobileApp } from './mobile-apps.ts'

/** Apple's association file: which apps open the links of this host. */
export interface AppleAssociation {
  readonly applinks: {
    /** Phones take the file only with this empty list. */
    readonly apps: readonly []
    readonly details: readonly { readonly appID: string; readonly paths: readonly string[] }[]
  }
}

/** One app in Android's association file. */
export interface AndroidAssociation {
  readonly relation: readonly string[]
  readonly target: {
    readonly namespace: 'android_app'
    readonly package_name: string
    readonly sha256_cert_fingerprints: readonly string[]
  }
}

/** A page instead of an app: open it on a phone; this phone has no app for it; it has no code. */
export type LinkPage = 'other-device' | 'no-app' | 'no-code'

/** Where a link leads. */
export type LinkTarget =
  | { readonly status: 303; readonly location: string }
  | { readonly status: 404; readonly page: LinkPage }

/** A link that was opened in a browser. */
export interface OpenedLink {
  /** The browser's own description; empty when it has none. */
  readonly userAgent: string
  /** Of the link's address, without its question mark. */
  readonly query: string
  /** Of the realm, such as US-WA; empty for a realm whose apps are all its own. */
  readonly region: string
  /** Of the realm; of each system the first one that takes redirects counts. */
  readonly apps: readonly MobileApp[]
}

/** What Apple's association file says; undefined when no app is for iOS. */
export function appleAssociation(apps: readonly MobileApp[]): AppleAssociation | undefined {
  const details = apps
    .filter(({ platform }) => platform === 'ios')
    .map(({ appId }) => ({ appID: appId, paths: ['*'] }))
  return details.length === 0 ? undefined : { applinks: { apps: [], details } }
}

/** What Android's association file says; undefined when no app is for Android. */
export function androidAssociation(
  apps: readonly MobileApp[],
): readonly AndroidAssociation[] | undefined {
  const associations = apps
    .filter(({ platform }) => platform === 'android')
    .map(({ appId, fingerprints }) => ({
      relation: ['delegate_permission/common.handle_all_urls'],
      target: {
        namespace: 'android_app' as const,
        package_name: appId,
        sha256_cert_fingerprints: fingerprints,
      },
    }))
  return associations.length === 0 ? undefined : associations
}

/**
 * Where a link leads that came to a browser, and so was not opened by an app.
 *
 * Of its parameters only `c`, the code, is handed on; `r` becomes the realm's own region whatever the link says.
 */
export function redirectFor({ userAgent, query, region, apps }: OpenedLink): LinkTarget {
  const system = systemOf(userAgent)
  const code = readCode(query)
  if (system === undefined) return page(code === undefined ? 'no-code' : 'other-device')
  const app = apps.find(({ platform, redirects }) => platform === system && redirects)
  const location =
    system === 'android' ? onAndroid(code, region, app) : onIos(code, region, app?.storeUrl ?? '')
  return location === undefined ? page('no-app') : { status: 303, location }
}

function onAndroid(
  code: string | undefined,
  region: string,
  app: MobileApp | undefined,
): string | undefined {
  // Had it been turned on, it would have taken the link itself.
  const turnOn =
    region === '' ? undefined : `ensonboarding://picker/${encodeURIComponent(region.toLowerCase())}`
  if (app === undefined || app.headless || app.storeUrl === '') return turnOn
  if (code === undefined) return app.storeUrl
  const intent = [
    'Intent',
    'scheme=ens',
    `package=${app.appId}`,
    'action=android.intent.action.VIEW',
    'category=android.intent.category.BROWSABLE',
    `S.browser_fallback_url=${encodeURIComponent(app.storeUrl)}`,
    'end',
  ]
  return `intent://${openPath(code, region)}#${intent.join(';')}`
}

function onIos(code: string | undefined, region: string, storeUrl: string): string | undefined {
  if (storeUrl !== '') return storeUrl
  // Without a region the phone's own screens know nobody to send the code to.
  if (region === '') return undefined
  return `ens://${code === undefined ? 'onboarding' : openPath(code, region)}`
}

/** What an app is opened with. @param code empty when the link has none */
function openPath(code: string, region: string): string {
  const parameters = new URLSearchParams()
  if (code !== '') parameters.set('c', code)
  if (region !== '') parameters.set('r', region)
  return `v?${parameters.toString()}`
}

// Of every kind: digits, letters, a card's groups. Anything else is no code, and nothing that an app should see.
const CODE = /^[A-Za-z0-9-]{1,64}$/

/** The code of a link; empty when it names a region and no code, undefined when it has neither. */
function readCode(query: string): string | undefined {
  const parameters = new URLSearchParams(query)
  const code = parameters.get('c') ?? ''
  if (CODE.test(code)) return code
  return parameters.has('r') ? '' : undefined
}

/** iPads have no contact tracing: they count as any other device. */
function systemOf(userAgent: string): MobileApp['platform'] | undefined {
  const text = userAgent.toLowerCase()
  if (text.includes('android')) return 'android'
  return text.includes('iphone') ? 'ios' : undefined
}

function page(kind: LinkPage): LinkTarget {
  return { status: 404, page: kind }
}
