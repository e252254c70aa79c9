// Test: recovery and the drill by commands, as an operator runs them; promises that the drill leaves nothing behind.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createDatabase, databaseTestOnce } from './database.ts'
import { openOwner } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'

interface Zone {
  readonly events: number
  readonly alreadyThere: number
  readonly live: { readonly rootAgrees: boolean; readonly differingTables: readonly string[] }
}

/** What the documents of these commands hold. */
interface Documents {
  readonly agrees: boolean
  readonly valid: boolean
  readonly occupied: readonly string[]
  readonly missingSecrets: readonly { readonly name: string }[]
  readonly zones: { readonly key: Zone; readonly authority: Zone }
}

const REALM = ['realm', 'add', 'lab', '--issuer', 'https://lab.example/', '--audience', 'keys']

databaseTestOnce('archive, drill, dry run, recovery', async (database, t) => {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: folder }
  const run = async (args: readonly string[], environment: Record<string, string> = env) => {
    const { status, out, err } = await tocsin([...args, '--json'], environment)
    return { status, err, document: JSON.parse(out.trim() || '{}') as Documents }
  }
  const done = async (args: readonly string[], environment?: Record<string, string>) => {
    const result = await run(args, environment)
    assert.deepEqual({ status: result.status, err: result.err }, { status: 0, err: '' }, args[0])
    return result.document
  }
  await done(REALM)
  const archived = await run(['archive', 'now'])
  assert.equal(archived.status, 0, archived.err)
  const backup = join(folder, 'secrets.json')
  await done(['secrets', 'export', '--out', backup])
  const from = [
    '--from',
    join(folder, 'archive'),
    '--identity',
    join(folder, 'archive-identity.txt'),
  ]

  await using owner = await openOwner(database.url)
  // One that a killed drill left, and one that may still be going on.
  const hex = randomBytes(6).toString('hex')
  const going = `tocsin_drill_${Math.floor(Date.now() / 1000)}_${hex}`
  for (const name of [`tocsin_drill_1700000000_${hex}`, going])
    await owner.query(`create database ${name}`)

  const drilled = await done(['drill', ...from])
  assert.equal(drilled.agrees, true)
  for (const zone of ['key', 'authority'] as const) {
    assert.deepEqual(drilled.zones[zone].live.differingTables, [])
    assert.equal(drilled.zones[zone].live.rootAgrees, true)
  }
  const left = await owner.query(
    `select datname as name from pg_database where datname like 'tocsin_drill_%'
       and datname not in (select datname from pg_stat_activity where datname is not null)
     union all select rolname from pg_roles where rolname like 'tocsin_drill_1700000000_%'`,
  )
  assert.deepEqual(left.rows, [{ name: going }])
  await owner.query(`drop database ${going}`)
  // A table that does not follow from the events is found.
  await owner.query(`update authority_zone.realm set audience = 'changed'`)
  const changed = await run(['drill', ...from])
  assert.equal(changed.status, 1)
  assert.deepEqual(changed.document.zones.authority.live.differingTables, ['realm'])

  await using empty = await createDatabase(database.url, 'empty')
  const data = await temporaryFolder(t)
  const other = { TOCSIN_DATABASE_URL: empty.url, TOCSIN_DATA: data }
  const tried = await done(['recover', ...from, '--dry-run'], other)
  assert.deepEqual(tried.occupied, [])
  assert.ok(tried.missingSecrets.length > 3)
  await using otherOwner = await openOwner(empty.url)
  const schemas = `select 1 from pg_namespace where nspname in ('tocsin', 'key_zone', 'authority_zone')`
  assert.equal((await otherOwner.query(schemas)).rowCount, 0, 'a dry run makes nothing')

  const lacking = await run(['recover', ...from, '--secrets', backup], other)
  assert.match(lacking.err, /master_key_missing/)
  const masterKey = { ...other, TOCSIN_MASTER_KEY_FILE: join(folder, 'master.key') }
  const recovered = await done(['recover', ...from, '--secrets', backup], masterKey)
  assert.ok(recovered.zones.authority.events > 1)
  const names = recovered.missingSecrets.map(({ name }) => name)
  assert.ok(!names.some((name) => name.startsWith('signing key')), names.join())
  const verified = await done(['log', 'verify'], masterKey)
  assert.equal(verified.valid, true)
  const again = await done(['recover', ...from], masterKey)
  assert.equal(again.zones.authority.alreadyThere, recovered.zones.authority.events)
  // Once it lives, nothing is recovered into it.
  await done(REALM.with(2, 'other'), masterKey)
  const refused = await run(['recover', ...from], masterKey)
  assert.match(refused.err, /recovery_not_empty/)

  rmSync(backup)
  const unreadable = await run(['recover', ...from, '--secrets', backup], other)
  assert.match(unreadable.err, /secrets_invalid/)
})
