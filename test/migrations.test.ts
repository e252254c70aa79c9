// Test: migrations; promises that twenty processes may start at once, that a failure leaves nothing, and that the schema is the committed one.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { dumpFreshSchema } from '../scripts/dump-schema.ts'
import { parseAddress } from '../src/db/database.ts'
import { migrate, readMigrations, type Migration } from '../src/db/migrate.ts'
import { ZONES, type Zone } from '../src/db/zones.ts'
import { emptyDatabaseTest, type TestDatabase } from './database.ts'
import { startSubmitting } from './submitting-process.ts'
import { asOwner } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const committed = () => readFile(new URL('schema.sql', import.meta.url), 'utf8')
const migrateIn = (db: TestDatabase, brought?: readonly Migration[]) =>
  migrate(parseAddress(db.url), async () => undefined, brought)

/** A migration that this version does not bring. */
function makeMigration(text: string, zones: readonly Zone[] = ZONES, number = 9000): Migration {
  const digest = createHash('sha256').update(text).digest('hex')
  return { number, name: `${number}-test.both.sql`, zones, text, digest }
}

/** Everything that a migration could leave: tables, and what is recorded. */
async function traces(db: TestDatabase): Promise<string[]> {
  const rows = await asOwner(db, [
    `select format('%s.%s', table_schema, table_name) as line from information_schema.tables
       where table_schema in ('key_zone', 'authority_zone', 'tocsin')
     union all select format('%s %s %s %s', number, zone, name, digest) from tocsin.migration order by line`,
  ])
  return rows.map((row) => String(row['line']))
}

test('migrations are numbered from 1 without gap, each number once', async () => {
  const migrations = await readMigrations()
  assert.deepEqual(
    migrations.map((migration) => migration.number),
    migrations.map((_, index) => index + 1),
  )
})

test('a file that is not named like a migration is refused, not passed over', async (t) => {
  const folder = await temporaryFolder(t)
  const url = pathToFileURL(`${folder}/`)
  await writeFile(join(folder, '0001-first.both.sql'), 'select 1;')
  await writeFile(join(folder, 'README.md'), 'not SQL')
  assert.deepEqual(
    (await readMigrations(url)).map((each) => each.zones),
    [ZONES],
  )
  for (const name of ['0002-second.sql', '2-second.key.sql', '0002-second.keys.sql']) {
    await writeFile(join(folder, name), 'select 1;')
    await assert.rejects(readMigrations(url), /is not named like a migration/, name)
  }
})

emptyDatabaseTest(
  'the schema is the committed one: after a change run `npm run schema`',
  async (db, t) => {
    assert.equal(await dumpFreshSchema(db.url, await temporaryFolder(t)), await committed())
  },
)

emptyDatabaseTest(
  'twenty that start at once on an empty database all succeed, four of them in processes of their own',
  async (db, t) => {
    const folder = await temporaryFolder(t)
    const processes = Array.from({ length: 4 }, () => startSubmitting(db.url, folder))
    const inHere = Array.from({ length: 16 }, () => dumpFreshSchema(db.url, folder))
    const [dumps, started] = await Promise.all([Promise.all(inHere), Promise.all(processes)])
    await Promise.all(started.map((process) => process.kill()))
    const expected = await committed()
    for (const dump of dumps) assert.equal(dump, expected)
    const once = await asOwner(db, [
      `select (select count(*) from tocsin.deployment) as deployments,
            (select count(*) from tocsin.login) as logins,
            (select count(*) from tocsin.migration) as migrations,
            (select count(*) from key_zone.event) as key_events,
            (select count(*) from authority_zone.event) as authority_events,
            (select count(*) from key_zone.secret) as secrets`,
    ])
    const migrations = (await readMigrations()).flatMap((migration) => migration.zones).length
    assert.deepEqual(once, [
      { deployments: 1, logins: 2, migrations, key_events: 1, authority_events: 1, secrets: 3 },
    ])
  },
)

emptyDatabaseTest('twenty that bring a new migration at once apply it once', async (db) => {
  await migrateIn(db)
  const added = makeMigration('create table added (n integer); insert into added values (1);')
  const brought = [...(await readMigrations()), added]
  await Promise.all(Array.from({ length: 20 }, () => migrateIn(db, brought)))
  const rows = await asOwner(db, [
    'select n from key_zone.added union all select n from authority_zone.added',
  ])
  assert.deepEqual(rows, [{ n: 1 }, { n: 1 }])
})

emptyDatabaseTest('a database of a later version is refused, and stays as it was', async (db) => {
  const known = await readMigrations()
  await migrateIn(db, [...known, makeMigration('create table later ();')])
  const before = await traces(db)
  await assert.rejects(migrateIn(db), { code: 'schema_newer', message: /migration 9000/ })
  assert.deepEqual(await traces(db), before)
})

emptyDatabaseTest(
  'a migration that was applied and changed since is refused, and nothing is applied',
  async (db) => {
    const known = await readMigrations()
    await migrateIn(db, [...known, makeMigration('create table one ();')])
    const before = await traces(db)
    const changed = makeMigration('create table one (n integer);')
    const another = makeMigration('create table two ();', ZONES, 9001)
    await assert.rejects(migrateIn(db, [...known, changed, another]), {
      code: 'schema_changed',
      message: /9000-test\.both\.sql was applied in another form/,
    })
    assert.deepEqual(await traces(db), before)
  },
)

emptyDatabaseTest(
  'a migration that fails half way leaves nothing, in neither zone, and those before it stay',
  async (db) => {
    const known = await readMigrations()
    await migrateIn(db, known)
    const before = await traces(db)
    const failing = [
      'create table half (n integer); select 1 / 0;',
      `create table half (n integer);
     do $$ begin if current_schema() = 'authority_zone' then raise division_by_zero; end if; end $$;`,
    ]
    for (const text of failing) {
      await assert.rejects(migrateIn(db, [...known, makeMigration(text)]), { code: '22012' })
      assert.deepEqual(await traces(db), before)
    }
    // The mended one, under the same number.
    await migrateIn(db, [...known, makeMigration('create table whole (n integer);')])
    assert.equal((await traces(db)).filter((line) => line.endsWith('.whole')).length, 2)
  },
)

emptyDatabaseTest('migrating again does nothing', async (db) => {
  await migrateIn(db)
  const before = await traces(db)
  assert.ok(before.includes('key_zone.event') && before.includes('authority_zone.event'))
  await migrateIn(db)
  assert.deepEqual(await traces(db), before)
})
