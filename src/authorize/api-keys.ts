// Authorize: the API keys of a realm; promises that a key is shown once, that what is stored of it opens nothing, and that it serves one purpose.

import { timingSafeEqual } from 'node:crypto'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { drawApiKey, prefixOfApiKey } from '../operate/api-key.ts'
import { readPeppers, type Peppers } from './peppers.ts'
import { requireProvider } from './providers.ts'
import { lockRealm } from './realms.ts'
import { checkDailyQuota } from './staff.ts'
import { configured, dayOf, type Actor, type AuthorityZone } from './zone.ts'

/** Whose key it is: of an app, which swaps codes and tokens; of a health system, which issues codes; of whoever reads statistics. */
export type ApiKeyType = 'device' | 'admin' | 'stats'

/** The types. */
export const API_KEY_TYPES: readonly ApiKeyType[] = ['device', 'admin', 'stats']

/** An API key as it is known afterwards. */
export interface ApiKey {
  /** The part that finds it, and names it. */
  readonly prefix: string
  readonly realm: string
  readonly type: ApiKeyType
  /** What people call it; may be empty. */
  readonly name: string
  /** Whose codes it issues; null for the realm's own. */
  readonly provider: string | null
  /** Codes a day; null for what the realm says. */
  readonly dailyQuota: number | null
  /** Unix seconds; null for never. */
  readonly expiresAt: number | null
  readonly revoked: boolean
  /** Days since the epoch; null before its first use. */
  readonly lastUsedDay: number | null
}

/** A key with what recognises it. */
export interface StoredApiKey extends ApiKey {
  readonly mac: Uint8Array
  readonly pepper: number
}

const ADDED = 'api-key.added'
const REVOKED = 'api-key.revoked'
const USED = 'api-key.used'

/** What an API key is made of. */
export type NewApiKey = Pick<ApiKey, 'realm' | 'type'> &
  Partial<Pick<ApiKey, 'name' | 'provider' | 'dailyQuota' | 'expiresAt'>>

/** Events and the table hold everything but what changes. */
type ApiKeyContent = Omit<StoredApiKey, 'revoked' | 'lastUsedDay'>

/**
 * Makes an API key of a realm.
 *
 * @returns the key, `<prefix>.<secret>` in base64url: nobody can tell it again
 * @throws TocsinError `realm_unknown`, `provider_unknown`, `api_key_invalid`
 */
export async function addApiKey(
  zone: AuthorityZone,
  { realm, type, name = '', provider = null, dailyQuota = null, expiresAt = null }: NewApiKey,
  by: Actor,
  now: Date,
): Promise<string> {
  if (!/^[^\p{Cc}\ufeff]{0,100}$/u.test(name) || !name.isWellFormed())
    throw new TocsinError('api_key_invalid', 'The name must have at most 100 characters.')
  if (expiresAt !== null && !(Number.isSafeInteger(expiresAt) && expiresAt * 1000 > now.getTime()))
    throw new TocsinError('api_key_invalid', 'The time at which the key expires must be ahead.')
  checkDailyQuota(dailyQuota)
  const { prefix, apiKey } = drawApiKey()
  const peppers = await readPeppers(zone.db, zone.masterKey, now)
  const mac = peppers.under(peppers.version, 'api key', apiKey)
  await zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    if (provider !== null && (await requireProvider(tx, realm, provider)).state === 'closed')
      throw new TocsinError('api_key_invalid', 'The provider is closed: its keys would not count.')
    const content = {
      prefix,
      realm,
      type,
      name,
      provider,
      dailyQuota,
      expiresAt,
      mac,
      pepper: peppers.version,
    } satisfies ApiKeyContent
    await appendEvents(tx, zone.writer, [configured(ADDED, { ...content, by })], now)
  })
  return apiKey
}

/**
 * Revokes a key: every process refuses it within a second.
 *
 * @throws TocsinError `api_key_unknown`
 */
export function revokeApiKey(
  zone: AuthorityZone,
  realm: string,
  prefix: string,
  by: Actor,
  now: Date,
): Promise<void> {
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    const key = (await listApiKeys(tx, realm)).find((each) => each.prefix === prefix)
    if (key === undefined)
      throw new TocsinError('api_key_unknown', 'The realm has no API key of this prefix.')
    if (key.revoked) return
    await appendEvents(tx, zone.writer, [configured(REVOKED, { prefix, by })], now)
  })
}

/** A key was used on a day on which it had not been used before. */
export function apiKeyUsed(prefix: string): NewEvent {
  return { type: USED, parts: [{ retention: 'audit', content: { prefix } }] }
}

/** The keys of a realm, or of all realms. */
export async function listApiKeys(db: Queryable, realm: string | null): Promise<StoredApiKey[]> {
  const { rows } = await db.query<StoredApiKey>(
    sql`select prefix, realm, type, name, provider, daily_quota as "dailyQuota", expires_at as "expiresAt", revoked,
          last_used_day as "lastUsedDay", mac, pepper
        from api_key where realm = ${realm} or ${realm}::text is null order by realm, name, prefix`,
  )
  return rows
}

/** The prefix of a text that has the form of an API key. */
export function prefixIn(sent: string | undefined): string | undefined {
  return prefixOfApiKey(sent ?? '')
}

/**
 * The key that was sent.
 *
 * @param known by prefix
 * @param type the type that the request needs
 * @throws TocsinError `unauthorized` whatever is wrong with the key
 */
export function recogniseApiKey(
  known: ReadonlyMap<string, StoredApiKey>,
  peppers: Peppers,
  sent: string | undefined,
  type: ApiKeyType,
  now: Date,
): StoredApiKey {
  const key = known.get(prefixIn(sent) ?? '')
  if (sent === undefined || key === undefined || key.revoked) throw new TocsinError('unauthorized')
  // The pepper of one that has expired may be gone.
  if (key.expiresAt !== null && key.expiresAt * 1000 <= now.getTime())
    throw new TocsinError('unauthorized')
  const isOurs = timingSafeEqual(key.mac, peppers.under(key.pepper, 'api key', sent))
  if (!isOurs || key.type !== type) throw new TocsinError('unauthorized')
  return key
}

/** Writes the table of API keys. */
export const apiKeyProjection: Projection = {
  types: [ADDED, REVOKED, USED],
  tables: ['api_key'],
  async apply(tx, events) {
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, { type, parts, grain }: StoredEvent): Promise<void> {
  const content = parts[0]?.content
  // Erased: the last use is as long ago as nobody need know.
  if (content === undefined) return
  if (type === REVOKED) {
    const { prefix } = content as { prefix: string }
    await tx.query(sql`update api_key set revoked = true where prefix = ${prefix}`)
  } else if (type === USED) {
    const { prefix } = content as { prefix: string }
    // The event's own day, which no clock turns back, is the one by which it is erased.
    const day = dayOf(new Date(grain * 1000))
    await tx.query(
      sql`update api_key set last_used_day = greatest(last_used_day, ${day}::integer) where prefix = ${prefix}`,
    )
  } else await insertApiKey(tx, content as Partial<ApiKeyContent>)
}

async function insertApiKey(tx: Transaction, key: Partial<ApiKeyContent>): Promise<void> {
  await tx.query(
    sql`insert into api_key (prefix, realm, type, name, provider, daily_quota, expires_at, mac, pepper)
        values (${key.prefix}, ${key.realm}, ${key.type}, ${key.name ?? ''}, ${key.provider ?? null},
                ${key.dailyQuota ?? null}::integer, ${key.expiresAt ?? null}::bigint, ${key.mac}, ${key.pepper ?? 1})`,
  )
}
