// Authorize: realms, the tenants that issue certificates; promises that the private half of a realm's signing key is wrapped and in no event.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { isUniqueViolation } from '../db/database-errors.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { zoneSecret } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { AuthorityZone } from './zone.ts'

/** A realm as it is registered. */
export interface Realm {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  /** `iss` and `aud` of its certificates. */
  readonly issuer: string
  readonly audience: string
  /** Of the key that signs its certificates. */
  readonly kid: string
  /** SubjectPublicKeyInfo, PEM; P-256. */
  readonly publicKey: string
}

const ADDED = 'realm.added'

/**
 * Adds a realm and makes the key that signs its certificates.
 *
 * @throws TocsinError `realm_exists`, `realm_invalid`
 */
export async function addRealm(
  zone: AuthorityZone,
  realm: Pick<Realm, 'name' | 'issuer' | 'audience'>,
  now: Date,
): Promise<Realm> {
  checkRealm(realm)
  const exists = () => new TocsinError('realm_exists', `A realm "${realm.name}" exists already.`)
  try {
    return await zone.db.transaction(async (tx) => {
      if ((await findRealm(tx, realm.name)) !== undefined) throw exists()
      const { name, issuer, audience } = realm
      const key = importKey(
        await zoneSecret(tx, zone.masterKey, keySecretName(name), makePrivateKey),
      )
      const added: Realm = { name, issuer, audience, kid: `${name}-v1`, publicKey: publicHalf(key) }
      const parts = [{ retention: 'configuration' as const, content: added }]
      await appendEvents(tx, zone.writer, [{ type: ADDED, parts }], now)
      return added
    })
  } catch (error) {
    // Two commands at once: the other one was first.
    throw isUniqueViolation(error) ? exists() : error
  }
}

/** All realms, by name. */
export async function listRealms(db: Queryable): Promise<Realm[]> {
  const { rows } = await db.query<RealmRow>(
    sql`select name, issuer, audience, kid, public_key from realm order by name`,
  )
  return rows.map(readRealm)
}

/** The realm of that name, or undefined. */
export async function findRealm(db: Queryable, name: string): Promise<Realm | undefined> {
  const { rows } = await db.query<RealmRow>(
    sql`select name, issuer, audience, kid, public_key from realm where name = ${name}`,
  )
  return rows[0] === undefined ? undefined : readRealm(rows[0])
}

/** A row of the table. */
export interface RealmRow {
  readonly name: string
  readonly issuer: string
  readonly audience: string
  readonly kid: string
  readonly public_key: string
}

/** A row as a value. */
export function readRealm({ name, issuer, audience, kid, public_key }: RealmRow): Realm {
  return { name, issuer, audience, kid, publicKey: public_key }
}

/**
 * The private key that signs a realm's certificates.
 *
 * @throws TocsinError `signing_key_invalid` when it is gone, or isn't the one that was announced: a new one would be accepted by nobody
 */
export async function loadCertificateKey(zone: AuthorityZone, realm: Realm): Promise<KeyObject> {
  const invalid = () =>
    new TocsinError(
      'signing_key_invalid',
      `The key that signs the certificates of realm "${realm.name}" is missing: restore the zone's secrets.`,
    )
  const secret = await zoneSecret(zone.db, zone.masterKey, keySecretName(realm.name), () => {
    throw invalid()
  })
  const key = importKey(secret)
  if (publicHalf(key) !== realm.publicKey) throw invalid()
  return key
}

/** A new P-256 private key: PKCS #8, DER. */
export function makePrivateKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return privateKey.export({ type: 'pkcs8', format: 'der' })
}

/** Reads what {@link makePrivateKey} made. */
export function importKey(der: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' })
}

/** Writes the table of realms. */
export const realmProjection: Projection = {
  types: [ADDED],
  tables: ['realm'],
  async apply(tx, events) {
    for (const event of events) await insertRealm(tx, event.parts[0]?.content as Realm)
  },
}

async function insertRealm(tx: Transaction, realm: Realm): Promise<void> {
  await tx.query(
    sql`insert into realm (name, issuer, audience, kid, public_key)
        values (${realm.name}, ${realm.issuer}, ${realm.audience}, ${realm.kid}, ${realm.publicKey})`,
  )
}

function keySecretName(name: string): string {
  return `certificate key ${name}`
}

function publicHalf(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}

function checkRealm(realm: Pick<Realm, 'name' | 'issuer' | 'audience'>): void {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(realm.name))
    throw new TocsinError(
      'realm_invalid',
      'The name must be 1 to 40 lower-case letters, digits or hyphens, and not begin with a hyphen.',
    )
  for (const field of ['issuer', 'audience'] as const)
    if (!/^[\x21-\x7e]{1,200}$/.test(realm[field]))
      throw new TocsinError(
        'realm_invalid',
        `The ${field} must be 1 to 200 printable characters without spaces.`,
      )
}
