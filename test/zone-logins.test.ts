// Test: where a zone's login comes from; promises that one that isn't the zone's alone is refused, and that no login holds up a start.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { schemaOf, ZONES, type Zone } from '../src/db/zones.ts'
import type { OpenOptions } from '../src/operate/open-zones.ts'
import { asLogin, assertDenied, openBoth, otherOf } from './both-zones.ts'
import { dropping } from './create-database.ts'
import { databaseTest, type TestDatabase } from './database.ts'
import { asOwner, nameOf } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

databaseTest(
  "somebody else's role of the name that a login would have is refused, and stays as it was",
  async (db, t) => {
    const user = `${nameOf(db)}_key`
    const seen = () =>
      asOwner(db, [
        `select to_jsonb(pg_authid) as role,
           (select count(*) from pg_auth_members where oid in (member, roleid)) as members
         from pg_authid where rolname = '${user}'`,
      ])
    for (const [made, ...undone] of [
      [`create role ${user} login superuser`],
      [`create role ${user} login createrole`],
      [`create role ${user} login createdb`],
      [`create role ${user} login replication`],
      [`create role ${user} login bypassrls`],
      [`create role ${user}`],
      [`create role ${user} login in role pg_monitor`],
      [`create role ${user}_other; create role ${user} login role ${user}_other`].concat(
        `drop role ${user}_other`,
      ),
    ]) {
      await asOwner(db, [made ?? ''])
      const before = await seen()
      await assert.rejects(openBoth(db.url, t), {
        code: 'login_taken',
        message: new RegExp(`^There is a role "${user}" already`),
      })
      assert.deepEqual(await seen(), before, made)
      const granted = await asOwner(db, [
        `select 1 from pg_namespace where nspacl::text like '%${user}%'`,
      ])
      assert.deepEqual(granted, [])
      await asOwner(db, [`drop role ${user}`, ...undone])
    }
    // Nothing is left in the way of the next start.
    await using zones = await openBoth(db.url, t)
    assert.equal(zones.key.address.user, user)
  },
)

/** Makes logins as an operator would; they go with the test. */
async function makeLogins(db: TestDatabase, t: TestContext): Promise<Record<Zone, string>> {
  const roles = { key: `${nameOf(db)}_k`, authority: `${nameOf(db)}_a` }
  const names = Object.values(roles)
  t.after(() =>
    asOwner(
      db,
      // What they may do in the database goes with it.
      [...dropping(nameOf(db)), ...names.map((name) => `drop role ${name}`)],
      'template1',
    ),
  )
  await asOwner(
    db,
    names.map((name) => `create role ${name} login password 'zone'`),
  )
  return roles
}

const urlAs = (db: TestDatabase, user: string) => db.url.replace(/\/\/[^/]*@/, `//${user}:zone@`)

databaseTest('logins that the operator made see their own zone and no more', async (db, t) => {
  const roles = await makeLogins(db, t)
  const urls = { key: urlAs(db, roles.key), authority: urlAs(db, roles.authority) }
  await using zones = await openBoth(db.url, t, undefined, urls)
  for (const zone of ZONES)
    await asLogin(zones[zone].address, async (run) => {
      assert.equal((await run(`table ${schemaOf(zone)}.event`)).length, 1)
      await assertDenied(run, [`table ${schemaOf(otherOf(zone))}.event`, 'table tocsin.login'])
    })
})

databaseTest(
  'logins with which a zone would reach more than its own are refused',
  async (db, t) => {
    const roles = await makeLogins(db, t)
    const { key, authority } = roles
    const urls = { key: urlAs(db, key), authority: urlAs(db, authority) }
    const spelt = urls.key.replace(`${key}:`, `${key.replaceAll('_', '%5F')}:`)
    const owner = String(
      (await asOwner(db, ['select quote_ident(current_user) as name']))[0]?.['name'],
    )
    const folder = await temporaryFolder(t)
    const refused = async (zoneUrls: OpenOptions['zoneUrls'], message: RegExp) => {
      await assert.rejects(openBoth(db.url, t, folder, zoneUrls), {
        code: 'configuration_invalid',
        message,
      })
      const granted = await asOwner(db, [
        `select 1 from pg_namespace where nspname <> 'tocsin' and nspacl::text like '%${key}=%'`,
      ])
      assert.deepEqual(granted, [])
    }
    // Migrated before, with logins of Tocsin's own.
    await (await openBoth(db.url, t, folder))[Symbol.asyncDispose]()
    await refused({ key: urls.key, authority: spelt }, /as well or a member of it/)
    await refused({ key: db.url }, /is a superuser or makes roles|is the owner's/)
    for (const [grant, message, revoke] of [
      [`alter role ${key} superuser`, /is a superuser/, `alter role ${key} nosuperuser`],
      [`alter role ${key} createrole`, /makes roles/, `alter role ${key} nocreaterole`],
      [`grant ${owner} to ${key}`, /is the owner's/, `revoke ${owner} from ${key}`],
      [`grant ${authority} to ${key}`, /a member of it/, `revoke ${authority} from ${key}`],
      [
        `grant usage on schema tocsin to ${key}`,
        /may use the schema/,
        `revoke usage on schema tocsin from ${key}`,
      ],
      [
        `grant pg_read_all_data to ${key}`,
        /may use the schema authority_zone/,
        `revoke pg_read_all_data from ${key}`,
      ],
    ] as const) {
      await asOwner(db, [grant])
      await refused(urls, message)
      await asOwner(db, [revoke])
    }
    await (await openBoth(db.url, t, folder, urls))[Symbol.asyncDispose]()
  },
)

databaseTest("no lock that a zone's login takes holds up a start", async (db, t) => {
  const folder = await temporaryFolder(t)
  await using zones = await openBoth(db.url, t, folder)
  const schemaLock = 0x544f4353494e
  for (const zone of ZONES)
    await asLogin(zones[zone].address, async (run) => {
      await run(`select pg_advisory_lock(${schemaLock})`)
      for (const mode of ['access share', 'exclusive'])
        await assertDenied(run, [`do $$ begin lock table tocsin.migration in ${mode} mode; end $$`])
      const start = openBoth(db.url, t, folder)
      const tooLong = delay(5_000, undefined, { ref: false })
      const opened = await Promise.race([start, tooLong])
      await run('select pg_advisory_unlock_all()')
      await (await start)[Symbol.asyncDispose]()
      assert.ok(opened !== undefined, `the ${zone} zone's login holds it up`)
    })
})
