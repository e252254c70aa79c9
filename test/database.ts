// Test helper: a fresh database for a test, on every server that this run has; promises to drop it afterwards.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { createDatabase, type TestDatabase } from './create-database.ts'

export { createDatabase, type TestDatabase } from './create-database.ts'

/** A server that tests run against. */
export interface TestServer {
  readonly name: string
  url(): Promise<string>
}

/** The embedded default, and the server of TOCSIN_TEST_DATABASE_URL when there is one. */
export const TEST_SERVERS: readonly TestServer[] = [
  { name: 'embedded', url: embeddedUrl },
  ...(process.env['TOCSIN_TEST_DATABASE_URL'] === undefined
    ? []
    : [{ name: 'server', url: async () => process.env['TOCSIN_TEST_DATABASE_URL'] ?? '' }]),
]

/** A test that runs once on each server, each time in a fresh database. */
export function databaseTest(name: string, body: DatabaseTestBody): void {
  for (const server of TEST_SERVERS) testOn(server, name, body)
}

/** The same in a database that nobody has migrated. */
export function emptyDatabaseTest(name: string, body: DatabaseTestBody): void {
  for (const server of TEST_SERVERS) testOn(server, name, body, 'empty')
}

/**
 * A test that runs on one server only, half of them on each: one about something else than the database, such as commands, or a disk
 * that fails at each of hundreds of writes. With TOCSIN_TEST_EVERYWHERE it runs on all.
 */
export function databaseTestOnce(name: string, body: DatabaseTestBody): void {
  if (process.env['TOCSIN_TEST_EVERYWHERE'] !== undefined) return databaseTest(name, body)
  testOn(TEST_SERVERS[name.length % TEST_SERVERS.length] as TestServer, name, body)
}

type DatabaseTestBody = (database: TestDatabase, t: TestContext) => Promise<void>

function testOn(
  server: TestServer,
  name: string,
  body: DatabaseTestBody,
  content: 'migrated' | 'empty' = 'migrated',
): void {
  test(`${name} (${server.name})`, async (t) => {
    await using database = await createDatabase(await server.url(), content)
    await body(database, t)
  })
}

let started: Promise<string> | undefined

/** One embedded server for the whole run when test/run.ts started it, else one for this file. */
function embeddedUrl(): Promise<string> {
  const given = process.env['TOCSIN_TEST_EMBEDDED_URL']
  started ??= given === undefined ? startOwn() : Promise.resolve(given)
  return started
}

// Here and not where it is started: that is inside some test, which would stop it for those that follow.
after(() => stopOwn?.())
let stopOwn: (() => Promise<void>) | undefined

async function startOwn(): Promise<string> {
  const { startEmbedded } = await import('../src/db/embedded.ts')
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-test-'))
  const embedded = await startEmbedded(folder)
  stopOwn = async () => {
    await embedded.close()
    await rm(folder, { recursive: true, force: true })
  }
  return embedded.url
}
