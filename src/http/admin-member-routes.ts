// Http: a realm's providers and staff; promises to change what a body names, and nothing else.

import { bodyOf, integer, oneOf, orNull, someOf, text } from '../authorize/admin-body.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import {
  addProvider,
  changeProvider,
  listProviders,
  MEMBER_STATES,
  requireProvider,
  type Provider,
} from '../authorize/providers.ts'
import { listStaff, setStaff, STAFF_ROLES, type StaffMember } from '../authorize/staff.ts'
import { INVALIDATE, INVALIDATION, invalidate, readInvalidation } from './admin-invalidation.ts'
import { changeRoute, listOf, listSchema, lookRoute, objectOf } from './admin-route.ts'
import type { Route, Schema } from './route.ts'

const NAME = text('1 to 40 lower-case letters, digits or hyphens; never changes')
const DISPLAY_NAME = text('As people read it, 1 to 100 characters')
const STATE = oneOf(
  MEMBER_STATES,
  'suspended: does nothing for now; closed: for good. Codes of such a provider do not count',
)

/** Providers and staff. */
export function adminMemberRoutes(authorize: AuthorizeContext): Route[] {
  return [...providerRoutes(authorize), ...staffRoutes(authorize)]
}

function providerRoutes(authorize: AuthorizeContext): Route[] {
  const params = { name: "The provider's name" }
  return [
    lookRoute(authorize, {
      path: 'providers',
      operationId: 'listProviders',
      summary: 'Lists the providers, by name',
      reply: listSchema('providers', PROVIDER),
      what: 'providers',
      look: async ({ zone, realm }) =>
        listOf('providers', (await listProviders(zone.db, realm.name)).map(describeProvider)),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'providers',
      operationId: 'addProvider',
      summary: 'Adds a provider',
      body: bodyOf({ name: NAME, displayName: DISPLAY_NAME }, {}),
      status: 201,
      reply: PROVIDER,
      refusals: [400, 409],
      change: async ({ zone, realm, by, now }, body) =>
        describeProvider(await addProvider(zone, { realm: realm.name, ...body }, by, now)),
    }),
    lookRoute(authorize, {
      path: 'providers/:name',
      operationId: 'getProvider',
      summary: 'Tells one provider',
      params,
      reply: PROVIDER,
      what: 'provider',
      look: async ({ zone, realm }, { name = '' }) =>
        describeProvider(await requireProvider(zone.db, realm.name, name)),
    }),
    changeRoute(authorize, {
      method: 'PATCH',
      path: 'providers/:name',
      operationId: 'changeProvider',
      summary: "Changes a provider's name for people or its state",
      params,
      body: bodyOf({}, { displayName: DISPLAY_NAME, state: STATE }),
      status: 200,
      reply: PROVIDER,
      refusals: [400, 404],
      change: async ({ zone, realm, by, now }, body, { params: { name = '' } }) =>
        describeProvider(await changeProvider(zone, realm.name, name, body, by, now)),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'providers/:name/invalidate-codes',
      operationId: 'invalidateCodesOfProvider',
      summary:
        'Invalidates all codes that a provider has issued so far, or tells what that would do',
      params,
      body: INVALIDATE,
      status: 200,
      reply: INVALIDATION,
      refusals: [400, 404, 409],
      change(admin, body, { params: { name: provider = '' } }) {
        const scope = { realm: admin.realm.name, scope: 'provider', provider } as const
        return invalidate(admin, scope, readInvalidation(body))
      },
    }),
  ]
}

const MEMBER_FIELDS = {
  email: orNull(text('null for none')),
  provider: orNull(text("Whose codes they issue; null for the realm's own")),
  state: STATE,
  dailyQuota: orNull(integer('Codes a day, 1 to 1,000,000; null for what the realm says')),
}
const ROLES = someOf(STAFF_ROLES, 'What they may do: at least one')

function staffRoutes(authorize: AuthorizeContext): Route[] {
  return [
    lookRoute(authorize, {
      path: 'staff',
      operationId: 'listStaff',
      summary: 'Lists the staff, by name',
      reply: listSchema('staff', MEMBER),
      what: 'staff',
      look: async ({ zone, realm }) =>
        listOf('staff', (await listStaff(zone.db, realm.name)).map(describeMember)),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'staff',
      operationId: 'addStaff',
      summary: 'Adds a member of staff',
      body: bodyOf({ name: NAME, displayName: DISPLAY_NAME, roles: ROLES }, MEMBER_FIELDS),
      status: 201,
      reply: MEMBER,
      refusals: [400, 404, 409],
      async change({ zone, realm, by, now }, { name, ...given }) {
        const who = { realm: realm.name, name }
        return describeMember(await setStaff(zone, who, given, 'add', by, now))
      },
    }),
    changeRoute(authorize, {
      method: 'PATCH',
      path: 'staff/:name',
      operationId: 'changeStaff',
      summary: 'Changes a member of staff',
      params: { name: "The member's name" },
      body: bodyOf({}, { displayName: DISPLAY_NAME, roles: ROLES, ...MEMBER_FIELDS }),
      status: 200,
      reply: MEMBER,
      refusals: [400, 404],
      async change({ zone, realm, by, now }, given, { params: { name = '' } }) {
        const who = { realm: realm.name, name }
        return describeMember(await setStaff(zone, who, given, 'change', by, now))
      },
    }),
  ]
}

function describeProvider({ name, displayName, state }: Provider): unknown {
  return { name, displayName, state }
}

function describeMember(member: StaffMember): unknown {
  const { name, displayName, roles, email, provider, state, dailyQuota } = member
  return { name, displayName, roles, email, provider, state, dailyQuota }
}

const PROVIDER: Schema = objectOf({
  name: NAME.schema,
  displayName: DISPLAY_NAME.schema,
  state: STATE.schema,
})

const MEMBER: Schema = objectOf({
  name: NAME.schema,
  displayName: DISPLAY_NAME.schema,
  roles: ROLES.schema,
  email: MEMBER_FIELDS.email.schema,
  provider: MEMBER_FIELDS.provider.schema,
  state: STATE.schema,
  dailyQuota: MEMBER_FIELDS.dailyQuota.schema,
})
