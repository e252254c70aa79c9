// Cli: what a demo needs to be tried at once: a realm, an authority, API keys and a stream; promises to make only what is missing, and that it is no real deployment.

import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addApiKey, type ApiKeyType } from '../authorize/api-keys.ts'
import { addRealm, findRealm, type Realm } from '../authorize/realms.ts'
import { listSigningKeys } from '../authorize/signing-keys.ts'
import type { Config } from '../config.ts'
import { writePrivateFile } from '../db/private-file.ts'
import { TocsinError } from '../errors.ts'
import type { OpenZones } from '../operate/open-zones.ts'
import { loadSigner, makeSigningKey } from '../publish/signer.ts'
import { addStream, listStreams, type Stream } from '../publish/streams.ts'
import { addHealthAuthority, listHealthAuthorities } from '../submit/health-authorities.ts'
import type { PhoneService } from './phone-client.ts'

/** What differs between the demo that `start` makes and the town's. */
export interface DemoOptions {
  /** Of the stream, seconds. */
  readonly period: number
  /** Of the stream; `gaen` when left out. */
  readonly kind?: string
  /** Of the stream, as its kind has them; none when left out. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined
}

/** The API keys of a demo and whom they belong to, as they lie in its file. */
export type DemoKeys = Omit<PhoneService, 'url'>

/** Names of the realm, the stream and the region. */
export const DEMO_NAME = 'demo'
const REGION = 'DEMO'
export const DEMO_APP = 'org.example.demo'

/** Where a demo's API keys lie, mode 0600. */
export function demoKeysFile(config: Config): string {
  return join(config.dataFolder, 'demo-api-keys.json')
}

/** Makes what a demo lacks; several starts, or one that was killed in the middle, come to the same. */
export async function setUpDemo(
  config: Config,
  zones: OpenZones,
  now: Date,
  { period, kind = 'gaen', settings = {} }: DemoOptions = { period: 10 },
): Promise<DemoKeys> {
  const realm = await ensureRealm(zones, now)
  await ensureAuthority(zones, realm, now)
  await ensureStream(
    join(config.dataFolder, 'demo-signing-key.pem'),
    zones,
    { period, kind, settings },
    now,
  )
  const file = demoKeysFile(config)
  return (await readDemoKeys(file)) ?? (await makeDemoKeys(file, zones, now))
}

/**
 * The API keys of a demo's file, or undefined when there is none.
 *
 * @throws TocsinError `data_folder_unusable` when the file can't be read or holds something else
 */
export async function readDemoKeys(file: string): Promise<DemoKeys | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new TocsinError('data_folder_unusable', `${file} can't be read.`, { cause: error })
  })
  if (text === undefined) return undefined
  const keys = parseJson(text)
  if (isDemoKeys(keys)) return keys
  throw new TocsinError(
    'data_folder_unusable',
    `${file} does not hold the API keys of a demo: remove it, and the next start makes new ones.`,
  )
}

async function ensureRealm(zones: OpenZones, now: Date): Promise<Realm> {
  const known = await findRealm(zones.authority.db, DEMO_NAME)
  if (known !== undefined) return known
  // Its one health authority knows its first key alone.
  const settings = { keyRotationDays: 0, bulk: true }
  const realm = { name: DEMO_NAME, issuer: 'tocsin-demo', audience: 'tocsin-demo', settings }
  return addRealm({ ...zones.authority, masterKey: zones.masterKey }, realm, 'command', now)
}

async function ensureAuthority(zones: OpenZones, realm: Realm, now: Date): Promise<void> {
  const { db, writer } = zones.key
  if ((await listHealthAuthorities(db)).some((authority) => authority.app === DEMO_APP)) return
  const { name, issuer, audience } = realm
  const signing = await listSigningKeys(zones.authority.db, name, 'certificate')
  const keys = signing.map(({ kid, publicKey }) => ({ kid, publicKey, validFrom: 0 }))
  await db.transaction((tx) =>
    addHealthAuthority(
      tx,
      writer,
      { app: DEMO_APP, issuer, audience, regions: [REGION], keys },
      now,
    ),
  )
}

async function ensureStream(
  keyFile: string,
  zones: OpenZones,
  { period, kind, settings }: Pick<Stream, 'period' | 'kind' | 'settings'>,
  now: Date,
): Promise<void> {
  const { db, writer } = zones.key
  if ((await listStreams(db)).some((stream) => stream.name === DEMO_NAME)) return
  const exists = await access(keyFile).then(
    () => true,
    () => false,
  )
  if (!exists) await makeSigningKey(keyFile)
  const { publicKey } = await loadSigner(keyFile)
  const stream = {
    name: DEMO_NAME,
    kind,
    region: REGION,
    period,
    // A newcomer wants to see the one key that was uploaded.
    hold: 0,
    minimum: 0,
    settings,
    keys: [{ keyId: DEMO_NAME, keyVersion: 'v1', publicKey, keyFile, from: 0, through: null }],
  }
  await db.transaction((tx) => addStream(tx, writer, stream, now))
}

async function makeDemoKeys(file: string, zones: OpenZones, now: Date): Promise<DemoKeys> {
  const make = (type: ApiKeyType) =>
    addApiKey(
      { ...zones.authority, masterKey: zones.masterKey },
      { realm: DEMO_NAME, type },
      'command',
      now,
    )
  const keys: DemoKeys = {
    app: DEMO_APP,
    adminKey: await make('admin'),
    deviceKey: await make('device'),
  }
  const made = await writePrivateFile(file, `${JSON.stringify(keys, null, 2)}\n`)
  // Another start made them at the same time: its keys are the ones that were told.
  return (made ? undefined : await readDemoKeys(file)) ?? keys
}

function isDemoKeys(value: unknown): value is DemoKeys {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Readonly<Record<string, unknown>>
  return ['app', 'adminKey', 'deviceKey'].every((name) => typeof fields[name] === 'string')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
