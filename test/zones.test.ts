// Test: one login for each zone; promises that neither reads, writes or changes what is the other's, nor becomes the other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../src/db/database.ts'
import { schemaOf, ZONES } from '../src/db/zones.ts'
import { asLogin, assertDenied, openBoth, otherOf } from './both-zones.ts'
import { dropping } from './create-database.ts'
import { createDatabase, emptyDatabaseTest, TEST_SERVERS, type TestDatabase } from './database.ts'
import { asOwner, nameOf } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

async function tablesOf(db: TestDatabase, schema: string): Promise<string[]> {
  const rows = await asOwner(db, [
    `select relname from pg_class where relkind = 'r' and relnamespace = '${schema}'::regnamespace`,
  ])
  assert.ok(rows.length > 2, `${schema} has tables`)
  return rows.map((row) => `${schema}.${String(row['relname'])}`)
}

emptyDatabaseTest(
  'neither login reads or writes a table of the other, nor those of the deployment',
  async (db, t) => {
    await using zones = await openBoth(db.url, t)
    for (const zone of ZONES) {
      const closed = [
        ...(await tablesOf(db, schemaOf(otherOf(zone)))),
        ...(await tablesOf(db, 'tocsin')),
      ]
      await asLogin(zones[zone].address, async (run) => {
        for (const table of closed) {
          await assertDenied(run, [
            `select * from ${table}`,
            `select 1 from ${table}`,
            `insert into ${table} default values`,
            `update ${table} set ctid = ctid`,
            `delete from ${table}`,
            `truncate ${table}`,
            `copy ${table} to stdout`,
            `create temp table copied (like ${table})`,
          ])
          const [row] = await run(
            `select has_table_privilege(oid, 'select, insert, update, delete, truncate, references, trigger') as any,
                  has_any_column_privilege(oid, 'select, insert, update, references') as column
           from pg_class where oid::regclass::text = '${table}'`,
          )
          assert.deepEqual(row, { any: false, column: false }, table)
        }
        // Of its own it reads every one, and writes all but what is written once.
        const schema = schemaOf(zone)
        const once = [`${schema}.event`, `${schema}.checkpoint`, `${schema}.log_head`]
        for (const table of await tablesOf(db, schema)) {
          await run(`select * from ${table}`)
          if (once.includes(table)) await assertDenied(run, [`delete from ${table}`])
          else await run(`delete from ${table} where false`)
        }
        await assertDenied(run, [
          `update ${schema}.event set type = type`,
          `update ${schema}.checkpoint set size = size`,
        ])
      })
    }
  },
)

emptyDatabaseTest('neither login learns from the catalogs what the other may do', async (db, t) => {
  await using zones = await openBoth(db.url, t)
  for (const zone of ZONES)
    await asLogin(zones[zone].address, async (run) => {
      const views = [
        'tables',
        'columns',
        'table_privileges',
        'role_table_grants',
        'table_constraints',
      ]
      for (const view of views) {
        const seen = await run(
          `select distinct table_schema from information_schema.${view} where table_schema not in ('pg_catalog', 'information_schema')`,
        )
        assert.deepEqual(
          seen.filter((row) => row['table_schema'] !== schemaOf(zone)),
          [],
          view,
        )
      }
    })
})

emptyDatabaseTest('neither login becomes the other, or anything more than it is', async (db, t) => {
  await using zones = await openBoth(db.url, t)
  const [owner] = await asOwner(db, ['select quote_ident(current_user) as name'])
  for (const zone of ZONES) {
    const own = zones[zone].address.user ?? ''
    const other = zones[otherOf(zone)].address.user ?? ''
    await asLogin(zones[zone].address, async (run) => {
      for (const role of [other, String(owner?.['name']), 'pg_read_all_data', 'pg_signal_backend'])
        await assertDenied(run, [`set role ${role}`, `set session authorization ${role}`])
      // Before PostgreSQL 16 granting asks for other rights, but never for none.
      await assertDenied(run, [
        `grant ${other} to ${own}`,
        `grant select on ${schemaOf(otherOf(zone))}.event to ${own}`,
        `alter role ${other} password 'x'`,
        `alter role ${own} superuser`,
        `alter role ${own} createrole`,
        `create role another`,
        `drop role ${other}`,
        'select rolpassword from pg_authid',
        `select pg_read_file('postgresql.conf')`,
        `copy (select 1) to program 'true'`,
      ])
      const attributes = await run(
        `select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls as more,
           (select count(*) from pg_auth_members where member = pg_roles.oid) as memberships
         from pg_roles where rolname = current_user`,
      )
      assert.deepEqual(attributes, [{ more: false, memberships: 0 }])
    })
  }
})

