// Test helper: the admin API of an authority zone on a port, with two realms; promises real requests and both realms' own keys.

import assert from 'node:assert/strict'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { addRealm, changeRealm, type Realm } from '../src/authorize/realms.ts'
import { loadOrderKey, makeWithdrawalOrder } from '../src/authorize/withdrawal-orders.ts'
import { buildApp } from '../src/http/app.ts'
import { buildRoutes, type RouteContext } from '../src/http/routes.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { createLogger } from '../src/operate/logger.ts'
import { databaseTestOnce } from './database.ts'
import { testRealm, zoneTest, type TestAuthorityZone } from './authority-zone.ts'
import type { movableClock } from './key-zone.ts'

/** What a request may have. */
export interface AdminCall {
  /** A value is sent as JSON, a text as it is. */
  readonly body?: unknown
  /** The realm's own admin key, when it is left out; null for none. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** A reply. */
export interface AdminReply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  /** Of JSON; empty of anything else. */
  readonly json: Readonly<Record<string, unknown>>
}

/** What a test has. */
export interface AdminDesk {
  readonly zone: TestAuthorityZone
  readonly clock: ReturnType<typeof movableClock>
  readonly url: string
  /** Another realm, and its admin key. */
  readonly other: Realm
  readonly otherKey: string
  /** @param path behind /api/v1/, or from the first slash on */
  call(method: string, path: string, call?: AdminCall): Promise<AdminReply>
  /** The same, which must have this status. @returns the reply's JSON */
  done(
    status: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Readonly<Record<string, unknown>>>
}

/** A test with the whole route table on a port; the realm has the provider `lab`, the other one the provider `ward`. */
export function adminTest(name: string, body: (desk: AdminDesk) => Promise<void>): void {
  zoneTest(
    name,
    async (zone, clock) => {
      const now = clock.now()
      const other = await addRealm(zone.zone, testRealm(), 'command', now)
      const otherKey = await addApiKey(
        zone.zone,
        { realm: other.name, type: 'admin' },
        'command',
        now,
      )
      for (const [realm, provider] of [
        [zone.realm.name, 'lab'],
        [other.name, 'ward'],
      ] as const)
        await addProvider(
          zone.zone,
          { realm, name: provider, displayName: `The ${provider}` },
          'command',
          now,
        )
      const routes = buildRoutes({ authorize: zone.context } as RouteContext, [])
      const app = await buildApp(routes, 'test', createLogger('silent'))
      try {
        const url = await app.listen({ host: '127.0.0.1', port: 0 })
        const call: AdminDesk['call'] = (method, path, given = {}) =>
          send(url, method, path, given, zone.adminKey)
        const done: AdminDesk['done'] = async (status, method, path, sent) => {
          const reply = await call(method, path, sent === undefined ? {} : { body: sent })
          assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.json)}`)
          return reply.json
        }
        await body({ zone, clock, url, other, otherKey, call, done })
      } finally {
        await app.close()
      }
    },
    databaseTestOnce,
  )
}

async function send(
  url: string,
  method: string,
  path: string,
  { body, key, headers = {} }: AdminCall,
  adminKey: string,
): Promise<AdminReply> {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(path.startsWith('/') ? url + path : `${url}/api/v1/${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { 'x-api-key': key ?? adminKey }),
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  })
  const bytes = new Uint8Array(await response.arrayBuffer())
  const isJson = response.headers.get('content-type') === 'application/json' && bytes.length > 0
  const json = isJson ? (JSON.parse(Buffer.from(bytes).toString()) as AdminReply['json']) : {}
  return { status: response.status, headers: response.headers, bytes, json }
}

/** A processes' memory of a change is a second old at the most. */
export function aSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000))
}

/** An app. */
export const APP = {
  displayName: 'Care',
  platform: 'android',
  appId: 'org.example.care',
  storeUrl: '',
  fingerprints: [Array<string>(32).fill('AB').join(':')],
  redirects: true,
  headless: false,
}

