// Submit: the health authorities whose certificates are accepted; promises that whatever is registered was checked, and that their tables follow from events.

import type { KeyObject } from 'node:crypto'
import { isUniqueViolation } from '../db/database-errors.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, type LogWriter } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { checkKey } from './check-authority-key.ts'
import {
  applyKeyEvent,
  insertKey,
  KEY_EVENTS,
  lockAuthority,
  readKeys,
  type HealthAuthorityKey,
} from './health-authority-keys.ts'

/** A health authority as it is registered. */
export interface HealthAuthority {
  /** healthAuthorityID as apps send it, in lower case. */
  readonly app: string
  readonly issuer: string
  readonly audience: string
  /** Upper case; none for one that has the default region. */
  readonly regions: readonly string[]
  /** Where its public keys are fetched from. */
  readonly jwksUrl?: string
  readonly disabled: boolean
  readonly keys: readonly HealthAuthorityKey[]
}

/** A health authority whose keys are ready to verify with. */
export interface TrustedAuthority extends HealthAuthority {
  /** By kid. Revoked ones are not among them; those that have ended are, as what they vouched for may be asked again. */
  readonly verificationKeys: ReadonlyMap<string, VerificationKey>
}

/** A public key of a health authority, imported. */
export interface VerificationKey extends HealthAuthorityKey {
  readonly key: KeyObject
}

/** Gives the health authority of an app, or undefined. @throws TocsinError `unavailable` */
export type FindAuthority = (app: string) => Promise<TrustedAuthority | undefined>

const ADDED = 'authority.added'
const DISABLED = 'authority.disabled'
const ENABLED = 'authority.enabled'
const JWKS_CHANGED = 'authority.jwks_changed'

/**
 * Registers a health authority.
 *
 * @param defaultRegion what one without regions has; without it, at least one is needed
 * @throws TocsinError `authority_exists`, `authority_invalid` (an empty field, no region, a key that isn't P-256, a kid twice,
 * an address for its keys that isn't https)
 */
export async function addHealthAuthority(
  tx: Transaction,
  writer: LogWriter,
  authority: Omit<HealthAuthority, 'disabled'>,
  now: Date,
  defaultRegion?: string,
): Promise<void> {
  const checked = checkAuthority(authority, defaultRegion)
  const exists = new TocsinError(
    'authority_exists',
    `A health authority "${checked.app}" is registered already.`,
  )
  const { rowCount } = await tx.query(
    sql`select 1 from health_authority where app = ${checked.app}`,
  )
  if (rowCount !== 0) throw exists
  try {
    await appendEvents(tx, writer, [configuration(ADDED, checked)], now)
  } catch (error) {
    // Somebody else registered it since.
    throw isUniqueViolation(error) ? exists : error
  }
}

/**
 * Refuses the certificates of a health authority from now on, or accepts them again.
 *
 * @throws TocsinError `authority_unknown`
 */
export async function setHealthAuthorityDisabled(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  disabled: boolean,
  now: Date,
): Promise<void> {
  const content = { app: await lockAuthority(tx, app) }
  await appendEvents(tx, writer, [configuration(disabled ? DISABLED : ENABLED, content)], now)
}

/**
 * Changes where the public keys of a health authority are fetched from. The keys that are there stay; at a new address's first
 * answer those that an earlier one gave and this one does not are revoked.
 *
 * @param url undefined removes the address. One that is there already is left as it is
 * @throws TocsinError `authority_unknown`, `authority_invalid` (an address that isn't https)
 */
export async function setJwksUrl(
  tx: Transaction,
  writer: LogWriter,
  app: string,
  url: string | undefined,
  now: Date,
): Promise<void> {
  const address = url === undefined ? {} : { jwksUrl: checkJwksUrl(url) }
  const name = await lockAuthority(tx, app)
  const { rowCount } = await tx.query(
    sql`select 1 from health_authority where app = ${name} and jwks_url is not distinct from ${url ?? null}`,
  )
  if (rowCount !== 0) return
  await appendEvents(tx, writer, [configuration(JWKS_CHANGED, { app: name, ...address })], now)
}

/** Whether keys are fetched from this address; while they are, nobody else changes it in the time of the transaction. */
export async function lockJwksUrl(tx: Transaction, app: string, url: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    sql`select 1 from health_authority where app = ${app} and jwks_url = ${url} for update`,
  )
  return rowCount !== 0
}

