// Bench: a database for one benchmark; promises a fresh one on the server of TOCSIN_DATABASE_URL, else on an embedded one.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type TestDatabase } from '../test/create-database.ts'

/** Makes one, with fsync on as the server has it. */
export async function benchDatabase(): Promise<TestDatabase> {
  const given = process.env['TOCSIN_DATABASE_URL']
  if (given !== undefined) return createDatabase(given)
  const { startEmbedded } = await import('../src/db/embedded.ts')
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-bench-db-'))
  const embedded = await startEmbedded(folder)
  const database = await createDatabase(embedded.url)
  return {
    url: database.url,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await embedded.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
