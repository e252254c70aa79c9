// Db: the two zones and their names in PostgreSQL; promises one schema and one login for each.

import { createHash } from 'node:crypto'

/** Which half of the service: the one that knows keys, or the one that knows staff and codes. */
export type Zone = 'key' | 'authority'

/** Both, in the order in which they are migrated. */
export const ZONES: readonly Zone[] = ['key', 'authority']

/** The schema that holds a zone's tables. */
export function schemaOf(zone: Zone): string {
  return `${zone}_zone`
}

/** The role name of a zone's login: from the database's name, since roles belong to the whole server (63 bytes at the most). */
export function roleOf(zone: Zone, database: string): string {
  const role = `${database}_${zone}`
  if (Buffer.byteLength(role) <= 63) return role
  const digest = createHash('sha256').update(database).digest('hex').slice(0, 16)
  // Nine characters, since one may have four bytes.
  return `${Array.from(database).slice(0, 9).join('')}_${digest}_${zone}`
}
