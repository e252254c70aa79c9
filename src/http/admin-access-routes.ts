// Http: a realm's API keys, apps and signing keys; promises that an API key is told once, and of a signing key the public half alone.

import { bodyOf, integer, looseBodyOf, oneOf, orNull, text } from '../authorize/admin-body.ts'
import {
  addApiKey,
  API_KEY_TYPES,
  listApiKeys,
  revokeApiKey,
  type StoredApiKey,
} from '../authorize/api-keys.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import { destroyNow, rotateNow } from '../authorize/key-schedule.ts'
import { listMobileApps, removeMobileApp, setMobileApp } from '../authorize/mobile-apps.ts'
import { KEY_PURPOSES, listSigningKeys, type SigningKey } from '../authorize/signing-keys.ts'
import { TocsinError } from '../errors.ts'
import { changeRoute, listOf, listSchema, lookRoute, objectOf } from './admin-route.ts'
import type { Route, Schema } from './route.ts'

/** What opens the API, what its links open, and what signs. */
export function adminAccessRoutes(authorize: AuthorizeContext): Route[] {
  return [...apiKeyRoutes(authorize), ...appRoutes(authorize), ...signingKeyRoutes(authorize)]
}

const TYPE = oneOf(
  API_KEY_TYPES,
  'device: for an app; admin: for a health system and for this API; stats: for statistics',
)
const API_KEY_FIELDS = {
  name: text('What people call it, at most 100 characters'),
  provider: orNull(text("Whose codes it issues; null for the realm's own")),
  dailyQuota: orNull(integer('Codes a day, 1 to 1,000,000; null for what the realm says')),
  expiresAt: orNull(integer('Unix seconds; null for never')),
}

function apiKeyRoutes(authorize: AuthorizeContext): Route[] {
  return [
    lookRoute(authorize, {
      path: 'api-keys',
      operationId: 'listApiKeys',
      summary: 'Lists the API keys, by name; revoked ones, too',
      reply: listSchema('apiKeys', API_KEY),
      what: 'api-keys',
      look: async ({ zone, realm }) =>
        listOf('apiKeys', (await listApiKeys(zone.db, realm.name)).map(describeApiKey)),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'api-keys',
      operationId: 'addApiKey',
      summary: 'Makes an API key, which nobody can tell again',
      body: bodyOf({ type: TYPE }, API_KEY_FIELDS),
      status: 201,
      reply: objectOf({
        apiKey: { type: 'string', description: 'The key, as it is sent in X-API-Key' },
        prefix: { type: 'string', description: 'Its first part: names it from now on' },
      }),
      refusals: [400, 404],
      async change({ zone, realm, by, now }, body) {
        const apiKey = await addApiKey(zone, { realm: realm.name, ...body }, by, now)
        return { apiKey, prefix: apiKey.slice(0, apiKey.indexOf('.')) }
      },
    }),
    changeRoute(authorize, {
      method: 'DELETE',
      path: 'api-keys/:prefix',
      operationId: 'revokeApiKey',
      summary: 'Revokes an API key: a second later it opens nothing',
      params: { prefix: 'Its first part' },
      status: 204,
      reply: {},
      refusals: [404],
      change: ({ zone, realm, by, now }, _body, { params: { prefix = '' } }) =>
        revokeApiKey(zone, realm.name, prefix, by, now),
    }),
  ]
}

function appRoutes(authorize: AuthorizeContext): Route[] {
  const params = { name: "The app's name" }
  return [
    lookRoute(authorize, {
      path: 'apps',
      operationId: 'listApps',
      summary: 'Lists the apps that links open, by name',
      reply: listSchema('apps', APP),
      what: 'apps',
      look: async ({ zone, realm }) => listOf('apps', await listMobileApps(zone.db, realm.name)),
    }),
    lookRoute(authorize, {
      path: 'apps/:name',
      operationId: 'getApp',
      summary: 'Tells one app',
      params,
      reply: APP,
      what: 'app',
      async look({ zone, realm }, { name }) {
        const apps = await listMobileApps(zone.db, realm.name)
        const app = apps.find((each) => each.name === name)
        if (app === undefined) throw new TocsinError('app_unknown')
        return app
      },
    }),
    changeRoute(authorize, {
      method: 'PUT',
      path: 'apps/:name',
      operationId: 'setApp',
      summary: 'Adds an app, or replaces the one of that name',
      params,
      body: APP_BODY,
      status: 200,
      reply: APP,
      refusals: [400],
      change({ zone, realm, by, now }, body, { params: { name = '' } }) {
        if ((body['name'] ?? name) !== name)
          throw new TocsinError('app_invalid', 'name must be the one in the address, or left out.')
        return setMobileApp(zone, realm.name, { ...body, name }, by, now)
      },
    }),
    changeRoute(authorize, {
      method: 'DELETE',
      path: 'apps/:name',
      operationId: 'removeApp',
      summary: 'Removes an app',
      params,
      status: 204,
      reply: {},
      refusals: [404],
      change: ({ zone, realm, by, now }, _body, { params: { name = '' } }) =>
        removeMobileApp(zone, realm.name, name, by, now),
    }),
  ]
}

