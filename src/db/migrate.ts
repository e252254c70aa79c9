// Db: numbered SQL files applied once each, forward only; promises that twenty processes may do it at once.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'
import { TocsinError } from '../errors.ts'
import { connectOnce, type Address } from './database.ts'
import { schemaOf, ZONES, type Zone } from './zones.ts'

const FOLDER = new URL('../../migrations/', import.meta.url)
const NAME = /^(\d{4})-([a-z0-9-]+)\.(both|key|authority)\.sql$/

/** One migration file: `NNNN-what.(both|key|authority).sql`; the last part says in which zones' schemas it runs. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly zones: readonly Zone[]
  readonly text: string
  readonly digest: string
}

/** The migrations that this version brings, or those of another folder, in order. */
export async function readMigrations(folder: URL = FOLDER): Promise<Migration[]> {
  const migrations: Migration[] = []
  for (const file of (await readdir(folder)).filter((each) => each.endsWith('.sql')).sort()) {
    const match = NAME.exec(file)
    // Passed over, a misspelt one would be missed on the day that its table is.
    if (match === null) throw new Error(`${file} is not named like a migration`)
    const text = await readFile(new URL(file, folder), 'utf8')
    migrations.push({
      number: Number(match[1]),
      name: file,
      zones: match[3] === 'both' ? ZONES : [match[3] as Zone],
      text,
      digest: createHash('sha256').update(text).digest('hex'),
    })
  }
  return migrations
}

/**
 * Brings the schema to this version, then runs `after` (for what is made once, such as logins).
 *
 * Each migration is one transaction, in both zones and with its rows in `tocsin.migration`: a crash leaves it done or not
 * begun. So is `after`. Each of them first locks that table, which no zone's login can reach, so that one process at a
 * time does it; the others then find it done. An advisory lock would be anybody's to take.
 *
 * @param owner the owner's login, not a zone's
 * @param brought the migrations of this version
 * @throws TocsinError `schema_newer` when the database was migrated by a later version; `schema_changed` when a migration
 * that was applied isn't the one that this version brings
 */
export async function migrate<Result>(
  owner: Address,
  after: (client: pg.Client) => Promise<Result>,
  brought?: readonly Migration[],
): Promise<Result> {
  const migrations = brought ?? (await readMigrations())
  const client = await connectOnce(owner)
  try {
    await client.query(MAKE_TABLE)
    for (;;) {
      const done = await underLock(client, async () => {
        const pending = await findPending(client, migrations)
        if (pending === undefined) return { result: await after(client) }
        await applyOne(client, pending)
        return undefined
      })
      if (done !== undefined) return done.result
    }
  } finally {
    // Ending the session gives the lock back, whatever happened.
    await client.end().catch(() => undefined)
  }
}

// What is locked must be there first. Of several that make it at once, the others wait for the first, and then find it made.
const MAKE_TABLE = `do $$ begin
  if to_regclass('tocsin.migration') is null then
    create schema if not exists tocsin;
    create table if not exists tocsin.migration (
      number integer not null, zone text not null, name text not null, digest text not null,
      primary key (number, zone));
  end if;
exception when unique_violation or duplicate_schema or duplicate_table then null;
end $$`

async function underLock<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin')
  try {
    await client.query('lock table tocsin.migration in exclusive mode')
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** The first migration that isn't applied yet. */
async function findPending(
  client: pg.Client,
  migrations: readonly Migration[],
): Promise<Migration | undefined> {
  const { rows } = await client.query<{ number: number; zone: Zone; digest: string }>(
    'select number, zone, digest from tocsin.migration',
  )
  const applied = new Map(rows.map((row) => [`${row.number} ${row.zone}`, row.digest]))
  const known = new Set(migrations.map((migration) => migration.number))
  for (const row of rows)
    if (!known.has(row.number))
      throw new TocsinError(
        'schema_newer',
        `The database has migration ${row.number}, which this version does not know: run the newer version.`,
      )
  for (const migration of migrations) {
    const digests = migration.zones.map((zone) => applied.get(`${migration.number} ${zone}`))
    if (digests.some((digest) => digest !== undefined && digest !== migration.digest))
      throw new TocsinError(
        'schema_changed',
        `Migration ${migration.name} was applied in another form: restore the file, and put the change in a new one.`,
      )
    if (digests.includes(undefined)) return migration
  }
  return undefined
}

async function applyOne(client: pg.Client, migration: Migration): Promise<void> {
  for (const zone of migration.zones) {
    const schema = schemaOf(zone)
    await client.query(`create schema if not exists ${schema}`)
    await client.query(`set local search_path = ${schema}`)
    await client.query(migration.text)
    await client.query(
      'insert into tocsin.migration (number, zone, name, digest) values ($1, $2, $3, $4)',
      [migration.number, zone, migration.name, migration.digest],
    )
  }
}
