// Test: operators of the key zone: their keys, their roles, how they lose them, and what is stored of them.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import {
  addOperator,
  createAdmitOperator,
  listOperators,
  revokeOperator,
} from '../src/correct/operators.ts'
import { sql } from '../src/db/sql.ts'
import type { TocsinError } from '../src/errors.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { movableClock } from './key-zone.ts'
import { openKeyZone } from './open-key-zone.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { tocsin } from './run-command.ts'
import { asOwner } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A zone with what recognises operators, as two processes have it. */
async function openDesk(database: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const clock = movableClock('2026-03-10T08:07:00Z')
  const zone = await openKeyZone(database.url, folder, clock.now)
  const admit = () => createAdmitOperator(zone, () => performance.now())
  return {
    zone,
    now: clock.now,
    here: admit(),
    there: admit(),
    [Symbol.asyncDispose]: () => zone[Symbol.asyncDispose](),
  }
}

const UNAUTHORIZED = { code: 'unauthorized' satisfies TocsinError['code'] }

databaseTestOnce('a key opens what its role opens, and nothing else does', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { zone, now, here } = desk
  const looker = await addOperator(zone, { name: 'lab-7', role: 'look' }, 'command', now())
  const corrector = await addOperator(zone, { name: 'ann', role: 'correct' }, 'command', now())
  assert.equal((await here(looker, 'look')).name, 'lab-7')
  for (const role of ['look', 'correct'] as const)
    assert.equal((await here(corrector, role)).name, 'ann')
  await assert.rejects(here(looker, 'correct'), { ...UNAUTHORIZED, message: /of the role correct/ })
  const [prefix = '', secret = ''] = corrector.split('.')
  const other = `${looker.slice(0, 11)}.${secret}`
  const changed = `${prefix}.${secret.startsWith('A') ? 'B' : 'A'}${secret.slice(1)}`
  for (const sent of [undefined, '', prefix, `${prefix}.`, other, changed, `${corrector}A`])
    await assert.rejects(here(sent, 'look'), { ...UNAUTHORIZED, message: /X-API-Key/ }, sent)
})

databaseTestOnce(
  'a revoked key opens nothing a second later, in any process',
  async (database, t) => {
    await using desk = await openDesk(database, t)
    const { zone, now, here, there } = desk
    const first = await addOperator(zone, { name: 'ann', role: 'correct' }, 'command', now())
    // A process that has read the operators hears of a new one, and of a revoked one, within a second.
    for (const admit of [here, there]) assert.equal((await admit(first, 'look')).name, 'ann')
    await revokeOperator(zone, 'ann', 'command', now())
    await setTimeout(1000)
    for (const admit of [here, there]) await assert.rejects(admit(first, 'look'), UNAUTHORIZED)
    const second = await addOperator(zone, { name: 'ann', role: 'look' }, 'command', now())
    // They looked a moment ago, and look again for what they don't know once a second at the most.
    await setTimeout(1000)
    for (const admit of [here, there]) {
      assert.equal((await admit(second, 'look')).role, 'look')
      await assert.rejects(admit(first, 'look'), UNAUTHORIZED)
    }
    // Once more changes nothing.
    await revokeOperator(zone, 'ann', 'command', now())
    await revokeOperator(zone, 'ann', 'command', now())
    const { rows } = await zone.db.query<{ type: string }>(
      sql`select type from event where type like 'operator.%' order by seq`,
    )
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['operator.added', 'operator.revoked', 'operator.added', 'operator.revoked'],
    )
    assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
  },
)

databaseTestOnce('a name is taken once, however many ask for it', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { zone, now, here } = desk
  const asked = await Promise.allSettled(
    Array.from({ length: 6 }, () =>
      addOperator(zone, { name: 'ann', role: 'correct' }, 'command', now()),
    ),
  )
  const keys = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  assert.equal(keys.length, 1)
  for (const each of asked)
    if (each.status === 'rejected')
      assert.equal((each.reason as TocsinError).code, 'operator_exists')
  assert.equal((await here(keys[0], 'correct')).name, 'ann')
  for (const name of ['', 'Ann', '-ann', 'an n', 'a'.repeat(41), 'command', 'order of x'])
    await assert.rejects(addOperator(zone, { name, role: 'look' }, 'command', now()), {
      code: 'operator_invalid',
    })
  await assert.rejects(revokeOperator(zone, 'bob', 'command', now()), { code: 'operator_unknown' })
  assert.equal((await listOperators(zone.db)).length, 1)
})

databaseTestOnce('what is stored of a key opens nothing', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { zone, now, here } = desk
  const key = await addOperator(zone, { name: 'ann', role: 'correct' }, 'command', now())
  await here(key, 'look')
  const secret = key.slice(12)
  const tables = await asOwner(database, [
    `select tablename as name from pg_tables where schemaname = 'key_zone'`,
  ])
  assert.ok(tables.length > 10)
  for (const { name } of tables) {
    const rows = await asOwner(database, [`select t::text as line from key_zone.${String(name)} t`])
    const text = rows.map(({ line }) => String(line)).join('\n')
    for (const form of [secret, Buffer.from(secret).toString('hex'), hexOf(secret)])
      assert.ok(!text.includes(form), `${String(name)} has the key`)
  }
})

function hexOf(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('hex')
}

databaseTestOnce('the commands add, list and revoke', async (database, t) => {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: join(folder, 'data') }
  const file = join(folder, 'key')
  const added = await tocsin(['operator', 'add', 'ann', '--role', 'correct', '--out', file], env)
  assert.equal(added.status, 0, added.err)
  const key = (await readFile(file, 'utf8')).trim()
  assert.match(key, /^[\w-]{11}\.[\w-]{43}$/)
  assert.ok(!added.out.includes(key.slice(12)))
  const printed = await tocsin(['operator', 'add', 'bob', '--role', 'look', '--json'], env)
  assert.match(printed.out, /"apiKey":"[\w-]{11}\.[\w-]{43}"/)
  // What can't be kept opens nothing.
  const lost = await tocsin(['operator', 'add', 'eve', '--role', 'look', '--out', file], env)
  assert.match(lost.err, /file_not_written/)
  const wrong = await tocsin(['operator', 'add', 'eve', '--role', 'all'], env)
  assert.equal(wrong.status, 2, wrong.err)
  const revoked = await tocsin(['operator', 'revoke', 'bob'], env)
  assert.equal(revoked.status, 0, revoked.err)
  const list = await tocsin(['operator', 'list'], env)
  assert.match(
    list.out,
    /^ann {2}may correct, key [\w-]{11} works\nbob {2}may look, key [\w-]{11} revoked\n$/,
  )
  const [looked] = await asOwner(database, [
    `select count(*)::integer as n from key_zone.event where type = 'looked-up'`,
  ])
  assert.equal(looked?.['n'], 1)
})
