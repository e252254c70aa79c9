// Http: the public keys of realms for key servers; promises an answer from memory, in both forms that there are.

import type { AuthorizeContext } from '../authorize/context.ts'
import { jwksArray, jwksObject } from '../authorize/jwks-document.ts'
import type { Known } from '../authorize/known.ts'
import type { Realm } from '../authorize/realms.ts'
import { TocsinError } from '../errors.ts'
import type { Route, Schema } from './route.ts'

// A new key is published an hour before it signs.
const HEADERS = { 'cache-control': 'public, max-age=300', 'x-content-type-options': 'nosniff' }

const KEY: Schema = {
  type: 'object',
  required: ['kty', 'crv', 'alg', 'use', 'kid', 'x', 'y'],
  properties: Object.fromEntries(
    ['kty', 'crv', 'alg', 'use', 'kid', 'x', 'y'].map((name) => [name, { type: 'string' }]),
  ),
}

/** The keys that certificates may be signed with. */
export function jwksRoutes(authorize: AuthorizeContext): Route[] {
  return [
    {
      methods: ['GET', 'HEAD'],
      url: '/jwks/:realm',
      operationId: 'jwks',
      summary:
        "The public keys of a realm's certificates: an array; with .json the object of RFC 7517",
      // Stays open in maintenance: key servers trust a key no longer that they don't find here.
      tag: 'public files',
      params: {
        type: 'object',
        required: ['realm'],
        properties: {
          realm: { type: 'string', description: 'Its name or number, and .json for the object' },
        },
      },
      replies: {
        200: { description: 'The keys', schema: { type: 'array', items: KEY } },
        404: { description: 'There is no such realm' },
        503: { description: 'Busy: try again after the seconds of Retry-After' },
      },
      async handle({ params }) {
        const [, wanted = '', ending] = /^([a-z0-9-]+)(\.json)?$/.exec(params['realm'] ?? '') ?? []
        const known = await authorize.known()
        const realm = findByNameOrNumber(known, wanted)
        if (realm === undefined) throw new TocsinError('not_found')
        const keys = known.signingKeys.filter((key) => key.realm === realm.name)
        const describe = ending === undefined ? jwksArray : jwksObject
        return { status: 200, headers: HEADERS, json: describe(keys, authorize.now()) }
      },
    },
  ]
}

/** No name is a number. */
function findByNameOrNumber({ realms }: Known, wanted: string): Realm | undefined {
  return realms.get(wanted) ?? [...realms.values()].find(({ number }) => String(number) === wanted)
}
