// Http: what all addresses of the admin API have in common; promises that nobody reaches a realm but with an admin key of its own, and that each look-up is in the log.

import type { BodyShape } from '../authorize/admin-body.ts'
import { actorOf } from '../authorize/callers.ts'
import { lookedUp } from '../authorize/code-status.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import type { Realm } from '../authorize/realms.ts'
import type { Actor } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import {
  CLOSED,
  isJson,
  type Route,
  type RouteReply,
  type RouteRequest,
  type Schema,
} from './route.ts'

/** Who manages, and what. */
export interface Admin {
  readonly zone: AuthorizeContext
  readonly realm: Realm
  readonly by: Actor
  readonly now: Date
}

/** What all rows say. */
interface Row {
  /** Behind /api/v1/. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  /** What the names in the path name. */
  readonly params?: Readonly<Record<string, string>>
  /** Of the reply. */
  readonly reply: Schema
}

/** An address that tells something. */
export interface LookRow extends Row {
  /** What is looked up, for the log: the kind of thing, never which. */
  readonly what: string
  look(admin: Admin, params: RouteRequest['params']): Promise<unknown>
}

/** An address that changes something. */
export interface ChangeRow<Body> extends Row {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Left out where nothing is read. */
  readonly body?: BodyShape<Body>
  readonly status: 200 | 201 | 204
  /** Other types that the reply may have, where it is a stream. */
  readonly contentTypes?: string
  /** Refusals beside those that every address has. */
  readonly refusals: readonly (keyof typeof REFUSALS)[]
  /** Whether an API key of a provider's may do it, too; else only the realm's own. */
  readonly providersToo?: boolean
  /** @returns what the reply says; of {@link streamed} the reply itself */
  change(admin: Admin, body: Body, request: RouteRequest): Promise<unknown>
}

/** Lists have no more: a realm with more things of a kind reads its log. */
export const MOST_LISTED = 1000

const REFUSALS = {
  400: 'Nothing was changed; `code` and `error` say what to mend',
  401: "The API key was not accepted: it must be of the type admin, and the realm's own",
  404: 'The realm has no such thing',
  409: 'It is there already, or in the way of something else',
  415: 'The body must be application/json',
  429: CLOSED,
  503: 'Busy: try again after the seconds of Retry-After',
}

/** The row of an address that tells something. */
export function lookRoute(authorize: AuthorizeContext, row: LookRow): Route {
  const refusals = row.params === undefined ? ([401] as const) : ([401, 404] as const)
  return {
    ...describe(row, ['GET'], 200, refusals),
    async handle(request) {
      const admin = await admit(authorize, request, false)
      const json = await row.look(admin, request.params)
      await noteLook(admin, row.what)
      return { status: 200, headers: KEPT_NOWHERE, json }
    },
  }
}

/** The row of an address that changes something. */
export function changeRoute<Body>(authorize: AuthorizeContext, row: ChangeRow<Body>): Route {
  const { body, status, method, refusals } = row
  const inBody = body === undefined ? [] : ([415] as const)
  return {
    ...describe(row, [method], status, [401, ...refusals, ...inBody]),
    ...(body === undefined ? {} : { requestBody: body.schema }),
    async handle(request) {
      const admin = await admit(authorize, request, row.providersToo === true)
      // Whoever may not do it hears nothing of what it takes.
      if (body !== undefined && !isJson(request)) throw new TocsinError('unsupported_media_type')
      const read = body?.read(request.body) as Body
      const json = await row.change(admin, read, request)
      if (json instanceof Streamed) return json.reply
      return { status, headers: KEPT_NOWHERE, ...(status === 204 ? {} : { json }) }
    },
  }
}

class Streamed {
  readonly reply: RouteReply
  constructor(reply: RouteReply) {
    this.reply = reply
  }
}

/** A reply that is sent as it comes. */
export function streamed(
  status: ChangeRow<unknown>['status'],
  headers: Readonly<Record<string, string>>,
  body: RouteReply['body'] & object,
): Streamed {
  return new Streamed({ status, headers: { ...KEPT_NOWHERE, ...headers }, body })
}

/** Puts into the log that somebody looked at a kind of thing. */
export async function noteLook({ zone, realm, by, now }: Admin, what: string): Promise<void> {
  const looked = lookedUp(what, realm.name, by)
  await zone.db.transaction((tx) => appendEvents(tx, zone.writer, [looked], now))
}

/** A list as it is told: `more` says that it was cut. */
export function listOf(name: string, items: readonly unknown[]): Record<string, unknown> {
  return { [name]: items.slice(0, MOST_LISTED), more: items.length > MOST_LISTED }
}

/** The schema of {@link listOf}. */
export function listSchema(name: string, items: Schema): Schema {
  return objectOf({
    [name]: { type: 'array', items, maxItems: MOST_LISTED },
    more: { type: 'boolean', description: `Whether there are more than ${MOST_LISTED}` },
  })
}

/** The schema of an object, all of whose members are there. */
export function objectOf(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required: Object.keys(properties), properties }
}

/** No cache keeps a reply of these APIs. */
export const KEPT_NOWHERE = { 'cache-control': 'no-store' }

/** @throws TocsinError `unauthorized` */
async function admit(
  zone: AuthorizeContext,
  { headers }: RouteRequest,
  providersToo: boolean,
): Promise<Admin> {
  const caller = await zone.findCaller(headers['x-api-key'], 'admin')
  // A hospital's key must not close another hospital.
  if (caller.apiKey.provider !== null && !providersToo)
    throw new TocsinError(
      'unauthorized',
      "This API key issues a provider's codes: manage the realm with one that has no provider.",
    )
  return { zone, realm: caller.realm, by: actorOf(caller), now: zone.now() }
}

function describe(
  { path, operationId, summary, params, reply, ...row }: Row & { contentTypes?: string },
  methods: Route['methods'],
  status: ChangeRow<unknown>['status'],
  refusals: readonly (keyof typeof REFUSALS)[],
): Omit<Route, 'handle'> {
  const more = row.contentTypes === undefined ? '' : `; as ${row.contentTypes} where Accept says so`
  return {
    methods,
    url: `/api/v1/${path}`,
    operationId,
    summary,
    tag: 'authority zone',
    ...(params === undefined ? {} : { params: paramsSchema(params) }),
    headers: HEADERS,
    refuse: refuseUnkept,
    replies: {
      [status]: { description: `Done${more}`, ...(status === 204 ? {} : { schema: reply }) },
      ...Object.fromEntries(
        [...refusals, 429 as const, 503 as const].map((each) => [
          each,
          { description: REFUSALS[each], schema: REFUSAL },
        ]),
      ),
    },
  }
}

/** A refusal; a cache that kept it would tell it to whoever has mended what was wrong. */
export function refuseUnkept({ status, message, code }: TocsinError): RouteReply {
  return { status, headers: KEPT_NOWHERE, json: { error: message, code } }
}

/** The schema of what the names in a path name. */
export function paramsSchema(params: Readonly<Record<string, string>>): Schema {
  return objectOf(
    Object.fromEntries(
      Object.entries(params).map(([name, description]) => [name, { type: 'string', description }]),
    ),
  )
}

const HEADERS: Schema = objectOf({
  'x-api-key': {
    type: 'string',
    description: "An API key of the type admin, of the realm's own: without a provider",
  },
})

/** The schema of {@link refuseUnkept}. */
export const REFUSAL: Schema = objectOf({
  error: { type: 'string', description: 'What to mend' },
  code: { type: 'string', description: 'A stable code' },
})
