// Db: the secrets of a zone as a backup holds them, still wrapped; promises that a backup is useless without the master key's file.

import { integerArray, textArray, byteaArray } from './binary-array.ts'
import type { Queryable, Transaction } from './database.ts'
import { unwrapSecret, type MasterKey } from './secrets.ts'
import { sql } from './sql.ts'

/** A secret as it is kept. */
export interface WrappedSecret {
  readonly name: string
  readonly version: number
  /** Base64. */
  readonly wrapped: string
  /** The day on which it was made, unix seconds; null when that is not known. */
  readonly made: number | null
}

/** All secrets of a zone, as they are kept. */
export async function readWrapped(db: Queryable): Promise<WrappedSecret[]> {
  const { rows } = await db.query<{
    name: string
    version: number
    wrapped: Uint8Array
    made: number | null
  }>(sql`select name, version, wrapped, made from secret order by name, version`)
  return rows.map(({ wrapped, ...row }) => ({
    ...row,
    wrapped: Buffer.from(wrapped).toString('base64'),
  }))
}

/** @throws TocsinError `master_key_wrong` when the master key does not open one of them */
export function checkWrapped(masterKey: MasterKey, secrets: readonly WrappedSecret[]): void {
  for (const { name, wrapped } of secrets)
    unwrapSecret(masterKey, name, Buffer.from(wrapped, 'base64'))
}

/** Puts secrets back; those that are there already stay. */
export async function restoreWrapped(
  tx: Transaction,
  secrets: readonly WrappedSecret[],
): Promise<void> {
  await tx.query(
    sql`insert into secret (name, version, wrapped, made)
        select name, version, wrapped, made::bigint
        from unnest(${textArray(secrets.map(({ name }) => name))}::text[],
          ${integerArray(secrets.map(({ version }) => version))}::integer[],
          ${byteaArray(secrets.map(({ wrapped }) => Buffer.from(wrapped, 'base64')))}::bytea[],
          ${textArray(secrets.map(({ made }) => (made === null ? null : String(made))))}::text[])
          as t(name, version, wrapped, made)
        on conflict do nothing`,
  )
}
