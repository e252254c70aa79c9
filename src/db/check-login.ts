// Db: what is asked of a zone's login that the operator made; promises to refuse one with which a zone would reach more than its own.

import type pg from 'pg'
import { TocsinError } from '../errors.ts'
import { connectOnce, type Address } from './database.ts'
import { schemaOf, ZONES, type Zone } from './zones.ts'

/** The role that an address logs in as, as PostgreSQL itself names it: one role has many spellings in a URL. */
export async function roleAt(address: Address): Promise<string> {
  const client = await connectOnce(address)
  try {
    const { rows } = await client.query<{ name: string }>('select current_user as name')
    return rows[0]?.name ?? ''
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * Checks one zone's login against the owner and the other zone.
 *
 * @param client the owner's connection
 * @param roles the logins of both zones
 * @throws TocsinError `configuration_invalid`
 */
export async function checkLogin(
  client: pg.Client,
  zone: Zone,
  roles: Readonly<Record<Zone, string>>,
): Promise<void> {
  const other = ZONES.find((each) => each !== zone) ?? zone
  const { rows } = await client.query<Reach>(
    `select rolsuper or rolcreaterole as administers,
            pg_has_role(rolname, current_user, 'member') as is_owner,
            pg_has_role(rolname, $2::name, 'member') as is_other,
            has_schema_privilege(rolname, $3, 'usage') or has_schema_privilege(rolname, 'tocsin', 'usage') as sees_more
     from pg_roles where rolname = $1`,
    [roles[zone], roles[other], schemaOf(other)],
  )
  const problem = problemOf(rows[0], other)
  if (problem !== undefined)
    throw new TocsinError(
      'configuration_invalid',
      `The login "${roles[zone]}", which TOCSIN_${zone.toUpperCase()}_DATABASE_URL names, ${problem}.`,
    )
}

interface Reach {
  readonly administers: boolean
  readonly is_owner: boolean
  readonly is_other: boolean
  readonly sees_more: boolean
}

function problemOf(reach: Reach | undefined, other: Zone): string | undefined {
  if (reach === undefined) return 'is no role of the server of TOCSIN_DATABASE_URL'
  if (reach.administers) return 'is a superuser or makes roles: give the zone a plain login'
  if (reach.is_owner)
    return "is the owner's or a member of it: give the zone a login of its own, other than that of TOCSIN_DATABASE_URL"
  if (reach.is_other)
    return `is the ${other} zone's as well or a member of it: give each zone a login of its own`
  if (reach.sees_more)
    return `may use the schema ${schemaOf(other)} or tocsin: revoke that, or name another login`
  return undefined
}
