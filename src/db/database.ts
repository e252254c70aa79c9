// Db: pools and transactions; promises that a write happens only through a transaction and that a lost database is told apart from a wrong statement.

import {
  Client as PostgresClient,
  DatabaseError,
  Pool,
  types as standardTypes,
  type ClientConfig,
  type CustomTypesConfig,
  type PoolClient,
  type QueryResult,
  type QueryResultRow,
} from 'pg'
import { parse as parseConnectionString } from 'pg-connection-string'
import { TocsinError } from '../errors.ts'
import type { Statement } from './sql.ts'

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
   * Sends the commit right behind statements that were sent already, instead of after their answers. Only an error keeps
   * them from being committed, no answer does.
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
 */
export function openDatabase(
  address: Address,
  schema: string,
  size: number,
  pipeline = true,
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

async function runTransaction<Result>(
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
    return client.query(statement)
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

/** Transactions on one connection of a pool, each sent behind the one before. */
function openLine(pool: Pool): {
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

/** The SQLSTATE of an error that PostgreSQL reported; undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
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

/** Whether an error is PostgreSQL's report of a value that a unique index already holds. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlStateOf(error) === '23505'
}

// SQLSTATEs that say the server is away, full, shutting down or closed to connections, not that the statement is wrong.
const AWAY = /^(08|53|57P0|25006|55000)/

function asTocsinError(error: unknown): unknown {
  if (error instanceof TocsinError) return error
  if (error instanceof DatabaseError)
    return AWAY.test(error.code ?? '')
      ? new TocsinError('unavailable', undefined, { cause: error })
      : error
  if (error instanceof Error && isConnectionError(error))
    return new TocsinError('unavailable', undefined, { cause: error })
  return error
}

// What the system answers when the server can't be reached. Not every error of the system: a full disk under a file that
// is written during a transaction is no lost database.
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

function isConnectionError(error: NodeJS.ErrnoException): boolean {
  if (UNREACHABLE.has(error.code ?? '')) return true
  // The unix socket is gone, or nobody may listen on it.
  if (error.code !== undefined && error.syscall === 'connect') return true
  return /Connection terminated|timeout exceeded when trying to connect|not queryable/.test(
    error.message,
  )
}
