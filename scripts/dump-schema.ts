// Script: writes test/schema.sql, the schema that the migrations make, read from the catalogs; promises the same text from every version of PostgreSQL.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { openZones } from '../src/operate/open-zones.ts'

const SCHEMAS = ['authority_zone', 'key_zone', 'tocsin']

/** Makes everything that a new deployment has in an empty database, and describes it. */
export async function dumpFreshSchema(ownerUrl: string, folder: string): Promise<string> {
  const zones = await openZones({
    ownerUrl,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: undefined,
    poolSize: 1,
    projections: { key: [], authority: [] },
    now: () => new Date(0),
  })
  await zones[Symbol.asyncDispose]()
  const client = await connectOnce(parseAddress(ownerUrl))
  try {
    return await dumpSchema(client)
  } finally {
    await client.end()
  }
}

/** Describes the tables, and whatever else there is, of Tocsin's schemas. */
export async function dumpSchema(client: pg.Client): Promise<string> {
  const pieces = [
    '-- The schema that the migrations make. Written by `npm run schema`, compared by test/migrations.test.ts: not to be edited.',
  ]
  // Without this, the catalogs' functions would leave out the schema of what happens to be on the path.
  await client.query(`set search_path = ''`)
  for (const schema of SCHEMAS) {
    pieces.push(`create schema ${schema};`)
    for (const table of await readLines(client, TABLES, schema))
      pieces.push(await describeTable(client, `${schema}.${table}`))
    pieces.push(...(await readLines(client, OTHERS, schema)))
  }
  return `${pieces.join('\n\n')}\n`
}

async function describeTable(client: pg.Client, table: string): Promise<string> {
  const columns = await readLines(client, COLUMNS, table)
  const constraints = await readLines(client, CONSTRAINTS, table)
  const indexes = await readLines(client, INDEXES, table)
  const [partitioned = ''] = await readLines(client, PARTITIONED, table)
  const partitions = await readLines(client, PARTITIONS, table)
  const inside = [...columns, ...constraints].map((line) => `  ${line}`).join(',\n')
  return [
    `create table ${table} (\n${inside}\n)${partitioned};`,
    ...[...indexes, ...partitions].map((line) => `${line};`),
  ].join('\n')
}

async function readLines(client: pg.Client, text: string, value: string): Promise<string[]> {
  return (await client.query<{ line: string }>(text, [value])).rows.map((row) => row.line)
}

const TABLES = `
  select relname as line from pg_class
  where relkind in ('r', 'p') and not relispartition and relnamespace = $1::regnamespace
  order by relname collate "C"`

const PARTITIONED = `
  select ' partition by ' || pg_get_partkeydef(oid) as line from pg_class where oid = $1::regclass and relkind = 'p'`

const PARTITIONS = `
  select format('create table %s partition of %s %s', inhrelid::regclass, $1::text, pg_get_expr(relpartbound, oid)) as line
  from pg_inherits join pg_class on oid = inhrelid where inhparent = $1::regclass
  order by relname collate "C"`

// In the order in which they were made, as the migrations read.
const COLUMNS = `
  select concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod),
           case when attnotnull then 'not null' end,
           case when attgenerated <> '' then 'generated' when adbin is not null then 'default' end,
           pg_get_expr(adbin, adrelid),
           case when attidentity <> '' then 'identity' end) as line
  from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attrelid = $1::regclass and attnum > 0 and not attisdropped
  order by attnum`

// PostgreSQL 18 lists "not null" among the constraints (contype n), earlier ones do not: it stands beside the column here.
const CONSTRAINTS = `
  select 'constraint ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid) as line
  from pg_constraint where conrelid = $1::regclass and contype <> 'n'
  order by conname collate "C"`

const INDEXES = `
  select pg_get_indexdef(indexrelid) as line
  from pg_index join pg_class on pg_class.oid = indexrelid
  where indrelid = $1::regclass
    and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
  order by relname collate "C"`

// Nothing of these so far: one that appears must be seen.
const OTHERS = `
  select line from (
    select format('-- relation of kind %s: %s', relkind, relname) as line from pg_class
      where relnamespace = $1::regnamespace and relkind not in ('r', 'p', 'i', 'I')
    union all
    select '-- function: ' || proname from pg_proc where pronamespace = $1::regnamespace
    union all
    select '-- type: ' || typname from pg_type
      where typnamespace = $1::regnamespace and typrelid = 0 and typelem = 0
    union all
    select '-- trigger: ' || pg_get_triggerdef(pg_trigger.oid) from pg_trigger
      join pg_class on pg_class.oid = tgrelid where relnamespace = $1::regnamespace and not tgisinternal
  ) as other order by line collate "C"`

async function writeSchema(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-schema-'))
  const embedded = await startEmbedded(folder)
  try {
    const text = await dumpFreshSchema(embedded.url, folder)
    await writeFile(new URL('../test/schema.sql', import.meta.url), text)
  } finally {
    await embedded.close()
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) await writeSchema()