/** All health authorities, by their app. */
export async function listHealthAuthorities(db: Queryable): Promise<HealthAuthority[]> {
  const authorities = await db.query<{
    app: string
    issuer: string
    audience: string
    regions: string[]
    jwks_url: string | null
    disabled: boolean
  }>(
    sql`select app, issuer, audience, regions, jwks_url, disabled from health_authority order by app`,
  )
  const keys = await readKeys(db)
  return authorities.rows.map(({ jwks_url, ...row }) => ({
    ...row,
    ...(jwks_url === null ? {} : { jwksUrl: jwks_url }),
    keys: keys.get(row.app) ?? [],
  }))
}

/** Writes the tables of health authorities. */
export const healthAuthorityProjection: Projection = {
  types: [ADDED, DISABLED, ENABLED, JWKS_CHANGED, ...KEY_EVENTS],
  tables: ['health_authority', 'health_authority_key'],
  async apply(tx, events) {
    // Rare, and each may concern the one before: one after the other.
    for (const event of events)
      await (KEY_EVENTS.includes(event.type) ? applyKeyEvent(tx, event) : applyOne(tx, event))
  },
}

async function applyOne(tx: Transaction, event: StoredEvent): Promise<void> {
  const content = event.parts[0]?.content as Omit<HealthAuthority, 'disabled'>
  const { app, jwksUrl = null } = content
  if (event.type === JWKS_CHANGED) {
    await tx.query(sql`update health_authority set jwks_url = ${jwksUrl} where app = ${app}`)
    return
  }
  if (event.type !== ADDED) {
    const disabled = event.type === DISABLED
    await tx.query(sql`update health_authority set disabled = ${disabled} where app = ${app}`)
    return
  }
  await tx.query(
    sql`insert into health_authority (app, issuer, audience, regions, jwks_url)
        values (${app}, ${content.issuer}, ${content.audience}, ${content.regions}, ${jwksUrl})`,
  )
  for (const key of content.keys) await insertKey(tx, app, key)
}

function configuration(type: string, content: unknown): NewEvent {
  return { type, parts: [{ retention: 'configuration', content }] }
}

function checkAuthority(
  authority: Omit<HealthAuthority, 'disabled'>,
  defaultRegion: string | undefined,
): Omit<HealthAuthority, 'disabled'> {
  const refuse = (sentence: string) => new TocsinError('authority_invalid', sentence)
  for (const field of ['app', 'issuer', 'audience'] as const)
    if (!/^[\x21-\x7e]{1,200}$/.test(authority[field]))
      throw refuse(`The ${field} must be 1 to 200 printable characters without spaces.`)
  if (authority.regions.length === 0 && defaultRegion === undefined)
    throw refuse('At least one region is needed, or TOCSIN_DEFAULT_REGION.')
  for (const region of authority.regions)
    if (!/^[A-Za-z0-9-]{1,10}$/.test(region))
      throw refuse(`"${region}" is no region: 1 to 10 letters, digits or hyphens.`)
  if (new Set(authority.keys.map((key) => key.kid)).size < authority.keys.length)
    throw refuse('Each public key needs a kid of its own.')
  return {
    app: authority.app.toLowerCase(),
    issuer: authority.issuer,
    audience: authority.audience,
    regions: [...new Set(authority.regions.map((region) => region.toUpperCase()))],
    ...(authority.jwksUrl === undefined ? {} : { jwksUrl: checkJwksUrl(authority.jwksUrl) }),
    keys: authority.keys.map(checkKey),
  }
}

function checkJwksUrl(url: string): string {
  if (isJwksUrl(url)) return url
  throw new TocsinError(
    'authority_invalid',
    "The address of the public keys must begin with https:// and hold no user name, password or fragment; http:// is for this machine's own addresses alone.",
  )
}

/** Whether public keys may be fetched from there: nobody on the way may change them. */
function isJwksUrl(text: string): boolean {
  if (!/^[\x21-\x7e]{1,2000}$/.test(text) || !URL.canParse(text)) return false
  const { protocol, hostname, username, password, hash } = new URL(text)
  const isLocal = hostname === '127.0.0.1' || hostname === 'localhost'
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLocal)
  return isSafe && username === '' && password === '' && hash === ''
}
