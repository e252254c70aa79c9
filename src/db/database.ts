// Db: pools and transactions; promises that a write happens only through a transaction and that a lost database is told apart from a wrong statement.

import pg from 'pg'
import { parse as parseConnectionString } from 'pg-connection-string'
import { TocsinError } from '../errors.ts'
import type { Statement } from './sql.ts'

/** Where to connect to: node-postgres's own form of an address. */
export type Address = pg.ClientConfig

/** What can run a statement: a pool or a transaction. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(
    statement: Statement | NamedStatement,
  ): Promise<pg.QueryResult<Row>>
}

/** A statement that is prepared once a connection under its name: for hot paths. */
export interface NamedStatement extends Statement {
  readonly name: string
}

declare const inTransaction: unique symbol

/** A connection inside a transaction. Only {@link Database.transaction} makes one, so holding it proves that a write can be undone. */
export interface Transaction extends Queryable {
  readonly [inTransaction]: true
  /** The bare client, for COPY. */
  readonly client: pg.PoolClient
}

/** A pool of connections with one login. */
export interface Database extends Queryable, AsyncDisposable {
  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws.
   *
   * @throws TocsinError `unavailable` when the database can't be reached or the connection is lost; whether a lost
   * connection had committed is then unknown, which is why every request can be repeated.
   */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

// bigint (oid 20) arrives as text by default. Sequence numbers and times stay far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (Number(oid) === 20) return (text: string) => Number(text)
    return pg.types.getTypeParser(oid, format as 'text')
  },
}

/** Reads a connection URL, unix sockets included. */
export function parseAddress(url: string): Address {
  const parsed = parseConnectionString(url)
  return {
    ...(parsed.user === undefined ? {} : { user: parsed.user }),
    ...(parsed.password === undefined ? {} : { password: parsed.password }),
    ...(parsed.host ? { host: parsed.host } : {}),
    ...(parsed.port ? { port: Number(parsed.port) } : {}),
    ...(parsed.database ? { database: parsed.database } : {}),
    ...(parsed.ssl === undefined || parsed.ssl === null ? {} : { ssl: parsed.ssl as boolean }),
  }
}

/** A connection of its own, outside any pool: for locks that belong to a session. The caller ends it. */
export async function connectOnce(address: Address): Promise<pg.Client> {
  const client = new pg.Client({ ...address, types, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  // Without a listener a connection lost while idle would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    throw asTocsinError(error)
  }
  return client
}

const CONNECT_TIMEOUT_MS = 5_000

/**
 * Opens a pool.
 *
 * @param schema the schema in which the statements' unqualified table names are looked up
 * @param size connections at the most; further callers wait
 * @param pipeline whether statements that do not wait for each other's results share a round trip; COPY can't
 */
export function openDatabase(
  address: Address,
  schema: string,
  size: number,
  pipeline = true,
): Database {
  const pool = new pg.Pool({
    ...address,
    types,
    max: size,
    // A plan made while a table was empty would scan it for ever; planning afresh costs a group of submissions next to nothing.
    options: `-c search_path=${schema} -c plan_cache_mode=force_custom_plan`,
    pipeline,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
  })
  pool.on('error', () => undefined)
  const close = () => pool.end()
  return {
    close,
    [Symbol.asyncDispose]: close,
    query: async (statement) => {
      try {
        return await pool.query(statement)
      } catch (error) {
        throw asTocsinError(error)
      }
    },
    transaction: (work) => runTransaction(pool, work),
  }
}

async function runTransaction<Result>(
  pool: pg.Pool,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  let client: pg.PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw asTocsinError(error)
  }
  let broken = false
  try {
    // Sent ahead of the first statement without waiting: if it can't be carried out, neither can what follows.
    const begun = client.query('begin')
    begun.catch(() => undefined)
    const tx = { client, query: (statement: Statement) => client.query(statement) } as Transaction
    const result = await work(tx)
    await begun
    const done = await client.query('commit')
    // A transaction in which a statement failed answers COMMIT with ROLLBACK, not with an error.
    if (done.command !== 'COMMIT') throw new Error('the transaction was rolled back at commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => (broken = true))
    throw asTocsinError(error)
  } finally {
    client.release(broken)
  }
}

/** Whether an error is PostgreSQL's report of a value that a unique index already holds. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505'
}

// Classes of SQLSTATE that say the server is away, full or shutting down, not that the statement is wrong.
const AWAY = /^(08|53|57P0|25006)/

function asTocsinError(error: unknown): unknown {
  if (error instanceof TocsinError) return error
  if (error instanceof pg.DatabaseError)
    return AWAY.test(error.code ?? '')
      ? new TocsinError('unavailable', undefined, { cause: error })
      : error
  if (error instanceof Error && isConnectionError(error))
    return new TocsinError('unavailable', undefined, { cause: error })
  return error
}

function isConnectionError(error: Error): boolean {
  if ('code' in error && typeof error.code === 'string' && /^(E[A-Z]+)$/.test(error.code))
    return true
  return /Connection terminated|timeout exceeded when trying to connect|not queryable/.test(
    error.message,
  )
}
