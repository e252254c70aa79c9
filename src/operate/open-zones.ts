// Operate: opens the data of both zones, making what is missing; promises that any number of processes may start at once.

import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type pg from 'pg'
import { checkLogin, roleAt } from '../db/check-login.ts'
import { openDatabase, parseAddress, type Address, type Database } from '../db/database.ts'
import { ensureLogin, grantZone } from '../db/logins.ts'
import { migrate } from '../db/migrate.ts'
import { loadMasterKey, type MasterKey } from '../db/secrets.ts'
import { schemaOf, ZONES, type Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import type { LogWriter } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { startLog } from '../log/start-log.ts'

/** One zone, open. */
export interface OpenZone {
  /** The zone's own login: sees this zone's schema only. */
  readonly address: Address
  readonly db: Database
  /** One connection without pipelining, for COPY. */
  readonly copyDb: Database
  readonly writer: LogWriter
}

/** Both zones, open. */
export interface OpenZones extends AsyncDisposable {
  readonly key: OpenZone
  readonly authority: OpenZone
  readonly masterKey: MasterKey
  readonly demo: boolean
  /** Seconds. */
  readonly timeGrain: number
}

/** How to open them. */
export interface OpenOptions {
  /** The owner's login. */
  readonly ownerUrl: string
  /** Logins that the operator made; Tocsin makes the others. */
  readonly zoneUrls: { readonly [Z in Zone]?: string }
  readonly masterKeyFile: string
  /** What a new deployment becomes; undefined leaves an existing one as it is. */
  readonly demo: boolean | undefined
  /** Whether the database is a server, which is never a demo. */
  readonly server: boolean
  /** Seconds; undefined for the default of the deployment. */
  readonly timeGrain: number | undefined
  readonly poolSize: number
  readonly projections: { readonly [Z in Zone]: readonly Projection[] }
  readonly now: () => Date
  /** Whether the logs are left as they are: for a recovery, which brings its own, and which nobody means as a demo. */
  readonly forRecovery?: boolean
}

/** Time grain in seconds: of a deployment, and of a demo, which must show something within a minute. */
const TIME_GRAIN = 900
const DEMO_TIME_GRAIN = 10

/**
 * Migrates, makes the logins, opens pools and begins the logs.
 *
 * @throws TocsinError `master_key_missing` when secrets were wrapped before and the key's file is gone, `master_key_wrong`,
 * `schema_newer`, `schema_changed`, `unavailable`, `login_taken`, `configuration_invalid` (a demo can't become a real deployment,
 * nor the reverse; a login that the operator made reaches more than its zone)
 */
export async function openZones(options: OpenOptions): Promise<OpenZones> {
  const owner = parseAddress(options.ownerUrl)
  const prepared = await migrate(owner, async (client) => {
    await client.query(
      `create table if not exists tocsin.deployment (one boolean primary key default true check (one), demo boolean not null)`,
    )
    const found = await client.query<{ demo: boolean }>('select demo from tocsin.deployment')
    const isNew = found.rows[0] === undefined
    const demo =
      found.rows[0]?.demo ?? (!options.server && (options.demo ?? options.forRecovery !== true))
    if (options.demo !== undefined && options.demo !== demo)
      throw new TocsinError(
        'configuration_invalid',
        demo
          ? 'This database was made as a demo and stays one: name another data folder.'
          : 'This database was not made as a demo: name another data folder, or leave TOCSIN_DEMO out.',
      )
    await mkdir(dirname(options.masterKeyFile), { recursive: true })
    // Only a new deployment may make a key: with an old one it would hide that the right key is gone.
    const masterKey = await loadMasterKey(options.masterKeyFile, isNew)
    const addresses = await prepareLogins(client, owner, options.zoneUrls, masterKey)
    if (isNew) await client.query('insert into tocsin.deployment (demo) values ($1)', [demo])
    return { demo, masterKey, addresses }
  })
  const timeGrain = options.timeGrain ?? (prepared.demo ? DEMO_TIME_GRAIN : TIME_GRAIN)
  const open = (zone: Zone) => openZone(zone, prepared.addresses[zone], timeGrain, options)
  const key = await open('key')
  const authority = await open('authority')
  return {
    key,
    authority,
    masterKey: prepared.masterKey,
    demo: prepared.demo,
    timeGrain,
    async [Symbol.asyncDispose]() {
      await Promise.all([key, authority].flatMap((zone) => [zone.db.close(), zone.copyDb.close()]))
    },
  }
}

/** Makes the logins that the operator has not, and grants each its zone. */
async function prepareLogins(
  client: pg.Client,
  owner: Address,
  zoneUrls: OpenOptions['zoneUrls'],
  masterKey: MasterKey,
): Promise<Record<Zone, Address>> {
  const prepare = async (zone: Zone) => {
    const given = zoneUrls[zone]
    if (given === undefined) {
      const login = await ensureLogin(client, zone, masterKey)
      return { address: { ...owner, ...login }, role: login.user }
    }
    const address = parseAddress(given)
    return { address, role: await roleAt(address) }
  }
  const key = await prepare('key')
  const authority = await prepare('authority')
  const roles = { key: key.role, authority: authority.role }
  const named = ZONES.filter((zone) => zoneUrls[zone] !== undefined)
  for (const zone of named) await checkLogin(client, zone, roles)
  for (const zone of named) await grantZone(client, zone, roles[zone])
  return { key: key.address, authority: authority.address }
}

async function openZone(
  zone: Zone,
  address: Address,
  timeGrain: number,
  options: OpenOptions,
): Promise<OpenZone> {
  const db = openDatabase(address, schemaOf(zone), options.poolSize)
  const writer: LogWriter = { timeGrain, projections: options.projections[zone] }
  if (options.forRecovery !== true)
    await db.transaction((tx) => startLog(tx, writer, options.now()))
  return { address, db, copyDb: openDatabase(address, schemaOf(zone), 2, false), writer }
}
