// Db: transactions on a pool's connections; promises that all of a transaction is stored or nothing, and that its caller learns which.

import type { Pool, PoolClient } from 'pg'
import { TocsinError } from '../errors.ts'
import { asTocsinError, sqlStateOf } from './database-errors.ts'
import type { Database, Transaction } from './database.ts'
import type { Statement } from './sql.ts'

/** See {@link Database.transaction}. */
export async function runTransaction<Result>(
  pool: Pool,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  let client: PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw asTocsinError(error)
  }
  let broken = false
  const { tx, commit, rollback } = begin(client)
  try {
    const result = await work(tx)
    await commit()
    return result
  } catch (error) {
    await rollback().catch(() => (broken = true))
    throw asTocsinError(error)
  } finally {
    client.release(broken)
  }
}

/** Begins a transaction on a connection. */
function begin(client: PoolClient): {
  readonly tx: Transaction
  /** Resolves when it is durable. @throws what the first of its statements to fail was answered */
  commit(): Promise<void>
  rollback(): Promise<unknown>
} {
  let over = false
  // Sent ahead of the first statement without waiting: if it can't be carried out, neither can what follows.
  const begun = client.query('begin')
  begun.catch(() => undefined)
  const query = async (statement: Statement) => {
    // Work that goes on after its neighbour failed would be carried out behind the rollback, and stay.
    if (over) throw new Error('the transaction is over')
    const values = [...statement.values]
    try {
      return await client.query({ ...statement, values })
    } finally {
      // What node-postgres keeps of a query outlives its answer, and the values are nearly all of it: held until V8's next
      // collection of everything, they would bring that about several times a second.
      values.length = 0
    }
  }
  const last: Promise<unknown>[] = []
  const commitWith = (statements: Promise<unknown>) => {
    statements.catch(() => undefined)
    last.push(statements)
  }
  return {
    tx: { client, query, commitWith } as Transaction,
    async commit() {
      over = true
      const committed = client.query('commit')
      committed.catch(() => undefined)
      await begun
      await allWritten(last)
      const done = await committed
      // A transaction in which a statement failed answers COMMIT with ROLLBACK, not with an error.
      if (done.command !== 'COMMIT') throw new Error('the transaction was rolled back at commit')
    },
    rollback() {
      over = true
      return client.query('rollback')
    },
  }
}

/** Transactions on one connection of a pool, each sent behind the one before: see {@link Database.transactionAtOnce}. */
export function openLine(pool: Pool): {
  readonly transaction: Database['transactionAtOnce']
  close(): Promise<void>
} {
  let held: Promise<PoolClient> | undefined
  let newest: Promise<void> = Promise.resolve()
  // Whoever waits for an answer is told by the connection itself; the next transaction gets another one.
  const leave = (connected: Promise<PoolClient>) => {
    if (held !== connected) return
    held = undefined
    connected.then(
      (client) => client.release(true),
      () => undefined,
    )
  }
  const hold = (): Promise<PoolClient> => {
    if (held !== undefined) return held
    const connected = pool.connect()
    connected.then(
      (client) => client.once('end', () => leave(connected)),
      () => leave(connected),
    )
    return (held = connected)
  }
  return {
    async transaction(send) {
      const connected = hold()
      try {
        const { tx, commit, rollback } = begin(await connected)
        let result
        try {
          result = send(tx)
        } catch (error) {
          await rollback()
          throw error
        }
        newest = commit()
        await newest
        return result
      } catch (caught) {
        const error = asTocsinError(caught)
        if (error instanceof TocsinError && error.code === 'unavailable') leave(connected)
        throw error
      }
    },
    async close() {
      await newest.catch(() => undefined)
      const client = await held?.catch(() => undefined)
      held = undefined
      client?.release()
    },
  }
}

/**
 * Waits for statements of one transaction that were sent together. When one failed, those behind it did, too: thrown is the
 * failure that the others follow from.
 */
export async function allWritten(statements: readonly Promise<unknown>[]): Promise<void> {
  const failures = (await Promise.allSettled(statements)).flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  )
  if (failures.length === 0) return
  throw failures.find((error) => sqlStateOf(error) !== TRANSACTION_ABORTED) ?? failures[0]
}

const TRANSACTION_ABORTED = '25P02'
