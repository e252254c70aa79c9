// Authorize: the API keys of a realm; promises that a key is shown once, that what is stored of it opens nothing, and that it serves one purpose.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { findRealm, readRealm, type Realm, type RealmRow } from './realms.ts'
import { openMac, type AuthorityZone, type Mac } from './zone.ts'

/** Whose key it is: of an app, which swaps codes and tokens, or of a health system, which issues codes. */
export type ApiKeyType = 'device' | 'admin'

/** The types. */
export const API_KEY_TYPES: readonly ApiKeyType[] = ['device', 'admin']

/** Who sent a request. */
export interface Caller {
  readonly realm: Realm
  /** The prefix of the API key. */
  readonly apiKey: string
}

/** What the log keeps of a key. */
interface ApiKeyContent {
  readonly prefix: string
  readonly realm: string
  readonly type: ApiKeyType
  readonly mac: Uint8Array
}

const ADDED = 'api-key.added'

// 64 bits find the key, 256 bits open.
const PREFIX_BYTES = 8
const SECRET_BYTES = 32
const API_KEY = /^([A-Za-z0-9_-]{11})\.[A-Za-z0-9_-]{43}$/

/**
 * Makes an API key of a realm.
 *
 * @returns the key, `<prefix>.<secret>` in base64url: nobody can tell it again
 * @throws TocsinError `realm_unknown`
 */
export async function addApiKey(
  zone: AuthorityZone,
  { realm, type }: { readonly realm: string; readonly type: ApiKeyType },
  now: Date,
): Promise<string> {
  const prefix = randomBytes(PREFIX_BYTES).toString('base64url')
  const apiKey = `${prefix}.${randomBytes(SECRET_BYTES).toString('base64url')}`
  await zone.db.transaction(async (tx) => {
    if ((await findRealm(tx, realm)) === undefined)
      throw new TocsinError('realm_unknown', `There is no realm "${realm}".`)
    const mac = await openMac(tx, zone.masterKey)
    const content: ApiKeyContent = { prefix, realm, type, mac: mac('api key', apiKey) }
    await appendEvents(
      tx,
      zone.writer,
      [{ type: ADDED, parts: [{ retention: 'configuration', content }] }],
      now,
    )
  })
  return apiKey
}

/**
 * Who sent an API key.
 *
 * @param type the type that the request needs
 * @throws TocsinError `unauthorized` whatever is wrong with the key
 */
export async function findCaller(
  db: Queryable,
  mac: Mac,
  apiKey: string | undefined,
  type: ApiKeyType,
): Promise<Caller> {
  const [, prefix] = API_KEY.exec(apiKey ?? '') ?? []
  if (apiKey === undefined || prefix === undefined) throw new TocsinError('unauthorized')
  const { rows } = await db.query<RealmRow & { mac: Uint8Array; type: string }>({
    name: 'find-caller',
    text: `select api_key.mac, api_key.type, name, issuer, audience, kid, public_key
           from api_key join realm on realm.name = api_key.realm where prefix = $1`,
    values: [prefix],
  })
  const row = rows[0]
  const given = mac('api key', apiKey)
  if (row === undefined || !timingSafeEqual(row.mac, given) || row.type !== type)
    throw new TocsinError('unauthorized')
  return { realm: readRealm(row), apiKey: prefix }
}

/** Writes the table of API keys. */
export const apiKeyProjection: Projection = {
  types: [ADDED],
  tables: ['api_key'],
  async apply(tx, events) {
    for (const event of events) await insertApiKey(tx, event.parts[0]?.content as ApiKeyContent)
  },
}

async function insertApiKey(tx: Transaction, key: ApiKeyContent): Promise<void> {
  await tx.query(
    sql`insert into api_key (prefix, realm, type, mac) values (${key.prefix}, ${key.realm}, ${key.type}, ${key.mac})`,
  )
}
