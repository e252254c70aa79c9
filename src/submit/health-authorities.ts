// Submit: the health authorities whose certificates are accepted; promises that a change reaches every process within a second.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { isUniqueViolation, type Queryable, type Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, type LogWriter } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'

/** A health authority as it is registered. */
export interface HealthAuthority {
  /** healthAuthorityID as apps send it, in lower case. */
  readonly app: string
  readonly issuer: string
  readonly audience: string
  /** Upper case, at least one. */
  readonly regions: readonly string[]
  readonly disabled: boolean
  readonly keys: readonly HealthAuthorityKey[]
}

/** A public key of a health authority. */
export interface HealthAuthorityKey {
  readonly kid: string
  /** SubjectPublicKeyInfo, PEM; P-256. */
  readonly publicKey: string
  /** Unix seconds. */
  readonly validFrom: number
  readonly validThrough?: number
}

const ADDED = 'authority.added'
const DISABLED = 'authority.disabled'
const ENABLED = 'authority.enabled'

/**
 * Registers a health authority.
 *
 * @throws TocsinError `authority_exists`, `authority_invalid` (an empty field, no region, a key that isn't P-256, a kid twice)
 */
export async function addHealthAuthority(
  tx: Transaction,
  writer: LogWriter,
  authority: Omit<HealthAuthority, 'disabled'>,
  now: Date,
): Promise<void> {
  const checked = checkAuthority(authority)
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
  const content = { app: app.toLowerCase() }
  const { rowCount } = await tx.query(
    sql`select 1 from health_authority where app = ${content.app}`,
  )
  if (rowCount === 0)
    throw new TocsinError('authority_unknown', `No health authority "${app}" is registered.`)
  await appendEvents(tx, writer, [configuration(disabled ? DISABLED : ENABLED, content)], now)
}

/** All health authorities, by their app. */
export async function listHealthAuthorities(db: Queryable): Promise<HealthAuthority[]> {
  const authorities = await db.query<{
    app: string
    issuer: string
    audience: string
    regions: string[]
    disabled: boolean
  }>(sql`select app, issuer, audience, regions, disabled from health_authority order by app`)
  const keys = await db.query<{
    app: string
    kid: string
    public_key: string
    valid_from: number
    valid_through: number | null
  }>(
    sql`select app, kid, public_key, valid_from, valid_through from health_authority_key order by app, kid`,
  )
  return authorities.rows.map((row) => ({
    ...row,
    keys: keys.rows
      .filter((key) => key.app === row.app)
      .map((key) => ({
        kid: key.kid,
        publicKey: key.public_key,
        validFrom: key.valid_from,
        ...(key.valid_through === null ? {} : { validThrough: key.valid_through }),
      })),
  }))
}