emptyDatabaseTest(
  'a login makes and changes nothing anywhere: only the owner migrates',
  async (db, t) => {
    await using zones = await openBoth(db.url, t)
    for (const zone of ZONES) {
      const schema = schemaOf(zone)
      await asLogin(zones[zone].address, async (run) => {
        for (const place of [schema, schemaOf(otherOf(zone)), 'tocsin', 'public'])
          await assertDenied(run, [
            `create table ${place}.made ()`,
            `create function ${place}.made() returns integer language sql as 'select 1'`,
          ])
        await assertDenied(run, [
          'create schema made',
          `alter schema ${schema} rename to made`,
          `drop schema ${schema}`,
          `alter table ${schema}.event rename to made`,
          `alter table ${schema}.event add made integer`,
          `alter table ${schema}.event disable trigger all`,
          `create index made on ${schema}.event (type)`,
          `create rule made as on delete to ${schema}.event do instead nothing`,
          `truncate ${schema}.event`,
          `drop table ${schema}.event`,
          `alter database ${nameOf(db)} rename to made`,
          `alter database ${nameOf(db)} set search_path = public`,
        ])
      })
    }
  },
)

emptyDatabaseTest(
  "neither login ends the other's sessions or sees what they run",
  async (db, t) => {
    await using zones = await openBoth(db.url, t)
    for (const zone of ZONES)
      await asLogin(zones[otherOf(zone)].address, async (runOther) => {
        const [backend] = await runOther('select pg_backend_pid() as pid')
        const pid = Number(backend?.['pid'])
        await asLogin(zones[zone].address, async (run) => {
          await assertDenied(run, [
            `select pg_terminate_backend(${pid})`,
            `select pg_cancel_backend(${pid})`,
          ])
          const [seen] = await run(`select query from pg_stat_activity where pid = ${pid}`)
          assert.deepEqual(seen, { query: '<insufficient privilege>' })
        })
        assert.equal((await runOther('select 1')).length, 1, 'it goes on')
      })
  },
)

emptyDatabaseTest(
  'each login has a password of its own, kept wrapped, and the same one at the next start',
  async (db, t) => {
    const folder = await temporaryFolder(t)
    await using zones = await openBoth(db.url, t, folder)
    await using again = await openBoth(db.url, t, folder)
    for (const zone of ZONES) assert.deepEqual(again[zone].address, zones[zone].address)
    const passwords = ZONES.map((zone) => String(zones[zone].address.password))
    assert.equal(new Set(passwords).size, 2)
    for (const password of passwords) assert.match(password, /^[A-Za-z0-9_-]{32}$/)
    const kept = JSON.stringify(
      await asOwner(db, [`select role_name, encode(wrapped_password, 'escape') from tocsin.login`]),
    )
    for (const password of passwords) assert.ok(!kept.includes(password))
    // A server that asks for passwords refuses the other's.
    const knocks = (password: string) =>
      asLogin({ ...zones.key.address, password }, (run) => run('select 1'))
    assert.equal((await knocks(passwords[0] ?? '')).length, 1)
    if (await asksForPasswords(db))
      for (const password of ['', 'wrong', passwords[1] ?? ''])
        await assert.rejects(knocks(password), (error: Error) => /password/i.test(error.message))
  },
)

async function asksForPasswords({ url }: TestDatabase): Promise<boolean> {
  return asLogin({ ...parseAddress(url), password: 'not the password' }, (run) =>
    run('select 1'),
  ).then(
    () => false,
    () => true,
  )
}

for (const server of TEST_SERVERS)
  test(`two deployments on one server have logins of their own, which are strangers to each other (${server.name})`, async (t) => {
    await using first = await createDatabase(await server.url())
    await using second = await createDatabase(await server.url())
    await using ours = await openBoth(first.url, t)
    await using theirs = await openBoth(second.url, t)
    const users = [ours, theirs].flatMap((zones) => ZONES.map((zone) => zones[zone].address.user))
    assert.equal(new Set(users).size, 4)
    const { database } = theirs.key.address
    assert.ok(database)
    for (const zone of ZONES)
      await asLogin({ ...ours[zone].address, database }, async (run) => {
        for (const schema of ['key_zone', 'authority_zone', 'tocsin'])
          for (const table of await tablesOf(second, schema))
            await assertDenied(run, [`select * from ${table}`])
      })
  })

emptyDatabaseTest(
  'the owner need not be a superuser, and may find logins that an earlier database of the name left',
  async (db, t) => {
    const owner = `${nameOf(db)}_owner`
    t.after(async () => {
      await asOwner(db, [...dropping(nameOf(db)), `drop role ${owner}`], 'template1')
    })
    await asOwner(db, [
      `create role ${owner} login createrole password 'owner'`,
      `alter database ${nameOf(db)} owner to ${owner}`,
    ])
    const url = db.url.replace(/\/\/[^/]*@/, `//${owner}:owner@`)
    assert.equal(parseAddress(url).user, owner)
    await (await openBoth(url, t))[Symbol.asyncDispose]()
    // As a database that was dropped and made anew: its logins are there, its tables are not.
    await asOwner(db, ['drop schema key_zone, authority_zone, tocsin cascade'])
    await using zones = await openBoth(url, t)
    assert.equal((await asLogin(zones.key.address, (run) => run('table key_zone.event'))).length, 1)
  },
)