function signingKeyRoutes(authorize: AuthorizeContext): Route[] {
  return [
    lookRoute(authorize, {
      path: 'signing-keys',
      operationId: 'listSigningKeys',
      summary: 'Lists the keys that sign certificates and texts; destroyed ones, too',
      reply: listSchema('signingKeys', SIGNING_KEY),
      what: 'signing-keys',
      look: async ({ zone, realm }) =>
        listOf(
          'signingKeys',
          (await listSigningKeys(zone.db, realm.name, null)).map(describeSigningKey),
        ),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'signing-keys/rotate',
      operationId: 'rotateSigningKey',
      summary: 'Has a new key follow the one that signs: published now, used an hour later',
      body: bodyOf({ purpose: PURPOSE }, {}),
      status: 200,
      reply: SIGNING_KEY,
      refusals: [400, 409],
      change: async ({ zone, realm, by, now }, { purpose }) =>
        describeSigningKey(await rotateNow(zone, realm.name, purpose, by, now)),
    }),
    changeRoute(authorize, {
      method: 'DELETE',
      path: 'signing-keys/:kid',
      operationId: 'destroySigningKey',
      summary: 'Destroys a key that signs no longer: nothing that it ever signed counts any more',
      params: { kid: "The key's kid" },
      status: 204,
      reply: {},
      refusals: [404, 409],
      change: ({ zone, realm, by, now }, _body, { params: { kid = '' } }) =>
        destroyNow(zone, realm.name, kid, by, now),
    }),
  ]
}

/** Without what recognises the key. */
function describeApiKey(apiKey: StoredApiKey): unknown {
  const { prefix, type, name, provider, dailyQuota, expiresAt, revoked, lastUsedDay } = apiKey
  return { prefix, type, name, provider, dailyQuota, expiresAt, revoked, lastUsedDay }
}

function describeSigningKey(key: SigningKey): unknown {
  const { kid, purpose, publicKey, madeAt, usedFrom, usedUntil, destroyedAt } = key
  return { kid, purpose, publicKey, madeAt, usedFrom, usedUntil, destroyedAt }
}

const API_KEY: Schema = objectOf({
  prefix: { type: 'string' },
  type: TYPE.schema,
  ...Object.fromEntries(
    Object.entries(API_KEY_FIELDS).map(([name, { schema }]) => [name, schema] as const),
  ),
  revoked: { type: 'boolean' },
  lastUsedDay: {
    type: ['integer', 'null'],
    description: 'Days since 1970, UTC; null before its first use',
  },
})

const APP_PROPERTIES: Readonly<Record<string, Schema>> = {
  name: { type: 'string', description: 'The one in the address' },
  displayName: { type: 'string', description: 'As people read it, 1 to 100 characters' },
  platform: { type: 'string', enum: ['ios', 'android'] },
  appId: {
    type: 'string',
    description: "iOS: the team's id, a dot, the bundle id; Android: the package",
  },
  storeUrl: { type: 'string', description: 'https; empty when it is in no store' },
  fingerprints: {
    type: 'array',
    items: { type: 'string' },
    description: 'Android: SHA-256 of each certificate that it is signed with; iOS: []',
  },
  redirects: { type: 'boolean', description: 'Whether browsers are sent to it' },
  headless: { type: 'boolean', description: 'Android: a part of the system without screens' },
}
const APP: Schema = objectOf(APP_PROPERTIES)
const APP_BODY = looseBodyOf(
  APP_PROPERTIES,
  Object.keys(APP_PROPERTIES).filter((name) => name !== 'name'),
)

const PURPOSE = oneOf(KEY_PURPOSES, 'What it signs')
const SIGNING_KEY: Schema = objectOf({
  kid: { type: 'string' },
  purpose: PURPOSE.schema,
  publicKey: { type: 'string', description: 'PEM' },
  madeAt: { type: 'integer', description: 'Unix seconds; published from then on' },
  usedFrom: { type: 'integer', description: 'Unix seconds' },
  usedUntil: {
    type: ['integer', 'null'],
    description: 'Unix seconds; 0 when nothing counts any more that it ever signed',
  },
  destroyedAt: { type: ['integer', 'null'], description: 'Unix seconds: its private half' },
})
