// Test helper: links served by a real server, asked as they are written; promises to keep what the operator would see of them.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { MobileApp } from '../src/authorize/mobile-apps.ts'
import { buildApp } from '../src/http/app.ts'
import { deepLinkRoutes, type FindRealmByHost } from '../src/http/deep-link-routes.ts'

/** Whose links are the realm's. */
export const HOST = 'us-wa.links.example'
/** A long code. */
export const CODE = '1234567890abcdef'
/** With what must be escaped in a page. */
export const PLAY = 'https://play.google.com/store/apps/details?id=org.example.care&hl=en'

/** An app with a hostile name. */
export const ANDROID: MobileApp = {
  name: 'care-android',
  displayName: `<b>"Care" & 'Alert'</b>`,
  platform: 'android',
  appId: 'org.example.care',
  storeUrl: PLAY,
  fingerprints: [Array<string>(32).fill('AB').join(':')],
  redirects: true,
  headless: false,
}
/** An app of the other system. */
export const IOS: MobileApp = {
  ...ANDROID,
  name: 'care-ios',
  displayName: 'Care',
  platform: 'ios',
  appId: 'A1B2C3D4E5.org.example.care',
  storeUrl: 'https://apps.apple.com/app/id123456789',
  fingerprints: [],
}

/** A reply as it came. */
export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Asked {
  readonly method?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Serves links; `logged` and `counted` are what the operator gets to see of them. */
export async function serve(findRealmByHost: FindRealmByHost, maintenance = false) {
  const logged: unknown[][] = []
  const counted: string[] = []
  const told = (...values: unknown[]) => void logged.push(values)
  const app = await buildApp(
    deepLinkRoutes(findRealmByHost),
    'test',
    { info: told, error: told },
    {
      maintenance,
      metrics: {
        countRequest: (route, status) => void counted.push(`${route} ${status}`),
        countSubmission: () => undefined,
      },
    },
  )
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  return {
    logged,
    counted,
    get: (target: string, asked: Asked = {}) => send(Number(port), target, asked),
    [Symbol.asyncDispose]: () => app.close(),
  }
}

/** Sends a request as it is: clients of the language itself mend targets and hosts. */
async function send(
  port: number,
  target: string,
  { method = 'GET', host = HOST, headers = {} }: Asked,
): Promise<Received> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const lines = Object.entries({ host, ...headers, connection: 'close' })
  socket.write(
    `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  )
  // A server that has read enough resets the connection: what came until then is its reply.
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.on('close', resolve))
  const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n')
  const [first = '', ...fields] = head.split('\r\n')
  return {
    status: Number(first.split(' ')[1]),
    headers: Object.fromEntries(
      fields.map((field) => {
        const colon = field.indexOf(':')
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
      }),
    ),
    body: rest.join('\r\n\r\n'),
  }
}

/** A realm with these apps at {@link HOST}, and no other one. */
export const realmWith =
  (apps: readonly MobileApp[], region = 'US-WA'): FindRealmByHost =>
  async (host) =>
    host === HOST ? { region, apps } : undefined

const PHONES = {
  android: 'Mozilla/5.0 (Linux; Android 13; Pixel 7) Chrome/120.0 Mobile Safari/537.36',
  ios: 'Mozilla/5.0 (iPhone; CPU iPhone OS 16_3 like Mac OS X) Safari/604.1',
  none: 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0',
}
/** Asks as this phone's browser does. */
export const as = (phone: keyof typeof PHONES) => ({ headers: { 'user-agent': PHONES[phone] } })

/** Nobody keeps the reply, and no other site hears of its address. */
export function assertPrivate({ headers }: Received): void {
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(headers['referrer-policy'], 'no-referrer')
}
