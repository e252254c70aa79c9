// Test helper: a database of its own on a server; promises to drop it afterwards, with the logins that were made for it.

import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { migrate } from '../src/db/migrate.ts'

/** A database of one test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** The owner's login. */
  readonly url: string
}

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
  const name = `tocsin_test_${randomBytes(6).toString('hex')}`
  const template = content === 'migrated' ? process.env[TEMPLATE] : undefined
  await runStatements(serverUrl, [
    `create database ${name}${template === undefined ? '' : ` template ${template}`}`,
  ])
  return {
    url: withDatabase(serverUrl, name),
    [Symbol.asyncDispose]: () =>
      runStatements(serverUrl, [
        `drop database ${name} with (force)`,
        `drop role if exists ${name}_key`,
        `drop role if exists ${name}_authority`,
      ]),
  }
}

const TEMPLATE = 'TOCSIN_TEST_TEMPLATE'

/** Makes the database that others are copies of, on each server. @returns what tests must have in their environment to use it */
export async function createTemplate(
  serverUrls: readonly string[],
): Promise<AsyncDisposable & { readonly env: Readonly<Record<string, string>> }> {
  const name = `tocsin_test_template_${randomBytes(6).toString('hex')}`
  for (const url of serverUrls) {
    await runStatements(url, [`create database ${name}`])
    await migrate(parseAddress(withDatabase(url, name)), async () => undefined)
  }
  return {
    env: { [TEMPLATE]: name },
    async [Symbol.asyncDispose]() {
      for (const url of serverUrls) await runStatements(url, [`drop database ${name} with (force)`])
    },
  }
}

async function runStatements(url: string, statements: readonly string[]): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** The same server's URL for another database, unix sockets included. */
function withDatabase(url: string, name: string): string {
  return url.replace(/^([a-z]+:\/\/[^/]*\/)[^?]*/, `$1${name}`)
}
