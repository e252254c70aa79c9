// Authorize: the keys that sign a realm's certificates and its texts; promises that a private half is wrapped and in no event, and signs only as the key that was announced.

import type { KeyObject } from 'node:crypto'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { destroySecretVersions, secretVersions, zoneSecret } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { createJwtSigner, type JwtSigner } from './jwt.ts'
import { importKey, makePrivateKey, publicHalf } from './key-pairs.ts'
import type { Actor, AuthorityZone } from './zone.ts'

/** What a key signs: certificates, or texts that phones recognise. */
export type KeyPurpose = 'certificate' | 'text'

/** The purposes. */
export const KEY_PURPOSES: readonly KeyPurpose[] = ['certificate', 'text']

/** A signing key of a realm, as everybody may know it. Times are unix seconds. */
export interface SigningKey {
  /** `<realm>-v<number>`; of texts `<realm>-v<number>sms`. */
  readonly kid: string
  readonly realm: string
  readonly purpose: KeyPurpose
  /** SubjectPublicKeyInfo, PEM; P-256. */
  readonly publicKey: string
  /** Published from then on; 0 when that is not known. */
  readonly madeAt: number
  /** Signs from then on. */
  readonly usedFrom: number
  /** Signs until then, exclusive; null while no other key is to follow it; 0 when nothing counts any more that it ever signed. */
  readonly usedUntil: number | null
  /** When its private half was destroyed; null while it is there. */
  readonly destroyedAt: number | null
}

/** Who did it: somebody, or the schedule. */
export type KeyActor = Actor | 'schedule'

const MADE = 'signing-key.made'
const RETIRED = 'signing-key.retired'
const DESTROYED = 'signing-key.destroyed'
// In earlier versions a realm's only key came with it.
const REALM_ADDED = 'realm.added'

/** What identifies a key, and from when on it signs (unix seconds). */
export interface NewSigningKey {
  readonly realm: string
  readonly purpose: KeyPurpose
  /** Counts from 1 for each realm and purpose; none is given twice. */
  readonly number: number
  readonly usedFrom: number
}

/** The first key of a new realm's certificates, used at once. @returns the event that announces it */
export function firstSigningKey(
  tx: Transaction,
  zone: Pick<AuthorityZone, 'masterKey'>,
  realm: string,
  by: KeyActor,
  now: Date,
): Promise<NewEvent> {
  const usedFrom = Math.floor(now.getTime() / 1000)
  return makeSigningKey(tx, zone, { realm, purpose: 'certificate', number: 1, usedFrom }, by, now)
}

/** Makes a key pair and keeps its private half. @returns the event that announces it, to be appended in the same transaction */
export async function makeSigningKey(
  tx: Transaction,
  { masterKey }: Pick<AuthorityZone, 'masterKey'>,
  { realm, purpose, number, usedFrom }: NewSigningKey,
  by: KeyActor,
  now: Date,
): Promise<NewEvent> {
  const kid = `${realm}-v${number}${purpose === 'text' ? 'sms' : ''}`
  const privateKey = importKey(await zoneSecret(tx, masterKey, secretName(kid), makePrivateKey))
  const madeAt = Math.floor(now.getTime() / 1000)
  const publicKey = publicHalf(privateKey)
  return event(MADE, { realm, kid, purpose, publicKey, madeAt, usedFrom, by })
}

/** A key signs until a time (unix seconds): {@link SigningKey.usedUntil}. */
export function signingKeyRetired(kid: string, usedUntil: number, by: KeyActor): NewEvent {
  return event(RETIRED, { kid, usedUntil, by })
}

/** Destroys the private half of a key. @returns the event that says so, to be appended in the same transaction */
export async function destroySigningKey(
  tx: Transaction,
  key: SigningKey,
  by: KeyActor,
  now: Date,
): Promise<NewEvent> {
  for (const name of secretNames(key)) await destroySecretVersions(tx, name, AFTER_ALL_VERSIONS)
  return event(DESTROYED, { kid: key.kid, destroyedAt: Math.floor(now.getTime() / 1000), by })
}

/** The number in a kid. */
export function numberOf({ kid }: Pick<SigningKey, 'kid'>): number {
  return Number(/-v(\d+)(?:sms)?$/.exec(kid)?.[1] ?? 0)
}

/**
 * The keys of a realm, or of all realms, those of one realm and purpose in the order in which they were made; destroyed ones,
 * too.
 *
 * @param realm null for all
 * @param purpose null for both
 */
