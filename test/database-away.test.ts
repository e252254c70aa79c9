// Test: the database goes away under submissions and comes back; promises "try again later", nothing half done, and no restart.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import { connectOnce, openDatabase, parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { databaseTest, type TestDatabase } from './database.ts'
import { asOwner, nameOf, openSubmittingZone } from './submitting-zone.ts'

/** A database that is there on every server, to speak from while the test's own is closed. */
const ELSEWHERE = 'template1'

const endSessions = (db: TestDatabase) =>
  `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${nameOf(db)}' and pid <> pg_backend_pid()`

databaseTest(
  'while the database is closed, submissions are told to try again later; then all goes on',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const bodies = await Promise.all(Array.from({ length: 20 }, () => town.body()))
    const [first, ...others] = bodies as [Uint8Array, ...Uint8Array[]]
    assert.equal((await town.submit(first)).status, 200)
    const close = `alter database ${nameOf(db)} allow_connections false`
    await asOwner(db, [close, endSessions(db)], ELSEWHERE)
    try {
      for (let round = 0; round < 2; round++) {
        const replies = await Promise.all(others.map((body) => town.submit(body)))
        assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([503]))
        assert.deepEqual(new Set(replies.map((reply) => reply.body.code)), new Set(['unavailable']))
        // By the second round the health authorities are read again.
        await setTimeout(600)
      }
    } finally {
      await asOwner(db, [`alter database ${nameOf(db)} allow_connections true`], ELSEWHERE)
    }
    const replies = await Promise.all(bodies.map((body) => town.submit(body)))
    assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([200]))
    assert.deepEqual(await town.counts(), { reports: 20, keys: 60, events: 20 })
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTest(
  'a connection lost in the middle of a transaction leaves nothing behind',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const body = await town.body()
    await using owner = openDatabase(parseAddress(db.url), 'key_zone', 1)
    const replies = await owner.transaction(async (tx) => {
      // Whoever holds the head makes every submission wait in the middle of its transaction.
      await tx.query(sql`select 1 from log_head for update`)
      const submitted = [town.submit(body), town.submit(await town.body())]
      while ((await waiting(db)) === 0) await setTimeout(5)
      await asOwner(db, [
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${nameOf(db)}' and wait_event_type = 'Lock'`,
      ])
      return Promise.all(submitted.slice(0, 1))
    })
    assert.deepEqual(
      replies.map((reply) => [reply.status, reply.body.code]),
      [[503, 'unavailable']],
    )
    assert.equal((await town.submit(body)).status, 200)
    assert.deepEqual(await town.problems(), [])
    const { reports, keys, events } = await town.counts()
    assert.deepEqual([keys, events], [3 * reports, reports])
  },
)

async function waiting(db: TestDatabase): Promise<number> {
  const [row] = await asOwner(db, [
    `select count(*) as n from pg_stat_activity where datname = '${nameOf(db)}' and wait_event_type = 'Lock'`,
  ])
  return Number(row?.['n'])
}

databaseTest(
  'sessions that are ended while idle are made again without anybody noticing',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    for (let round = 0; round < 3; round++) {
      assert.equal((await town.submit(await town.body())).status, 200)
      await asOwner(db, [endSessions(db)])
      await setTimeout(50)
    }
    assert.equal((await town.counts()).reports, 3)
  },
)

databaseTest(
  'a wrong statement is a defect, not an absence; nor is a full disk beside the database',
  async (db) => {
    await using owner = openDatabase(parseAddress(db.url), 'public', 1)
    await assert.rejects(owner.query(sql`select nonsense`), { code: '42703' })
    await assert.rejects(
      owner.transaction(async () => {
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      }),
      { code: 'ENOSPC' },
    )
    assert.equal((await owner.query(sql`select 1`)).rowCount, 1)
  },
)

test('where no server listens, the answer is that it is unavailable', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  // Port 1 of this machine, a socket that nobody made, and a name that no resolver knows (RFC 6761).
  const addresses = [{ host: '127.0.0.1', port: 1 }, { host: folder }, { host: 'database.invalid' }]
  for (const address of addresses) {
    await using db = openDatabase({ ...address, user: 'x', database: 'x' }, 'public', 1)
    await assert.rejects(db.query(sql`select 1`), { code: 'unavailable' }, address.host)
    await assert.rejects(
      db.transaction(async () => undefined),
      { code: 'unavailable' },
    )
    await assert.rejects(connectOnce(address), { code: 'unavailable' })
  }
})
