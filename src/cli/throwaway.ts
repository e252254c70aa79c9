// Cli: a database for a while, beside the deployment's own; promises that it is gone afterwards, with its logins, also what a killed command left.

import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
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
export async function makeThrowaway(deployment: Config, now: Date): Promise<Throwaway> {
  const { keyDatabaseUrl: _, authorityDatabaseUrl: __, ...config } = deployment
  await removeLeftFolders(now)
  const folder = await mkdtemp(join(tmpdir(), FOLDER))
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
  const seconds = Math.floor(now.getTime() / 1000)
  await removeLeftDatabases(server, seconds)
  const name = `${DATABASE}${seconds}_${randomBytes(6).toString('hex')}`
  await runStatements(server, [`create database ${name}`])
  return {
    config: { ...apart, databaseUrl: new Secret(withDatabase(server, name)) },
    where: `database ${name}`,
    async [Symbol.asyncDispose]() {
      await runStatements(server, dropping(name))
      await clear()
    },
  }
}

const FOLDER = 'tocsin-drill-'
const DATABASE = 'tocsin_drill_'

/** No drill takes so long, seconds: what is older was left by one that was killed, and holds what the archive keeps encrypted. */
const LEFT_AFTER = 86_400

async function removeLeftFolders(now: Date): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(FOLDER)) continue
    const folder = join(tmpdir(), name)
    const changed = await stat(folder).catch(() => undefined)
    if (changed === undefined || now.getTime() - changed.mtimeMs < LEFT_AFTER * 1000) continue
    // Somebody else's is not ours to remove, and no reason to make no drill.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
  }
}

async function removeLeftDatabases(server: string, now: number): Promise<void> {
  const client = await connectOnce(parseAddress(server))
  try {
    const { rows } = await client.query<{ name: string }>(
      `select datname as name from pg_database where datname ~ '^${DATABASE}[0-9]+_[0-9a-f]{12}$'`,
    )
    for (const { name } of rows)
      if (now - Number(name.split('_')[2]) >= LEFT_AFTER)
        for (const statement of dropping(name)) await client.query(statement)
  } finally {
    await client.end()
  }
}

function dropping(name: string): string[] {
  return [
    `drop database if exists ${name} with (force)`,
    ...ZONES.map((zone) => `drop role if exists ${roleOf(zone, name)}`),
  ]
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
