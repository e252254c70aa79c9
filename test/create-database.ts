// Test helper: a database of its own on a server; promises that it is dropped afterwards, with the logins that were made for it.

import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'

/** A database of one test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** The owner's login. */
  readonly url: string
}

/** What a run of all tests tells them: the name that those of its databases begin with; the one that others are copies of. */
export const RUN = 'TOCSIN_TEST_RUN'
export const TEMPLATE = 'TOCSIN_TEST_TEMPLATE'

/** What is copied else: nobody can be connected to it, which would be in the way. */
export const EMPTY = 'template0'

/**
 * Makes a database on a server; disposing drops it and the logins that were made for it.
 *
 * @param content `migrated` when whoever opens it would migrate it first: test/run.ts keeps one to be copied, which takes a third
 * of the time. `empty` for tests of just that.
 */
export async function createDatabase(
  serverUrl: string,
  content: 'migrated' | 'empty' = 'migrated',
): Promise<TestDatabase> {
  const name = `${process.env[RUN] ?? 'tocsin_test'}_${randomBytes(6).toString('hex')}`
  const template = (content === 'migrated' ? process.env[TEMPLATE] : undefined) ?? EMPTY
  await runStatements(serverUrl, [`create database ${name} template ${template}`])
  return {
    url: withDatabase(serverUrl, name),
    [Symbol.asyncDispose]: () =>
      runStatements(
        serverUrl,
        isDroppedByRun(serverUrl)
          ? [`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`]
          : dropping(name),
      ),
  }
}

/** What drops a database and the logins that were made for it. */
export function dropping(name: string): string[] {
  return [
    `drop database if exists ${name} with (force)`,
    `drop role if exists ${name}_key`,
    `drop role if exists ${name}_authority`,
  ]
}

/**
 * A database has 650 files, and some file systems (ext4) take their time to find places for new files among those of ones that were
 * deleted in the last minutes. So a run drops those of a server at its end. Those of the embedded one are in memory mostly.
 */
function isDroppedByRun(url: string): boolean {
  const embedded = process.env['TOCSIN_TEST_EMBEDDED_URL'] ?? ''
  return process.env[RUN] !== undefined && withDatabase(url, '') !== withDatabase(embedded, '')
}

/** Runs statements, each by itself. */
export async function runStatements(url: string, statements: readonly string[]): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** The same server's URL for another database, unix sockets included. */
export function withDatabase(url: string, name: string): string {
  return url.replace(/^([a-z]+:\/\/[^/]*\/)[^?]*/, `$1${name}`)
}
