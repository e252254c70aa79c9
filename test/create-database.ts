// Test helper: a database of its own on a server; promises to drop it afterwards, with the logins that were made for it.

import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'

/** A database of one test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** The owner's login. */
  readonly url: string
}

/** Makes a database on a server; disposing drops it and the logins that were made for it. */
export async function createDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `tocsin_test_${randomBytes(6).toString('hex')}`
  await runStatements(serverUrl, [`create database ${name}`])
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
