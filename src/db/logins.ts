// Db: one login a zone, made by the owner; promises that neither can read the other's tables nor become the other's role.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type pg from 'pg'
import { TocsinError } from '../errors.ts'
import { unwrapSecret, wrapSecret, type MasterKey } from './secrets.ts'
import { roleOf, schemaOf, type Zone } from './zones.ts'

/** A role that may log in, with its password. */
export interface Login {
  readonly user: string
  readonly password: string
}

/**
 * Makes the login of a zone, or finds the one that was made, and grants it the zone's tables.
 *
 * The password is random and kept in `tocsin.login`, wrapped under the master key: whoever reads the table has nothing.
 *
 * @throws TocsinError `master_key_wrong` when the kept password was wrapped under another master key; `login_taken` when a
 * role has the name that isn't as an earlier Tocsin would have left it
 */
export async function ensureLogin(
  client: pg.Client,
  zone: Zone,
  masterKey: MasterKey,
): Promise<Login> {
  await client.query(
    `create table if not exists tocsin.login (zone text primary key, role_name text not null, wrapped_password bytea not null)`,
  )
  const database =
    (await client.query<{ name: string }>('select current_database() as name')).rows[0]?.name ?? ''
  const { rows } = await client.query<{ role_name: string; wrapped_password: Uint8Array }>(
    'select role_name, wrapped_password from tocsin.login where zone = $1',
    [zone],
  )
  const kept = rows[0]
  const user = kept?.role_name ?? roleOf(zone, database)
  const password =
    kept === undefined
      ? randomBytes(24).toString('base64url')
      : unwrapSecret(masterKey, `login ${zone}`, kept.wrapped_password).toString('utf8')
  if (kept === undefined) {
    await refuseForeignRole(client, user)
    await setPassword(client, user, password)
    await client.query(
      'insert into tocsin.login (zone, role_name, wrapped_password) values ($1, $2, $3)',
      [zone, user, wrapSecret(masterKey, `login ${zone}`, Buffer.from(password))],
    )
  } else if (!(await roleExists(client, user))) {
    // The database was restored on a server that does not have its roles.
    await setPassword(client, user, password)
  }
  await grantZone(client, zone, user)
  return { user, password }
}

/** Grants a zone's schema to a role, and only that: for the login that Tocsin makes and for one that the operator names. */
export async function grantZone(client: pg.Client, zone: Zone, user: string): Promise<void> {
  const role = client.escapeIdentifier(user)
  const schema = schemaOf(zone)
  await client.query(`grant usage on schema ${schema} to ${role}`)
  await client.query(
    `grant select, insert, update, delete on all tables in schema ${schema} to ${role}`,
  )
  // The log is append-only for everybody but the owner.
  await client.query(`revoke update, delete on ${schema}.event, ${schema}.checkpoint from ${role}`)
  // Time erases parts of its events; what is erased can't be changed unseen, as the leaf hashes stay.
  await client.query(`grant update (record) on ${schema}.event to ${role}`)
  await client.query(`revoke delete on ${schema}.log_head from ${role}`)
  await client.query(`grant usage on all sequences in schema ${schema} to ${role}`)
}

async function roleExists(client: pg.Client, user: string): Promise<boolean> {
  return (await client.query('select 1 from pg_roles where rolname = $1', [user])).rowCount === 1
}

/** A database that was dropped and made anew finds its logins, plain ones; any other role is somebody else's. */
async function refuseForeignRole(client: pg.Client, user: string): Promise<void> {
  // The owner is a member of the roles that it made, from PostgreSQL 16 on.
  const { rows } = await client.query<{ plain: boolean }>(
    `select rolcanlogin
       and not (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
       and not exists (select 1 from pg_auth_members where member = role.oid)
       and not exists (select 1 from pg_auth_members join pg_roles as member on member.oid = pg_auth_members.member
                       where roleid = role.oid and member.rolname <> current_user and not member.rolsuper) as plain
     from pg_roles as role where rolname = $1`,
    [user],
  )
  if (rows[0]?.plain === false)
    throw new TocsinError(
      'login_taken',
      `There is a role "${user}" already that is no plain login without memberships: drop or rename it, or name the zones' logins yourself.`,
    )
}

async function setPassword(client: pg.Client, user: string, password: string): Promise<void> {
  // Of a role that is there nothing else is changed: that would take a superuser, which an owner need not be.
  const start = (await roleExists(client, user))
    ? `alter role ${client.escapeIdentifier(user)}`
    : `create role ${client.escapeIdentifier(user)} nosuperuser nocreatedb nocreaterole`
  // The server is given the verifier, so that the password itself is in none of its logs.
  await client.query(
    `${start} login noinherit password ${client.escapeLiteral(scramVerifier(password))}`,
  )
}

/** What PostgreSQL stores of a password (RFC 5802, RFC 7677): 4,096 rounds, its own default. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  return `SCRAM-SHA-256$4096:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
