// Db: a zone's own secrets, made once and kept wrapped; promises that all processes of a zone use the same.

import { randomBytes } from 'node:crypto'
import type { Queryable } from './database.ts'
import { unwrapSecret, wrapSecret, type MasterKey } from './secrets.ts'
import { sql } from './sql.ts'

/** The newest version of a secret; made (32 random bytes, or what `make` gives) when there is none. */
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
