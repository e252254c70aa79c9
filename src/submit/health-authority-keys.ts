// Submit: the public keys of health authorities, added, revoked and reinstated; promises that each change is one event, and that what a command revoked only a command brings back.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, type LogWriter } from '../log/append-event.ts'
import type { StoredEvent } from '../log/record.ts'
import { checkKey } from './check-authority-key.ts'

/** A public key of a health authority. */
export interface HealthAuthorityKey {
  readonly kid: string
  /** SubjectPublicKeyInfo, PEM; P-256. */
  readonly publicKey: string
  /** Unix seconds. */
  readonly validFrom: number
  /** Unix seconds, exclusive; without an end when left out. */
  readonly validThrough?: number
  /** Who revoked it; left out while it counts. */
  readonly revokedBy?: 'command' | 'refresh'
  /** Whether it was fetched from the authority's address. */
  readonly fromJwks?: boolean
}

/** What a refresh changes: kids, and for those with another content than before the key itself. */
export interface KeySetChanges {
  readonly added: readonly HealthAuthorityKey[]
  readonly replaced: readonly HealthAuthorityKey[]
  readonly revoked: readonly string[]
  readonly reinstated: readonly string[]
}

const KEY_ADDED = 'authority.key_added'
const KEY_REVOKED = 'authority.key_revoked'
const KEY_REINSTATED = 'authority.key_reinstated'
const KEYS_REFRESHED = 'authority.keys'

/** The types of events that change keys. */
export const KEY_EVENTS: readonly string[] = [
  KEY_ADDED,
  KEY_REVOKED,
  KEY_REINSTATED,
  KEYS_REFRESHED,
]

/**
 * Adds a public key to a registered health authority.
 *
 * @throws TocsinError `authority_unknown`, `authority_key_exists` and `authority_key_repeated` (revoked ones included),
 * `authority_invalid`
 */
export async function addAuthorityKey(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  key: HealthAuthorityKey,
  now: Date,
): Promise<void> {
  const checked = checkKey(key)
  const name = await lockAuthority(tx, app)
  const known = (await readKeys(tx, name)).get(name) ?? []
  if (known.some(({ kid }) => kid === checked.kid))
    throw new TocsinError(
      'authority_key_exists',
      `The health authority "${name}" has a key "${checked.kid}" already: use another kid, or reinstate that one.`,
    )
  // Or a key that leaked would go on counting under the one kid when the other is revoked.
  const same = known.find(({ publicKey }) => publicKey === checked.publicKey)
  if (same !== undefined)
    throw new TocsinError(
      'authority_key_repeated',
      `The health authority "${name}" has this public key already, as "${same.kid}"${same.revokedBy === undefined ? '' : ', revoked'}: make a new key pair, or use that kid.`,
    )
  await appendChange(tx, writer, KEY_ADDED, { app: name, key: checked }, now)
}

/**
 * Revokes a public key: from now on it verifies nothing, under whatever kid the authority's address offered it as well. One
 * that a command revoked before is left as it is.
 *
 * @throws TocsinError `authority_unknown`, `authority_key_unknown`
 */
export async function revokeAuthorityKey(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  kid: string,
  now: Date,
): Promise<void> {
  const name = await lockAuthority(tx, app)
  const { publicKey } = await findKey(tx, name, kid)
  for (const each of (await readKeys(tx, name)).get(name) ?? [])
    if (each.publicKey === publicKey && each.revokedBy !== 'command')
      await appendChange(tx, writer, KEY_REVOKED, { app: name, kid: each.kid }, now)
}

/**
 * Lets a revoked public key count again. One that had vanished from the authority's address is from then on as if it had
 * been added by a command, or the next refresh would revoke it anew.
 *
 * @throws TocsinError `authority_unknown`, `authority_key_unknown`, `authority_key_not_revoked`
 */
export async function reinstateAuthorityKey(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  kid: string,
  now: Date,
): Promise<void> {
  const name = await lockAuthority(tx, app)
  const { revokedBy } = await findKey(tx, name, kid)
  if (revokedBy === undefined)
    throw new TocsinError(
      'authority_key_not_revoked',
      `The key "${kid}" of the health authority "${name}" is not revoked.`,
    )
  await appendChange(tx, writer, KEY_REINSTATED, { app: name, kid }, now)
}

/**
 * Takes over what the address of a health authority offers.
 *
 * @param plan finds what changes between the keys that are known and those that are offered
 * @returns whether something changed
 * @throws TocsinError `authority_unknown`
 */
export async function refreshAuthorityKeys(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  plan: (known: readonly HealthAuthorityKey[]) => KeySetChanges,
  now: Date,
): Promise<boolean> {
  const name = await lockAuthority(tx, app)
  const changes = plan((await readKeys(tx, name)).get(name) ?? [])
  if (Object.values(changes).every((each: readonly unknown[]) => each.length === 0)) return false
  await appendChange(tx, writer, KEYS_REFRESHED, { app: name, ...changes }, now)
  return true
}