/** A batch. */
export const BATCH = { provider: 'lab', label: 'Ward 7', testType: 'confirmed', size: 12 }

/** Every address: its method, its path with things that the realm has, a body that it takes. */
export const ADDRESSES: readonly [method: string, path: string, body?: unknown][] = [
  ['GET', 'realm'],
  ['PATCH', 'realm', { displayName: 'Elsewhere' }],
  ['GET', 'realm/quota'],
  ['POST', 'realm/quota', { extra: 5 }],
  ['GET', 'providers'],
  ['POST', 'providers', { name: 'new', displayName: 'New' }],
  ['GET', 'providers/lab'],
  ['PATCH', 'providers/lab', { displayName: 'Other' }],
  ['GET', 'staff'],
  ['POST', 'staff', { name: 'bob', displayName: 'Bob', roles: ['issue'] }],
  ['PATCH', 'staff/ann', { state: 'closed' }],
  ['GET', 'api-keys'],
  ['POST', 'api-keys', { type: 'device' }],
  ['DELETE', 'api-keys/PREFIX'],
  ['GET', 'apps'],
  ['GET', 'apps/care'],
  ['DELETE', 'apps/care'],
  ['PUT', 'apps/care', APP],
  ['GET', 'batches'],
  ['GET', 'batches/BATCH'],
  ['POST', 'codes/activate', { code: 'CODE', testDate: '2026-11-24' }],
  ['POST', 'codes/invalidate', { code: 'CODE', retroactive: false }],
  ['POST', 'batches/BATCH/invalidate', { retroactive: false }],
  ['POST', 'batches', BATCH],
  ['POST', 'providers/lab/invalidate-codes', { retroactive: false }],
  ['GET', 'signing-keys'],
  ['POST', 'signing-keys/rotate', { purpose: 'certificate' }],
  ['DELETE', 'signing-keys/KID'],
  ['GET', 'withdrawal-orders'],
  ['GET', 'withdrawal-orders/ORDER'],
]

/** A signed order of the realm, put into its outbox. @returns its id */
async function makeOrder({ zone: { zone, realm }, clock }: AdminDesk): Promise<string> {
  const key = await loadOrderKey(zone, realm.name, clock.now())
  const withdrawal = { handles: ['o1v9Jb3mWq0d5Yx7Kc2LfA'], fromDay: 20_000, throughDay: 20_001 }
  const { order, event } = makeWithdrawalOrder(key, realm, withdrawal, 'command', clock.now())
  await zone.db.transaction((tx) => appendEvents(tx, zone.writer, [event], clock.now()))
  return order.id
}

/** Gives the realm one thing of each kind. @returns the addresses with their names in them */
export async function furnish(desk: AdminDesk): Promise<typeof ADDRESSES> {
  const { zone, done } = desk
  await done(201, 'POST', 'staff', { name: 'ann', displayName: 'Ann', roles: ['issue', 'manage'] })
  await done(200, 'PUT', 'apps/care', APP)
  const { prefix } = await done(201, 'POST', 'api-keys', { type: 'stats', name: 'readers' })
  const made = await done(201, 'POST', 'batches', { ...BATCH, needsActivation: true })
  const { batch, cards } = made as { batch: { id: string }; cards: { code: string }[] }
  const names = {
    ORDER: await makeOrder(desk),
    PREFIX: String(prefix),
    BATCH: batch.id,
    CODE: cards[0]?.code ?? '',
    KID: `${zone.realm.name}-v1`,
  }
  const named = (text: string) =>
    text.replace(/PREFIX|BATCH|CODE|KID|ORDER/, (name) => names[name as keyof typeof names])
  return ADDRESSES.map(([method, path, body]) => [
    method,
    named(path),
    body === undefined ? undefined : (JSON.parse(named(JSON.stringify(body))) as unknown),
  ])
}

/** What is not for the API to set. */
export async function setByOperator(
  { zone, clock }: Pick<AdminDesk, 'zone' | 'clock'>,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  await changeRealm(zone.zone, zone.realm.name, settings, 'command', clock.now())
}
