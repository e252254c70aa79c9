// Db: a zone's own secrets, kept wrapped; promises that all processes of a zone use the same, also when two make one at once.

import { randomBytes } from 'node:crypto'
import type { Queryable } from './database.ts'
import { unwrapSecret, wrapSecret, type MasterKey } from './secrets.ts'
import { sql } from './sql.ts'

/** The newest version of a secret that is made once; made (32 random bytes, or what `make` gives) when there is none. */
export async function zoneSecret(
  db: Queryable,
  masterKey: MasterKey,
  name: string,
  make: () => Uint8Array = () => randomBytes(32),
): Promise<Uint8Array> {
  const read = async () =>
    (
      await db.query<{ wrapped: Uint8Array }>(
        sql`select wrapped from secret where name = ${name} order by version desc limit 1`,
      )
    ).rows[0]?.wrapped
  const kept = await read()
  if (kept !== undefined) return unwrapSecret(masterKey, name, kept)
  // Two processes may both come here: the first row stays, and both read it.
  const wrapped = wrapSecret(masterKey, name, make())
  await db.query(
    sql`insert into secret (name, version, wrapped) values (${name}, 1, ${wrapped}) on conflict do nothing`,
  )
  return unwrapSecret(masterKey, name, (await read()) ?? wrapped)
}

/** One version of a secret that is replaced from time to time. */
export interface SecretVersion {
  /** Counts from 1; the newest has the highest. */
  readonly version: number
  /** 32 bytes, or what was made instead. */
  readonly secret: Uint8Array
  /** The beginning of the day on which it was made, unix seconds; 0 when that is not known. */
  readonly made: number
}

/**
 * All versions of a secret that are not destroyed, the newest last.
 *
 * @throws TocsinError `master_key_wrong`, `unavailable`
 */
export async function secretVersions(
  db: Queryable,
  masterKey: MasterKey,
  name: string,
): Promise<SecretVersion[]> {
  const { rows } = await db.query<{ version: number; wrapped: Uint8Array; made: number | null }>(
    sql`select version, wrapped, made from secret where name = ${name} order by version`,
  )
  return rows.map(({ version, wrapped, made }) => ({
    version,
    // A copy: what is handed to a thread brings the whole of the memory that it lies in.
    secret: Uint8Array.from(unwrapSecret(masterKey, name, wrapped)),
    made: made ?? 0,
  }))
}

/** Makes the version that follows `newest` (0 when there is none; 32 random bytes, or what `make` gives), unless another process has made it by now. */
export async function addSecretVersion(
  db: Queryable,
  masterKey: MasterKey,
  name: string,
  newest: number,
  now: Date,
  make: () => Uint8Array = () => randomBytes(32),
): Promise<void> {
  const wrapped = wrapSecret(masterKey, name, make())
  const made = Math.floor(now.getTime() / 86_400_000) * 86_400
  // A process that was held up since it read `newest` must not bring back a number that was destroyed.
  await db.query(
    sql`insert into secret (name, version, wrapped, made)
        select ${name}::text, ${newest + 1}::integer, ${wrapped}::bytea, ${made}::bigint
        where not exists (select 1 from secret where name = ${name} and version > ${newest})
        on conflict do nothing`,
  )
}

/** Destroys the versions of a secret that are older than `oldest`. */
export async function destroySecretVersions(
  db: Queryable,
  name: string,
  oldest: number,
): Promise<void> {
  await db.query(sql`delete from secret where name = ${name} and version < ${oldest}`)
}
