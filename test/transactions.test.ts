// Test: transactions whose statements do not wait for each other; promises that only an error keeps them out, that they keep their order, and that a lost connection costs those under way.

import assert from 'node:assert/strict'
import { openDatabase, parseAddress, type Database } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { databaseTest } from './database.ts'

/** A pool, and a table in which a number can stand once. */
async function openNumbers(url: string, poolSize: number): Promise<Database> {
  const database = openDatabase(parseAddress(url), 'public', poolSize)
  await database.query(sql`create table kept (n integer primary key, at serial)`)
  return database
}

async function kept(database: Database): Promise<number[]> {
  const { rows } = await database.query<{ n: number }>(sql`select n from kept order by at`)
  return rows.map(({ n }) => n)
}

/** Inserts numbers in one transaction that is sent at once. */
function insertAtOnce(database: Database, numbers: readonly number[]): Promise<number> {
  return database.transactionAtOnce((tx) => {
    for (const n of numbers) tx.commitWith(tx.query(sql`insert into kept (n) values (${n})`))
    return numbers.length
  })
}

databaseTest('statements sent with the commit are kept out by an error only', async (db) => {
  await using database = await openNumbers(db.url, 1)
  const insert = (numbers: readonly number[]) =>
    database.transaction(async (tx) => {
      for (const n of numbers) tx.commitWith(tx.query(sql`insert into kept (n) values (${n})`))
      return numbers.length
    })
  assert.equal(await insert([1, 2]), 2)
  await assert.rejects(insert([3, 2, 4]), /duplicate key/)
  assert.equal(await insert([5]), 1)
  assert.deepEqual(await kept(database), [1, 2, 5])
})

databaseTest(
  'transactions sent at once keep their order, and one that fails takes no other along',
  async (db) => {
    await using database = await openNumbers(db.url, 4)
    const results = await Promise.allSettled([
      insertAtOnce(database, [1, 2]),
      insertAtOnce(database, [3, 1]),
      database.transactionAtOnce((tx) => {
        tx.commitWith(tx.query(sql`insert into kept (n) values (4)`))
        throw new Error('changed its mind')
      }),
      insertAtOnce(database, [5]),
      insertAtOnce(database, [3]),
    ])
    const messages = results.map((result) =>
      result.status === 'fulfilled' ? result.value : (result.reason as Error).message,
    )
    assert.match(String(messages[1]), /duplicate key/)
    assert.deepEqual(messages.toSpliced(1, 1), [2, 'changed its mind', 1, 1])
    assert.deepEqual(await kept(database), [1, 2, 5, 3])
  },
)

databaseTest('a server that says nothing any more counts as lost', async (db) => {
  const address = parseAddress(db.url)
  await using database = openDatabase(address, 'public', 2, true, 500)
  await database.query(sql`create table kept (n integer primary key, at serial)`)
  const silent = () =>
    database.transactionAtOnce((tx) => {
      tx.commitWith(tx.query(sql`select pg_sleep(10)`))
    })
  const both = await Promise.allSettled([silent(), insertAtOnce(database, [1])])
  for (const result of both)
    assert.equal((result as { reason?: { code?: unknown } }).reason?.code, 'unavailable')
  await assert.rejects(database.query(sql`select pg_sleep(10)`), { code: 'unavailable' })
  assert.equal(await insertAtOnce(database, [2]), 1)
  assert.deepEqual(await kept(database), [2])
})

databaseTest(
  'with its connection lost a transaction sent at once is told so, and the next gets another',
  async (db) => {
    await using database = await openNumbers(db.url, 4)
    await insertAtOnce(database, [1])
    const waiting = Promise.allSettled([
      database.transactionAtOnce((tx) => {
        tx.commitWith(tx.query(sql`select pg_sleep(20)`))
      }),
      insertAtOnce(database, [2]),
    ])
    const terminate = () =>
      database.query<{ done: boolean }>(
        sql`select pg_terminate_backend(pid) as done from pg_stat_activity
            where datname = current_database() and query like '%pg_sleep(20)' and pid <> pg_backend_pid()`,
      )
    while ((await terminate()).rows.length === 0) continue
    for (const result of await waiting)
      assert.equal(
        result.status === 'rejected' && (result.reason as { code?: unknown }).code,
        'unavailable',
      )
    assert.equal(await insertAtOnce(database, [3]), 1)
    // An idle connection that is lost is replaced, too.
    await database.query(
      sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`,
    )
    const again = (): Promise<number> => insertAtOnce(database, [4]).catch(() => again())
    assert.equal(await again(), 1)
    assert.deepEqual(await kept(database), [1, 3, 4])
  },
)

databaseTest('of a statement that was answered or failed no values are held', async (db, t) => {
  await using database = await openNumbers(db.url, 1)
  const statement = sql`insert into kept (n) values (${7})`
  const sent: unknown[] = []
  const insertTwice = database.transaction(async (tx) => {
    const query = t.mock.method(tx.client, 'query')
    await tx.query(statement)
    await tx.query(statement).finally(() => {
      query.mock.restore()
      for (const call of query.mock.calls) {
        const config: unknown = call.arguments[0]
        sent.push((config as typeof statement).values)
      }
    })
  })
  await assert.rejects(insertTwice, /duplicate key/)
  assert.deepEqual(sent, [[], []])
  // The caller's own are its own.
  assert.deepEqual(statement.values, [7])
})
