// Test: the databases of a run of all tests; promises that those of killed runs are dropped, and those of others that go on are not.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { dropping, EMPTY, runStatements, withDatabase } from './create-database.ts'
import { databaseTestOnce } from './database.ts'
import { beginRun } from './run-databases.ts'
import { asOwner } from './submitting-zone.ts'

databaseTestOnce('a run drops what killed ones left, and leaves nothing itself', async (db, t) => {
  const exist = async (names: readonly string[]) => {
    const rows = await asOwner(db, ['select datname from pg_database'])
    const all = new Set(rows.map(({ datname }) => datname))
    return names.map((name) => all.has(name))
  }
  const [killed, going] = [0, 1].map(() => `tocsin_test_${randomBytes(4).toString('hex')}`)
  const names = [killed, `${killed}_template`, going, `${going}_0123`] as string[]
  await runStatements(
    db.url,
    names.map((name) => `create database ${name} template ${EMPTY}`),
  )
  const held = await connectOnce(parseAddress(withDatabase(db.url, String(going))))
  t.after(async () => {
    await held.end()
    await asOwner(db, names.flatMap(dropping), 'template1')
  })

  const own: string[] = []
  {
    await using run = await beginRun(db.url, undefined)
    own.push(...Object.values(run.env))
    assert.deepEqual(await exist([...own, ...names]), [true, true, false, false, true, true])
  }
  assert.deepEqual(await exist([...own, ...names]), [false, false, false, false, true, true])
})
