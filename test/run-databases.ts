// Test helper: the databases of a run of all tests; promises that none is left behind, not even by a run that was killed, once there is a next one.

import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { migrate } from '../src/db/migrate.ts'
import { dropping, EMPTY, RUN, runStatements, TEMPLATE, withDatabase } from './create-database.ts'

/** Those that are dropped at a time. */
const AT_ONCE = 4

/**
 * Begins a run: on each server, drops what runs that are over have left, and makes the database that others are copies of.
 *
 * @param embeddedUrl of a server that nobody else has
 * @returns what tests must have in their environment; disposing drops all that is left of the run
 */
export async function beginRun(
  embeddedUrl: string,
  serverUrl: string | undefined,
): Promise<AsyncDisposable & { readonly env: Readonly<Record<string, string>> }> {
  const run = `tocsin_test_${randomBytes(4).toString('hex')}`
  const template = `${run}_template`
  await using stack = new AsyncDisposableStack()
  for (const url of [embeddedUrl, ...(serverUrl === undefined ? [] : [serverUrl])]) {
    await dropOfEndedRuns(url)
    // As long as somebody is connected to this one, the run is not over.
    await runStatements(url, [`create database ${run} template ${EMPTY}`])
    stack.defer(() => dropAll(url, (name) => name.startsWith(run)))
    const held = await connectOnce(parseAddress(withDatabase(url, run)))
    stack.defer(() => held.end())
    await runStatements(url, [`create database ${template} template ${EMPTY}`])
    await migrate(parseAddress(withDatabase(url, template)), async () => undefined)
  }
  const opened = stack.move()
  return {
    env: { [RUN]: run, [TEMPLATE]: template },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function dropOfEndedRuns(url: string): Promise<void> {
  const connected = new Set(
    await readNames(url, 'select distinct datname from pg_stat_activity where datname is not null'),
  )
  await dropAll(url, (name) => {
    const run = /^tocsin_test_[0-9a-f]{8}(?=_|$)/.exec(name)?.[0]
    return run !== undefined && !connected.has(run)
  })
}

async function dropAll(url: string, isMeant: (name: string) => boolean): Promise<void> {
  // That of the run comes last.
  const all = await readNames(url, 'select datname from pg_database order by datname desc')
  const names = all.filter(isMeant)
  const dropNext = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift())
      await runStatements(url, dropping(name))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, dropNext))
}

async function readNames(url: string, query: string): Promise<string[]> {
  const client = await connectOnce(parseAddress(url))
  try {
    const { rows } = await client.query<{ datname: string }>(query)
    return rows.map(({ datname }) => datname)
  } finally {
    await client.end()
  }
}
