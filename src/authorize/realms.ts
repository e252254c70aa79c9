// Authorize: realms, the tenants that issue certificates; promises that a change of one counts everywhere within a second, and that each has a key to sign with.

import { isDeepStrictEqual } from 'node:util'
import { isUniqueViolation, violatedConstraint } from '../db/database-errors.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { secretVersions } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { changeSettings, REALM_DEFAULTS, type RealmSettings } from './realm-settings.ts'
import { gatewaySecretName } from './senders.ts'
import { firstSigningKey, listSigningKeys, makeSigningKey } from './signing-keys.ts'
import { configured, type Actor, type AuthorityZone } from './zone.ts'

/** A realm as it is registered. */
export interface Realm {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  /** Counts from 1, for addresses as existing systems have them. */
  readonly number: number
  /** `iss` and `aud` of its certificates. */
  readonly issuer: string
  readonly audience: string
  readonly settings: RealmSettings
}

const ADDED = 'realm.added'
const CHANGED = 'realm.changed'

/** What a realm is made of. */
export type NewRealm = Pick<Realm, 'name' | 'issuer' | 'audience'> & {
  /** Those that differ from the usual ones. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/**
 * Adds a realm and makes the key that signs its certificates.
 *
 * @throws TocsinError `realm_exists`, `realm_invalid`
 */
export async function addRealm(
  zone: AuthorityZone,
  asked: NewRealm,
  by: Actor,
  now: Date,
): Promise<Realm> {
  checkNames(asked)
  const { name, issuer, audience } = asked
  const settings = changeSettings(REALM_DEFAULTS, asked.settings ?? {})
  const exists = () => new TocsinError('realm_exists', `A realm "${name}" exists already.`)
  try {
    return await zone.db.transaction(async (tx) => {
      if ((await findRealm(tx, name)) !== undefined) throw exists()
      const { rows } = await tx.query<{ next: number }>(
        sql`select coalesce(max(number), 0) + 1 as next from realm`,
      )
      const realm: Realm = { name, number: rows[0]?.next ?? 1, issuer, audience, settings }
      const key = await firstSigningKey(tx, zone, name, by, now)
      const forTexts = await prepareTexts(tx, zone, realm, by, now)
      const events = [configured(ADDED, { ...realm, by }), key, ...forTexts]
      await appendEvents(tx, zone.writer, events, now)
      return realm
    })
  } catch (error) {
    // Two commands at once: the other one was first.
    const refused = asRefusal(error)
    throw isUniqueViolation(refused) ? exists() : refused
  }
}

/** Settings by name; or what makes them of those that the realm has, which nobody else changes meanwhile. */
export type GivenSettings =
  Readonly<Record<string, unknown>> | ((before: RealmSettings) => Readonly<Record<string, unknown>>)

/**
 * Changes settings of a realm.
 *
 * @throws TocsinError `realm_unknown`, `realm_invalid`
 */
export function changeRealm(
  zone: AuthorityZone,
  name: string,
  given: GivenSettings,
  by: Actor,
  now: Date,
): Promise<Realm> {
  return zone.db
    .transaction(async (tx) => {
      const realm = await lockRealm(tx, name)
      const changes = typeof given === 'function' ? given(realm.settings) : given
      const settings = changeSettings(realm.settings, changes)
      if (isDeepStrictEqual(settings, realm.settings)) return realm
      const forTexts = await prepareTexts(tx, zone, { name, settings }, by, now)
      const events = [configured(CHANGED, { name, settings, by }), ...forTexts]
      await appendEvents(tx, zone.writer, events, now)
      return { ...realm, settings }
    })
    .catch((error: unknown) => {
      throw asRefusal(error)
    })
}

/**
 * Sees to it that texts can be sent and signed as the settings say.
 *
 * @returns the event that announces the key for texts, when it had to be made
 * @throws TocsinError `realm_invalid` when there is no secret for the gateway
 */
async function prepareTexts(
  tx: Transaction,
  zone: AuthorityZone,
  { name, settings }: Pick<Realm, 'name' | 'settings'>,
  by: Actor,
  now: Date,
): Promise<NewEvent[]> {
  const secrets =
    settings.textSender === 'gateway'
      ? await secretVersions(tx, zone.masterKey, gatewaySecretName(name))
      : undefined
  if (secrets?.length === 0)
    throw new TocsinError(
      'realm_invalid',
      `textSender "gateway" needs a secret: make it first, with tocsin realm gateway-secret ${name}.`,
    )
  if (!settings.signTexts || (await listSigningKeys(tx, name, 'text')).length > 0) return []
  const usedFrom = Math.floor(now.getTime() / 1000)
  const key = { realm: name, purpose: 'text' as const, number: 1, usedFrom }
  return [await makeSigningKey(tx, zone, key, by, now)]
}

/** A link tells its realm by its host alone: the index keeps two from having one, also when both change at once. */
const ONE_HOST = 'realm_link_domain'

function asRefusal(error: unknown): unknown {
  return violatedConstraint(error) === ONE_HOST
    ? new TocsinError('realm_invalid', 'Another realm has this linkDomain.')
    : error
}

/** All realms, by name. */
export async function listRealms(db: Queryable): Promise<Realm[]> {
  const { rows } = await db.query<RealmRow>(
    sql`select name, number, issuer, audience, settings from realm order by name`,
  )
  return rows.map(readRealm)
}

/** The realm of that name, or undefined. */
export async function findRealm(db: Queryable, name: string): Promise<Realm | undefined> {
  const { rows } = await db.query<RealmRow>(
    sql`select name, number, issuer, audience, settings from realm where name = ${name}`,
  )
  return rows[0] === undefined ? undefined : readRealm(rows[0])
}

/**
 * The realm of that name, locked until the transaction ends: whoever counts what it has does so one at a time.
 *
 * @throws TocsinError `realm_unknown`
 */
export async function lockRealm(tx: Transaction, name: string): Promise<Realm> {
  const { rows } = await tx.query<RealmRow>(
    sql`select name, number, issuer, audience, settings from realm where name = ${name} for update`,
  )
  if (rows[0] === undefined) throw new TocsinError('realm_unknown', `There is no realm "${name}".`)
  return readRealm(rows[0])
}

interface RealmRow {
  readonly name: string
  readonly number: number
  readonly issuer: string
  readonly audience: string
  readonly settings: Partial<RealmSettings>
}

function readRealm(row: RealmRow): Realm {
  return { ...row, settings: { ...REALM_DEFAULTS, ...row.settings } }
}

/** Writes the table of realms. */
export const realmProjection: Projection = {
  types: [ADDED, CHANGED],
  tables: ['realm'],
  async apply(tx, events) {
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, { type, parts }: StoredEvent): Promise<void> {
  const realm = parts[0]?.content as Realm
  if (type === CHANGED) {
    await tx.query(
      sql`update realm set settings = ${realm.settings}::jsonb where name = ${realm.name}`,
    )
    return
  }
  // One of an earlier version has neither.
  const { number = null, settings = {} } = realm as Partial<Realm>
  await tx.query(
    sql`insert into realm (name, number, issuer, audience, settings)
        values (${realm.name}, coalesce(${number}::integer, (select coalesce(max(number), 0) + 1 from realm)),
                ${realm.issuer}, ${realm.audience}, ${settings}::jsonb)`,
  )
}

function checkNames(realm: NewRealm): void {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(realm.name) || /^\d+$/.test(realm.name))
    throw new TocsinError(
      'realm_invalid',
      'The name must be 1 to 40 lower-case letters, digits or hyphens, not begin with a hyphen, and not be a number.',
    )
  for (const field of ['issuer', 'audience'] as const)
    if (!/^[\x21-\x7e]{1,200}$/.test(realm[field]))
      throw new TocsinError(
        'realm_invalid',
        `The ${field} must be 1 to 200 printable characters without spaces.`,
      )
}
