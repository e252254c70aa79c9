// Authorize: HMACs of what must not be stored, under peppers that are replaced; promises that a row's HMAC can be made again for as long as the row is there, and by nobody without the master key.

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { encode } from 'cborg'
import type { Database, Queryable } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import { sql } from '../db/sql.ts'
import {
  addSecretVersion,
  destroySecretVersions,
  secretVersions,
  zoneSecret,
  type SecretVersion,
} from '../db/zone-secrets.ts'

/** What is looked up or recognised by its HMAC alone. */
export type MacPurpose = 'api key' | 'code' | 'keys' | 'nonce' | 'phone'

type MacValue = string | Uint8Array

/** The peppers that are live at a moment. HMAC-SHA256, 32 bytes, bound to the purpose. */
export interface Peppers {
  /** The version for what is stored from now on. */
  readonly version: number
  /** The HMAC under one version. @throws Error when it is destroyed: no row has it */
  under(version: number, purpose: MacPurpose, ...values: readonly MacValue[]): Uint8Array
  /** Under each version: one of these a row has. */
  every(purpose: MacPurpose, ...values: readonly MacValue[]): Uint8Array[]
}

const PEPPER = 'pepper'

/** Days after which a pepper is replaced. */
const ROTATION_DAYS = 30
/** How old what is known of them may be, in seconds. A new one is used from the day after it was made: by then every process has it. */
const FRESH_SECONDS = 3600

const DAY = 86_400

/** Gives the peppers that are live. */
export type OpenPeppers = () => Promise<Peppers>

/** Peppers from memory, read again every hour; the first is made when there is none. */
export function createPeppers(db: Queryable, masterKey: MasterKey, now: () => Date): OpenPeppers {
  let known: { readonly peppers: Peppers; readonly readAt: number } | undefined
  return async () => {
    const seconds = Math.floor(now().getTime() / 1000)
    // A clock that went back makes them no older.
    if (known === undefined || Math.abs(seconds - known.readAt) > FRESH_SECONDS)
      known = { peppers: await readPeppers(db, masterKey, now()), readAt: seconds }
    return known.peppers
  }
}

/** The peppers as they are stored; makes the first when there is none. */
export async function readPeppers(
  db: Queryable,
  masterKey: MasterKey,
  now: Date,
): Promise<Peppers> {
  await zoneSecret(db, masterKey, PEPPER)
  const versions = await secretVersions(db, masterKey, PEPPER)
  // From bytes, Node.js would make a key anew for each HMAC, which takes three times as long as the HMAC.
  const secrets = new Map(
    versions.map(({ version, secret }) => [version, createSecretKey(secret)] as const),
  )
  const today = Math.floor(now.getTime() / 1000 / DAY) * DAY
  const used = versions.findLast(({ made }) => made < today) ?? versions[0]
  const macUnder = (secret: KeyObject, meaning: readonly MacValue[]) =>
    // CBOR says where one value ends and the next begins.
    createHmac('sha256', secret).update(encode(meaning)).digest()
  return {
    version: used?.version ?? 1,
    under(version, ...meaning) {
      const secret = secrets.get(version)
      if (secret === undefined) throw new Error(`pepper ${version} is destroyed`)
      return macUnder(secret, meaning)
    },
    every: (...meaning) => [...secrets.values()].map((secret) => macUnder(secret, meaning)),
  }
}

/** Makes the next pepper when its time has come, and destroys those that no row needs. */
export async function rotatePeppers(db: Database, masterKey: MasterKey, now: Date): Promise<void> {
  await zoneSecret(db, masterKey, PEPPER)
  const versions = await secretVersions(db, masterKey, PEPPER)
  const newest = versions.at(-1) as SecretVersion
  const seconds = Math.floor(now.getTime() / 1000)
  if (seconds - newest.made >= ROTATION_DAYS * DAY)
    await addSecretVersion(db, masterKey, PEPPER, newest.version, now)
  // What is about to be stored under the one before is not there yet.
  if (versions.length < 2 || seconds - newest.made < 2 * DAY) return
  const { rows } = await db.query<{ oldest: number | null }>(
    sql`select least((select min(pepper) from verification_code), (select min(pepper) from api_key where not revoked and coalesce(expires_at > ${seconds}::bigint, true)),
                     (select min(pepper) from user_report)) as oldest`,
  )
  await destroySecretVersions(db, PEPPER, Math.min(rows[0]?.oldest ?? Infinity, newest.version))
}
