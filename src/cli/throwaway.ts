// Cli: a database for a while, beside the deployment's own; promises that it is gone afterwards, with its logins.

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { connectOnce, parseAddress } from '../db/database.ts'
import { roleOf, ZONES } from '../db/zones.ts'
import { Secret } from '../operate/secret.ts'

/** Where it is. */
export interface Throwaway extends AsyncDisposable {
  /** A configuration that names it: nothing in it is the deployment's own. */
  readonly config: Config
  /** For people. */
  readonly where: string
}

/** Makes a database on the deployment's server, or where there is none, an embedded one in a temporary folder. */
export async function makeThrowaway(deployment: Config): Promise<Throwaway> {
  const { keyDatabaseUrl: _, authorityDatabaseUrl: __, ...config } = deployment
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-drill-'))
  const apart = {
    ...config,
    demo: false,
    dataFolder: folder,
    publicFolder: join(folder, 'public'),
    archiveFolder: join(folder, 'archive'),
    masterKeyFile: join(folder, 'master.key'),
  }
  const clear = () => rm(folder, { recursive: true, force: true })
  if (config.databaseUrl === undefined)
    return { config: apart, where: folder, [Symbol.asyncDispose]: clear }
  const server = config.databaseUrl.reveal()
  const name = `tocsin_drill_${randomBytes(6).toString('hex')}`
  await runStatements(server, [`create database ${name}`])
  return {
    config: { ...apart, databaseUrl: new Secret(withDatabase(server, name)) },
    where: `database ${name}`,
    async [Symbol.asyncDispose]() {
      await runStatements(server, [
        `drop database if exists ${name} with (force)`,
        ...ZONES.map((zone) => `drop role if exists ${roleOf(zone, name)}`),
      ])
      await clear()
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

/** The same server's URL for another database. */
function withDatabase(url: string, name: string): string {
  return url.replace(/^([a-z]+:\/\/[^/]*)(?:\/[^?]*)?/, `$1/${name}`)
}
