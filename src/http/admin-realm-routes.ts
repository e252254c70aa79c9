// Http: a realm's own settings, its quota of the day and its orders to withdraw; promises that what makes its certificates known to key servers is changed elsewhere.

import { bodyOf, integer, looseBodyOf } from '../authorize/admin-body.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import { allowExtra } from '../authorize/extra-quota.ts'
import { realmQuota } from '../authorize/quota.ts'
import { REALM_DEFAULTS } from '../authorize/realm-settings.ts'
import { changeRealm, findRealm, type Realm } from '../authorize/realms.ts'
import {
  claimsOf,
  listWithdrawalOrders,
  requireWithdrawalOrder,
  type WithdrawalOrder,
} from '../authorize/withdrawal-orders.ts'
import { dayOf } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { changeRoute, listOf, listSchema, lookRoute, objectOf } from './admin-route.ts'
import type { Route, Schema } from './route.ts'

/** The realm and its quota. */
export function adminRealmRoutes(authorize: AuthorizeContext): Route[] {
  return [
    lookRoute(authorize, {
      path: 'realm',
      operationId: 'getRealm',
      summary: 'Tells the settings of the realm',
      reply: REALM,
      what: 'realm',
      look: async ({ zone, realm }) =>
        describeRealm((await findRealm(zone.db, realm.name)) ?? realm),
    }),
    changeRoute(authorize, {
      method: 'PATCH',
      path: 'realm',
      operationId: 'changeRealm',
      summary: 'Changes settings of the realm; those that are left out stay as they are',
      body: SETTINGS,
      status: 200,
      reply: REALM,
      refusals: [400],
      async change({ zone, realm, by, now }, given) {
        const known = (await findRealm(zone.db, realm.name)) ?? realm
        refuseOperators(given, known.settings)
        return describeRealm(await changeRealm(zone, realm.name, given, by, now))
      },
    }),
    lookRoute(authorize, {
      path: 'realm/quota',
      operationId: 'getQuota',
      summary: 'Tells how many codes the realm may still issue today (UTC)',
      reply: QUOTA,
      what: 'quota',
      async look({ zone, realm, now }) {
        const current = (await findRealm(zone.db, realm.name)) ?? realm
        return realmQuota(zone.db, current, dayOf(now))
      },
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'realm/quota',
      operationId: 'allowExtraCodes',
      summary: 'Allows the realm more codes today than its quota',
      body: bodyOf({ extra: integer('So many more, 1 to 1,000,000; added up') }, {}),
      status: 200,
      reply: QUOTA,
      refusals: [400],
      change: ({ zone, realm, by, now }, { extra }) => allowExtra(zone, realm.name, extra, by, now),
    }),
    lookRoute(authorize, {
      path: 'withdrawal-orders',
      operationId: 'listWithdrawalOrders',
      summary: 'Lists the orders to key servers to withdraw reports, the newest first',
      reply: listSchema('orders', ORDER),
      what: 'withdrawal-orders',
      look: async ({ zone, realm }) =>
        listOf('orders', (await listWithdrawalOrders(zone.db, realm.name)).map(describeOrder)),
    }),
    lookRoute(authorize, {
      path: 'withdrawal-orders/:id',
      operationId: 'getWithdrawalOrder',
      summary:
        'Tells one order with its JWS, which the server delivers to its key server by itself',
      params: { id: 'Its id' },
      reply: SIGNED_ORDER,
      what: 'withdrawal-order',
      async look({ zone, realm }, { id = '' }) {
        const order = await requireWithdrawalOrder(zone.db, realm.name, id)
        return { ...describeOrder(order), jws: order.jws }
      },
    }),
  ]
}

/** A realm's settings reach out of this machine only: what listens on it trusts it. @throws TocsinError `realm_invalid` */
/** Where this machine connects to, and which hosts it answers for, is for its operator to say. */
const OPERATORS = ['gatewayUrl', 'linkDomain'] as const

function refuseOperators(
  given: Readonly<Record<string, unknown>>,
  settings: Realm['settings'],
): void {
  for (const name of OPERATORS)
    if (Object.hasOwn(given, name) && given[name] !== settings[name])
      throw new TocsinError(
        'realm_invalid',
        `${name} is set by the operator of this service: ask for it (tocsin realm set).`,
      )
}

function describeRealm({ name, number, issuer, audience, settings }: Realm): unknown {
  return { name, number, issuer, audience, settings }
}

/** Without the order itself: whoever has it can hand it in. */
function describeOrder(order: WithdrawalOrder): object {
  const { handles, from, through } = claimsOf(order)
  const { id, madeAt, delivered, refusal } = order
  return { id, madeAt, delivered, refusal, handles: handles.length, from, through }
}

const SECONDS: Schema = { type: 'integer', description: 'Unix seconds' }

/** Each setting as its usual value is; what else it may be says the refusal, and docs/admin-api.md. */
const SETTINGS_PROPERTIES: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries(REALM_DEFAULTS).map(([name, usual]) => [
    name,
    { type: typeOf(usual), default: usual } satisfies Schema,
  ]),
)

function typeOf(value: unknown): string | readonly string[] {
  if (value === null) return ['integer', 'null']
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' ? 'integer' : typeof value
}

const SETTINGS = looseBodyOf(SETTINGS_PROPERTIES, [])

const REALM: Schema = objectOf({
  name: { type: 'string' },
  number: { type: 'integer', description: 'As in /jwks/NUMBER' },
  issuer: { type: 'string', description: '`iss` of its certificates' },
  audience: { type: 'string', description: '`aud` of its certificates' },
  settings: objectOf(SETTINGS_PROPERTIES),
})

const QUOTA: Schema = objectOf({
  limit: { type: ['integer', 'null'], description: 'Codes today; null for any number' },
  issued: { type: 'integer' },
  remaining: { type: ['integer', 'null'] },
})

const ORDER_PROPERTIES: Readonly<Record<string, Schema>> = {
  id: { type: 'string' },
  madeAt: SECONDS,
  delivered: { type: 'boolean', description: 'Whether the key server has it' },
  refusal: {
    type: ['string', 'null'],
    description: 'The code with which the key server refused it; null when it did not',
  },
  handles: { type: 'integer', description: 'How many issuer handles it names' },
  from: { ...SECONDS, description: 'The first day of the reports: its beginning, unix seconds' },
  through: { ...SECONDS, description: 'The last day of the reports: its beginning, unix seconds' },
}
const ORDER: Schema = objectOf(ORDER_PROPERTIES)
const SIGNED_ORDER: Schema = objectOf({
  ...ORDER_PROPERTIES,
  jws: { type: 'string', description: "The order: compact JWS, ES256, by the realm's key" },
})