/** Writes what follows from an event of {@link KEY_EVENTS}. */
export async function applyKeyEvent(tx: Transaction, event: StoredEvent): Promise<void> {
  const content: unknown = event.parts[0]?.content
  if (event.type === KEY_ADDED) {
    const { app, key } = content as { app: string; key: HealthAuthorityKey }
    await insertKey(tx, app, key)
  } else if (event.type === KEYS_REFRESHED) {
    await applyRefresh(tx, content as KeySetChanges & { app: string })
  } else {
    const { app, kid } = content as { app: string; kid: string }
    if (event.type === KEY_REVOKED) await setRevoked(tx, app, kid, 'command')
    else
      await tx.query(
        sql`update health_authority_key
            set from_jwks = from_jwks and revoked_by <> 'refresh', revoked_by = null
            where app = ${app} and kid = ${kid}`,
      )
  }
}

/** Stores a new key. */
export async function insertKey(
  tx: Transaction,
  app: string,
  key: HealthAuthorityKey,
  fromJwks = false,
): Promise<void> {
  await tx.query(
    sql`insert into health_authority_key (app, kid, public_key, valid_from, valid_through, from_jwks)
        values (${app}, ${key.kid}, ${key.publicKey}, ${key.validFrom}, ${key.validThrough ?? null}, ${fromJwks})`,
  )
}

/** The keys of one health authority, or of all, by app. */
export async function readKeys(
  db: Pick<Transaction, 'query'>,
  app?: string,
): Promise<Map<string, HealthAuthorityKey[]>> {
  const { rows } = await db.query<{
    app: string
    kid: string
    public_key: string
    valid_from: number
    valid_through: number | null
    from_jwks: boolean
    revoked_by: 'command' | 'refresh' | null
  }>(
    sql`select app, kid, public_key, valid_from, valid_through, from_jwks, revoked_by
        from health_authority_key where app = coalesce(${app ?? null}, app) order by app, kid`,
  )
  const keys = new Map<string, HealthAuthorityKey[]>()
  for (const row of rows)
    keys.set(row.app, [
      ...(keys.get(row.app) ?? []),
      {
        kid: row.kid,
        publicKey: row.public_key,
        validFrom: row.valid_from,
        ...(row.valid_through === null ? {} : { validThrough: row.valid_through }),
        ...(row.revoked_by === null ? {} : { revokedBy: row.revoked_by }),
        ...(row.from_jwks ? { fromJwks: true } : {}),
      },
    ])
  return keys
}

/**
 * Locks a health authority, so that its changes come one after the other: before the head, in every transaction that
 * changes one.
 *
 * @returns its app as it is stored
 * @throws TocsinError `authority_unknown`
 */
export async function lockAuthority(tx: Transaction, app: string): Promise<string> {
  const name = app.toLowerCase()
  const { rowCount } = await tx.query(
    sql`select 1 from health_authority where app = ${name} for update`,
  )
  if (rowCount === 0)
    throw new TocsinError('authority_unknown', `No health authority "${app}" is registered.`)
  return name
}

async function findKey(tx: Transaction, app: string, kid: string): Promise<HealthAuthorityKey> {
  const key = (await readKeys(tx, app)).get(app)?.find((each) => each.kid === kid)
  if (key !== undefined) return key
  throw new TocsinError(
    'authority_key_unknown',
    `The health authority "${app}" has no key "${kid}".`,
  )
}

async function appendChange(
  tx: Transaction,
  writer: LogWriter,
  type: string,
  content: unknown,
  now: Date,
): Promise<void> {
  await appendEvents(tx, writer, [{ type, parts: [{ retention: 'configuration', content }] }], now)
}

async function applyRefresh(
  tx: Transaction,
  { app, added, replaced, revoked, reinstated }: KeySetChanges & { app: string },
): Promise<void> {
  for (const key of added) await insertKey(tx, app, key, true)
  for (const { kid, publicKey, validFrom } of replaced)
    await tx.query(
      sql`update health_authority_key
          set public_key = ${publicKey}, valid_from = ${validFrom}, revoked_by = null
          where app = ${app} and kid = ${kid}`,
    )
  for (const kid of revoked) await setRevoked(tx, app, kid, 'refresh')
  for (const kid of reinstated) await setRevoked(tx, app, kid, null)
}

async function setRevoked(
  tx: Transaction,
  app: string,
  kid: string,
  revokedBy: 'command' | 'refresh' | null,
): Promise<void> {
  await tx.query(
    sql`update health_authority_key set revoked_by = ${revokedBy} where app = ${app} and kid = ${kid}`,
  )
}