export async function listSigningKeys(
  db: Queryable,
  realm: string | null,
  purpose: KeyPurpose | null,
): Promise<SigningKey[]> {
  const { rows } = await db.query<SigningKey>({
    name: 'list-signing-keys',
    text: `select kid, realm, purpose, public_key as "publicKey", made_at as "madeAt", used_from as "usedFrom",
             used_until as "usedUntil", destroyed_at as "destroyedAt"
           from realm_key
           where (realm = $1 or $1::text is null) and (purpose = $2 or $2::text is null)
           order by realm, purpose`,
    values: [realm, purpose],
  })
  // By number: a clock that went back gives the younger key the earlier time. The sort keeps realms and purposes together.
  return rows.toSorted((one, other) =>
    one.realm === other.realm && one.purpose === other.purpose
      ? numberOf(one) - numberOf(other)
      : 0,
  )
}

/**
 * What signs as a key: JWTs for certificates.
 *
 * @throws TocsinError see {@link loadSigningKey}
 */
export async function loadSigner(
  zone: Pick<AuthorityZone, 'db' | 'masterKey'>,
  key: SigningKey,
): Promise<JwtSigner> {
  return createJwtSigner(await loadSigningKey(zone, key), key.kid)
}

/**
 * The private half of a key.
 *
 * @throws TocsinError `signing_key_invalid` when it is gone, or isn't the one that was announced: what another one signs is accepted by nobody; `master_key_wrong`
 */
export async function loadSigningKey(
  { db, masterKey }: Pick<AuthorityZone, 'db' | 'masterKey'>,
  key: SigningKey,
): Promise<KeyObject> {
  for (const name of secretNames(key)) {
    const [version] = await secretVersions(db, masterKey, name)
    if (version === undefined) continue
    const privateKey = importKey(version.secret)
    if (publicHalf(privateKey) === key.publicKey) return privateKey
  }
  throw new TocsinError(
    'signing_key_invalid',
    `The private half of the signing key "${key.kid}" is missing: restore the zone's secrets.`,
  )
}

/** Writes the table of signing keys. */
export const signingKeyProjection: Projection = {
  types: [MADE, RETIRED, DESTROYED, REALM_ADDED],
  tables: ['realm_key'],
  async apply(tx, events) {
    for (const each of events) await applyOne(tx, each)
  },
}

async function applyOne(tx: Transaction, { type, parts }: StoredEvent): Promise<void> {
  const content = parts[0]?.content
  if (type === MADE) await insertKey(tx, content as MadeContent)
  else if (type === REALM_ADDED) {
    const { name, kid, publicKey } = content as { name: string; kid?: string; publicKey?: string }
    if (kid === undefined || publicKey === undefined) return
    const purpose = 'certificate'
    await insertKey(tx, { kid, realm: name, purpose, publicKey, madeAt: 0, usedFrom: 0 })
  } else if (type === RETIRED) {
    const { kid, usedUntil } = content as { kid: string; usedUntil: number }
    await tx.query(sql`update realm_key set used_until = ${usedUntil}::bigint where kid = ${kid}`)
  } else {
    const { kid, destroyedAt } = content as { kid: string; destroyedAt: number }
    await tx.query(
      sql`update realm_key set destroyed_at = ${destroyedAt}::bigint where kid = ${kid}`,
    )
  }
}

type MadeContent = Omit<SigningKey, 'usedUntil' | 'destroyedAt'>

async function insertKey(tx: Transaction, key: MadeContent): Promise<void> {
  await tx.query(
    sql`insert into realm_key (kid, realm, purpose, public_key, made_at, used_from)
        values (${key.kid}, ${key.realm}, ${key.purpose}, ${key.publicKey}, ${key.madeAt}::bigint, ${key.usedFrom}::bigint)`,
  )
}

function event(
  type: string,
  content: Readonly<Record<string, unknown>> & { readonly by: KeyActor },
): NewEvent {
  return { type, parts: [{ retention: 'configuration', content }] }
}

// A key has one version only.
const AFTER_ALL_VERSIONS = 2

/** Where the private half may lie. */
function secretNames({ kid, realm, purpose }: SigningKey): string[] {
  const isFirst = purpose === 'certificate' && kid === `${realm}-v1`
  // Wrapping binds a secret to its name, so that the key of an earlier version stays where it is.
  return [secretName(kid), ...(isFirst ? [`certificate key ${realm}`] : [])]
}

function secretName(kid: string): string {
  return `signing key ${kid}`
}
