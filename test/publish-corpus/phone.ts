// Test helper: tests against one service that they share, and a phone that uploads its keys again and again.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { byteaArray } from '../../src/db/binary-array.ts'
import { databaseTestOnce, type TestDatabase } from '../database.ts'
import { startService } from '../running-service.ts'
import { asOwner, nameOf } from '../submitting-zone.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { makePool, makeRequest } from './request.ts'
import { NOW, type Change } from './row.ts'
import { exchange, openCorpus, type Corpus, type Reply } from './run-row.ts'

/** What a test is given. */
export type Body = (corpus: Corpus, database: TestDatabase, t: TestContext) => Promise<void>

/** Tests by their names, with one service for all of them: each has keys of its own, and finds the clock as the rows have it. */
export function serviceTests(
  name: string,
  bodies: readonly { readonly name: string; readonly body: Body }[],
): void {
  databaseTestOnce(name, async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t))
    const corpus = await openCorpus(service)
    for (const each of bodies)
      await t.test(each.name, async (inside) => {
        service.clock.set(new Date(NOW * 1000))
        await each.body(corpus, database, inside)
      })
  })
}

/** A test with a service of its own. */
export function ownServiceTest(
  name: string,
  body: Body,
  settings: Readonly<Record<string, string>> = {},
): void {
  databaseTestOnce(name, async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t), settings)
    await body(await openCorpus(service), database, t)
  })
}

/** One who uploads the same keys again and again. */
export function makePhone(corpus: Corpus) {
  const pool = makePool()
  const tokens: (string | undefined)[] = []
  const make = (change: Change) => {
    const authority = corpus.authorities.get(change.app ?? 'org.example.health')
    assert.ok(authority)
    return makeRequest(change, { authority, pool, tokens })
  }
  return {
    pool,
    make,
    async upload(change: Change = {}): Promise<Reply> {
      const reply = await exchange(corpus, make(change))
      if (reply.status === 200) tokens.push(reply.body?.['revisionToken'] as string | undefined)
      return reply
    },
  }
}

/** Status and code. */
export const told = ({ status, body }: Reply) => [status, body?.['code']]

/** What a statement finds of a phone's keys, which are its parameter. */
export const rows = async ({ service }: Corpus, pool: readonly Uint8Array[], text: string) =>
  (
    await service.zones.key.db.query<Record<string, unknown>>({
      text: text.replace('$keys', 'any($1::bytea[])'),
      values: [byteaArray(pool)],
    })
  ).rows

/** Counts keys. */
export const COUNT = 'select count(*)::int as n from diagnosis_key where key_data = $keys'

const ELSEWHERE = 'template1'

/** Does something while the database can't be reached. */
export async function whileAway(database: TestDatabase, run: () => Promise<void>): Promise<void> {
  const name = nameOf(database)
  const end = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and pid <> pg_backend_pid()`
  await asOwner(database, [`alter database ${name} allow_connections false`, end], ELSEWHERE)
  try {
    await run()
  } finally {
    await asOwner(database, [`alter database ${name} allow_connections true`], ELSEWHERE)
  }
}