/** Writes the tables of health authorities. */
export const healthAuthorityProjection: Projection = {
  types: [ADDED, DISABLED, ENABLED],
  tables: ['health_authority', 'health_authority_key'],
  async apply(tx, events) {
    // Rare, and each may concern the one before: one after the other.
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, event: StoredEvent): Promise<void> {
  const content = event.parts[0]?.content as Omit<HealthAuthority, 'disabled'>
  if (event.type !== ADDED) {
    const disabled = event.type === DISABLED
    await tx.query(
      sql`update health_authority set disabled = ${disabled} where app = ${content.app}`,
    )
    return
  }
  await tx.query(
    sql`insert into health_authority (app, issuer, audience, regions)
        values (${content.app}, ${content.issuer}, ${content.audience}, ${content.regions})`,
  )
  for (const key of content.keys)
    await tx.query(
      sql`insert into health_authority_key (app, kid, public_key, valid_from, valid_through)
          values (${content.app}, ${key.kid}, ${key.publicKey}, ${key.validFrom}, ${key.validThrough ?? null})`,
    )
}

/** A health authority whose keys are ready to verify with. */
export interface TrustedAuthority extends HealthAuthority {
  readonly verificationKeys: ReadonlyMap<string, VerificationKey>
}

/** A public key of a health authority, imported. */
export interface VerificationKey extends HealthAuthorityKey {
  readonly key: KeyObject
}

/** Gives the health authority of an app, or undefined. */
export type FindAuthority = (app: string) => Promise<TrustedAuthority | undefined>

/** How long a process may go on with what it has read, in milliseconds: well under the second that is promised. */
const CACHE_MS = 500

/**
 * Health authorities from memory; read again when the log says that the configuration changed.
 *
 * @param monotonicMs a clock that never goes back, in milliseconds
 */
export function createAuthorityCache(db: Queryable, monotonicMs: () => number): FindAuthority {
  let known = new Map<string, TrustedAuthority>()
  let configurationSeq = -1
  let checkedAt = -Infinity
  let checking: Promise<void> | undefined
  const refresh = async () => {
    // What is read is as old as the moment before it was asked for.
    const askedAt = monotonicMs()
    const head = await db.query<{ configuration_seq: number }>(
      sql`select configuration_seq from log_head`,
    )
    const latest = head.rows[0]?.configuration_seq ?? 0
    if (latest !== configurationSeq) {
      const authorities = (await listHealthAuthorities(db)).map(importKeys)
      known = new Map(authorities.map((authority) => [authority.app, authority]))
      configurationSeq = latest
    }
    checkedAt = askedAt
  }
  return async (app) => {
    if (monotonicMs() - checkedAt > CACHE_MS) {
      checking ??= refresh().finally(() => (checking = undefined))
      await checking
    }
    return known.get(app.toLowerCase())
  }
}

function importKeys(authority: HealthAuthority): TrustedAuthority {
  const entries = authority.keys.map(
    (key) => [key.kid, { ...key, key: createPublicKey(key.publicKey) }] as const,
  )
  return { ...authority, verificationKeys: new Map(entries) }
}

function configuration(type: string, content: unknown): NewEvent {
  return { type, parts: [{ retention: 'configuration', content }] }
}

function checkAuthority(
  authority: Omit<HealthAuthority, 'disabled'>,
): Omit<HealthAuthority, 'disabled'> {
  const refuse = (sentence: string): never => {
    throw new TocsinError('authority_invalid', sentence)
  }
  for (const field of ['app', 'issuer', 'audience'] as const)
    if (!/^[\x21-\x7e]{1,200}$/.test(authority[field]))
      refuse(`The ${field} must be 1 to 200 printable characters without spaces.`)
  if (authority.regions.length === 0) refuse('At least one region is needed.')
  for (const region of authority.regions)
    if (!/^[A-Za-z0-9-]{1,10}$/.test(region))
      refuse(`"${region}" is no region: 1 to 10 letters, digits or hyphens.`)
  if (new Set(authority.keys.map((key) => key.kid)).size < authority.keys.length)
    refuse('Each public key needs a kid of its own.')
  return {
    app: authority.app.toLowerCase(),
    issuer: authority.issuer,
    audience: authority.audience,
    regions: [...new Set(authority.regions.map((region) => region.toUpperCase()))],
    keys: authority.keys.map((key) => checkKey(key, refuse)),
  }
}

function checkKey(
  key: HealthAuthorityKey,
  refuse: (sentence: string) => never,
): HealthAuthorityKey {
  const { kid, validFrom, validThrough } = key
  if (!/^[\x21-\x7e]{1,200}$/.test(kid))
    refuse('The kid must be 1 to 200 printable characters without spaces.')
  if (!isTime(validFrom) || !(validThrough === undefined || isTime(validThrough)))
    refuse(`The validity of the public key "${kid}" must be whole seconds since 1970.`)
  if (validThrough !== undefined && validThrough <= validFrom)
    refuse(`The validity of the public key "${kid}" must end after it begins.`)
  const publicKey = canonicalP256(key.publicKey)
  if (publicKey === undefined)
    return refuse(`The public key "${kid}" must be a P-256 key as PEM ("BEGIN PUBLIC KEY").`)
  return { kid, publicKey, validFrom, ...(validThrough === undefined ? {} : { validThrough }) }
}

function isTime(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && seconds >= 0
}

/** The public key alone, written anew: what stands around it in a file has no place in the log. */
function canonicalP256(pem: string): string | undefined {
  try {
    if (!pem.includes('BEGIN PUBLIC KEY') || pem.includes('PRIVATE')) return undefined
    const key = createPublicKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
      ? key.export({ type: 'spki', format: 'pem' }).toString()
      : undefined
  } catch {
    return undefined
  }
}
