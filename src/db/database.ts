// Db: pools of connections; promises that a write happens only through a transaction.

import {
  Client as PostgresClient,
  Pool,
  types as standardTypes,
  type ClientConfig,
  type CustomTypesConfig,
  type PoolClient,
  type QueryResult,
  type QueryResultRow,
} from 'pg'
import { parse as parseConnectionString } from 'pg-connection-string'
import { asTocsinError } from './database-errors.ts'
import type { Statement } from './sql.ts'
import { openLine, runTransaction } from './transactions.ts'

/** Where to connect to: node-postgres's own form of an address. */
export type Address = ClientConfig

/** What can run a statement: a pool or a transaction. */
export interface Queryable {
  query<Row extends QueryResultRow>(
    statement: Statement | NamedStatement,
  ): Promise<QueryResult<Row>>
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
  readonly client: PoolClient
  /**
   * Sends the commit right behind statements that were sent already, instead of after their answers. Only an error of
   * the database keeps them from being committed: whatever can fail on this side must have been done before the first is sent.
   */
  commitWith(statements: Promise<unknown>): void
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
  /**
   * Runs a transaction that needs no answer on its way: all of it, commit included, is sent at once, behind the ones before it
   * on one connection, without waiting for theirs. They are carried out in the order of the calls; one that fails is rolled
   * back, and those behind it are carried out all the same.
   *
   * @param send must send everything before it returns, and hand what it waits for to {@link Transaction.commitWith}
   * @throws TocsinError `unavailable` as above
   */
  transactionAtOnce<Result>(send: (tx: Transaction) => Result): Promise<Result>
  close(): Promise<void>
}

// bigint (oid 20) arrives as text by default. Sequence numbers and times stay far below 2^53.
const types: CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === standardTypes.builtins.INT8) return (text: string) => Number(text)
    return standardTypes.getTypeParser(oid, format)
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
export async function connectOnce(address: Address): Promise<PostgresClient> {
  const client = new Client({ ...address, types, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  try {
    await client.connect()
  } catch (error) {
    // A refusal on this side (no password where one is asked for) leaves the connection open.
    client.end().catch(() => undefined)
    throw asTocsinError(error)
  }
  return client
}

/**
 * A connection whose loss is told to whoever waits for an answer, and to nobody else. Without a listener it would end the
 * process: when it is idle, and also when a pool has given it up, which a server that refuses connections makes it do.
 */
class Client extends PostgresClient {
  constructor(config?: ClientConfig) {
    super(config)
    this.on('error', () => undefined)
  }
}

const CONNECT_TIMEOUT_MS = 5_000

/**
 * Opens a pool.
 *
 * @param schema the schema in which the statements' unqualified table names are looked up
 * @param size connections at the most; further callers wait
 * @param pipeline whether statements that do not wait for each other's results share a round trip; COPY can't
 * @param answerWithinMs how long a statement may take before its connection counts as lost: a server that vanished says nothing
 */
export function openDatabase(
  address: Address,
  schema: string,
  size: number,
  pipeline = true,
  answerWithinMs?: number,
): Database {
  const pool = new Pool({
    ...address,
    Client,
    types,
    max: size,
    options: `-c search_path=${schema} ${pipeline ? INDEXED_PLANS : ''}`,
    pipeline,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    ...(answerWithinMs === undefined ? {} : { query_timeout: answerWithinMs }),
  })
  pool.on('error', () => undefined)
  const line = openLine(pool)
  const close = async () => {
    await line.close()
    await pool.end()
  }
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
    transactionAtOnce: line.transaction,
  }
}

// Short statements that look up what they are given: planned once a connection, by index. Planned with the hundreds of
// keys of a group before it, PostgreSQL 15 reads the whole table instead, a little more for every key that is stored.
const INDEXED_PLANS = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off'
