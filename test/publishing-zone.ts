// Test helper: a key zone that publishes: a health authority, a clock that moves, streams with signing keys of their own.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, parseAddress, type Database } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { addStream, type Stream, type StreamKey } from '../src/publish/streams.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { publishV1, type PublishContext, type PublishReply } from '../src/submit/publish-v1.ts'
import type { TestDatabase } from './database.ts'
import {
  encodeBody,
  makeAuthority,
  makeKeys,
  makeRequest,
  movableClock,
  type TestAuthority,
  type TestKey,
} from './key-zone.ts'
import { openKeyZone, type TestKeyZone } from './open-key-zone.ts'
import { digestFolder, readIndex, readPublished } from './published-files.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** What a test of publishing needs. */
export interface PublishingZone {
  readonly zone: TestKeyZone
  readonly folder: string
  readonly clock: ReturnType<typeof movableClock>
  /** Adds a stream of one hour's windows unless told otherwise. @returns its public key, PEM */
  addStream(name: string, settings?: StreamSettings): Promise<string>
  /** Uploads keys, which must be accepted. @returns their bytes in hex */
  upload(
    keys?: readonly TestKey[],
    authority?: TestAuthority,
    submit?: PublishContext,
  ): Promise<string[]>
  /** Sends an upload, whatever becomes of it. */
  send(
    keys: readonly TestKey[],
    options?: Parameters<typeof makeRequest>[3] & { readonly authority?: TestAuthority },
  ): Promise<PublishReply>
  /** Registers a health authority for regions. */
  addAuthority(app: string, regions: string[]): Promise<TestAuthority>
}

/** A stream's, and the name of its one signing key. */
export type StreamSettings = Partial<Stream & Pick<StreamKey, 'keyId' | 'keyVersion'>>

/** Opens a zone at 2026-03-10 08:00 UTC with a health authority for the region US, and no stream yet. */
export async function openPublishingZone(
  database: TestDatabase,
  t: TestContext,
  timeGrain = 900,
): Promise<PublishingZone & AsyncDisposable> {
  const folder = await temporaryFolder(t)
  const clock = movableClock('2026-03-10T08:00:00Z')
  const zone = await openKeyZone(database.url, folder, () => clock.now(), timeGrain)
  const addAuthority = async (app: string, regions: string[]) => {
    const authority = makeAuthority(app, regions)
    await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, clock.now()))
    return authority
  }
  const usual = await addAuthority('org.example.health', ['US'])
  return {
    zone,
    folder,
    clock,
    addAuthority,
    addStream: (name, settings = {}) => addTestStream(zone, folder, clock.now(), name, settings),
    async send(keys, { authority = usual, ...options } = {}) {
      const request = await makeRequest(authority, keys, clock.now(), options)
      return publishV1(zone.submit, encodeBody(request), 'okhttp android')
    },
    async upload(keys = makeKeys(clock.now(), 3), authority = usual, submit = zone.submit) {
      const body = encodeBody(await makeRequest(authority, keys, clock.now()))
      const reply = await publishV1(submit, body, 'okhttp android')
      assert.equal(reply.status, 200, JSON.stringify(reply.body))
      return keys.map((key) => Buffer.from(key.key, 'base64').toString('hex'))
    },
    [Symbol.asyncDispose]: () => zone[Symbol.asyncDispose](),
  }
}

async function addTestStream(
  zone: TestKeyZone,
  folder: string,
  now: Date,
  name: string,
  { keyId = '310', keyVersion = 'v1', ...settings }: StreamSettings,
): Promise<string> {
  const keyFile = join(folder, `${name}.pem`)
  const publicKey = await makeSigningKey(keyFile)
  const stream = {
    name,
    region: 'US',
    period: 3600,
    // Small numbers have tests of their own.
    hold: 0,
    minimum: 0,
    keys: [{ keyId, keyVersion, publicKey, keyFile, from: 0, through: null }],
    ...settings,
  }
  await zone.db.transaction((tx) => addStream(tx, zone.writer, stream, now))
  return publicKey
}

/** The keys of every file that a stream's index names, in hex: file by file. */
export async function publishedKeys({ zone }: PublishingZone, stream: string): Promise<string[][]> {
  const files: string[][] = []
  for (const path of await readIndex(zone.publicFolder, stream)) {
    const { keys } = await readPublished(zone.publicFolder, path)
    files.push(keys.map((key) => key.key_data.toString('hex')))
  }
  return files
}

/** Fails when the log does not agree with itself or with a table. */
export async function assertLogIsClean({ zone }: PublishingZone): Promise<void> {
  assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
}

/** How many releases each stream has. */
export async function releasesOf(db: Database): Promise<Record<string, number>> {
  const { rows } = await db.query<{ stream: string; n: number }>(
    sql`select stream, count(*) as n from release group by stream`,
  )
  return Object.fromEntries(rows.map((row) => [row.stream, row.n]))
}

/** How many zips a served folder holds. */
export async function countZips(folder: string): Promise<number> {
  return Object.keys(await digestFolder(folder)).filter((path) => path.endsWith('.zip')).length
}

/** The database owner's connection, outside any pool. */
export async function openOwner(url: string) {
  const client = await connectOnce(parseAddress(url))
  return { query: (text: string) => client.query(text), [Symbol.asyncDispose]: () => client.end() }
}
