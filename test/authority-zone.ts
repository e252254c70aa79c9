// Test helper: an authority zone of its own with a realm, its API keys, and what a health system and a phone send; promises real requests in their real form.

import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { addApiKey } from '../src/authorize/api-keys.ts'
import {
  openAuthorize,
  type AuthorizeContext,
  type AuthorizeOptions,
} from '../src/authorize/context.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { addRealm, type Realm } from '../src/authorize/realms.ts'
import type { AuthorizeRequest } from '../src/authorize/reply.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { sql } from '../src/db/sql.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { createLogger } from '../src/operate/logger.ts'
import { databaseTestOnce } from './database.ts'
import { encodeBody, movableClock } from './key-zone.ts'
import { openAuthorityData, testRealm } from './open-authority-data.ts'
import { temporaryFolder } from './temporary-folder.ts'

export { openAuthorityData, testRealm }

/** A reply's status and fields. */
export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** An authority zone, open. */
export interface TestAuthorityZone extends AsyncDisposable {
  readonly ownerUrl: string
  readonly folder: string
  readonly zone: AuthorityZone
  readonly context: AuthorizeContext
  readonly realm: Realm
  readonly adminKey: string
  readonly deviceKey: string
  /** What the health system and the phone ask for. A body of bytes is sent as it is. */
  issue(body: unknown, apiKey?: string): Promise<Reply>
  verify(body: unknown, apiKey?: string): Promise<Reply>
  certify(body: unknown, apiKey?: string): Promise<Reply>
  /** Every row of every table of the zone, its log and secrets included, as text; binary values in hex. */
  dump(): Promise<string>
  /** What the log's check finds. */
  problems(): Promise<readonly string[]>
}

/** When the tests of this zone begin. */
export const START = '2026-11-25T10:07:30Z'

type ZoneTestBody = (
  zone: TestAuthorityZone,
  clock: ReturnType<typeof movableClock>,
) => Promise<void>

/** A test in a zone of its own, on each server unless told otherwise; the zone's log and tables must agree at the end. */
export function zoneTest(
  name: string,
  body: ZoneTestBody,
  // On both servers: `databaseTest`.
  onServers: typeof databaseTestOnce = databaseTestOnce,
): void {
  onServers(name, async (database, t) => {
    const clock = movableClock(START)
    const folder = await temporaryFolder(t)
    await using zone = await openAuthorityZone(database.url, folder, () => clock.now())
    await body(zone, clock)
    assert.deepEqual(await zone.problems(), [])
  })
}

/** Opens the authority zone of a database with a new realm. @param folder where the master key lies */
export async function openAuthorityZone(
  ownerUrl: string,
  folder: string,
  now: () => Date,
): Promise<TestAuthorityZone> {
  const zones = await openAuthorityData(ownerUrl, folder, now)
  const { zone } = zones
  const realm = await addRealm(zone, testRealm(), 'command', now())
  const context = await openAuthorize(zone, authorizeOptions(now))
  const adminKey = await addApiKey(zone, { realm: realm.name, type: 'admin' }, 'command', now())
  const deviceKey = await addApiKey(zone, { realm: realm.name, type: 'device' }, 'command', now())
  return {
    ownerUrl,
    folder,
    zone,
    context,
    realm,
    adminKey,
    deviceKey,
    issue: (body, apiKey = adminKey) => issueOne(context, asRequest(apiKey, body)),
    verify: (body, apiKey = deviceKey) => verifyCode(context, asRequest(apiKey, body)),
    certify: (body, apiKey = deviceKey) => issueCertificate(context, asRequest(apiKey, body)),
    dump: () => dumpZone(zone),
    problems: async () => (await verifyLog(zone.db, zone.writer.projections)).problems,
    async [Symbol.asyncDispose]() {
      await context[Symbol.asyncDispose]()
      await zones[Symbol.asyncDispose]()
    },
  }
}

/** What opening needs beside the zone; what it is told is not logged. */
export function authorizeOptions(now: () => Date): AuthorizeOptions {
  const monotonicMs = () => performance.now()
  return { tokenIssuer: 'token-issuer', now, monotonicMs, logger: createLogger('silent') }
}

/** A request as the web server hands it over. A body of bytes is sent as it is. */
export function asRequest(
  apiKey: string | undefined,
  body: unknown,
  addressPrefix = '192.0.2.0/24',
): AuthorizeRequest {
  return { apiKey, body: toBytes(body), addressPrefix, userAgent: 'test' }
}

/** Issues a code and swaps it for a token. */
export async function getToken(zone: TestAuthorityZone, fields: Record<string, unknown> = {}) {
  const { body } = await zone.issue(codeRequest(zone.context.now(), fields))
  const code = String(body['code'])
  return { code, token: (await zone.verify({ code })).body['token'] }
}

/** `done`, or the code of the refusal. */
export function outcomeOf({ status, body }: Reply): string {
  return status === 200 ? 'done' : String(body['errorCode'])
}

/** How many events of a type there are. */
export function countEvents(dump: string, type: string): number {
  return dump.split(`"type":"${type}"`).length - 1
}

/** A request for a code, as a health system sends it. */
export function codeRequest(now: Date, fields: Record<string, unknown> = {}) {
  return { testType: 'confirmed', symptomDate: daysBefore(now, 3), ...fields }
}

/** A date some days before today's, UTC. */
export function daysBefore(now: Date, days: number): string {
  return new Date(now.getTime() - days * 86_400_000).toISOString().slice(0, 10)
}

/** The HMAC over some keys, as a phone sends it. */
export function someKeysHmac(): string {
  return createHmac('sha256', randomBytes(16)).update('some keys').digest('base64')
}

/** The claims of a JWT, unverified. */
export function claimsIn(jwt: unknown): Record<string, unknown> {
  const [, payload = ''] = String(jwt).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
}

function toBytes(body: unknown): Uint8Array {
  return body instanceof Uint8Array ? body : encodeBody(body)
}

/** Every row of every table of a zone as text; binary values in hex. */
export async function dumpZone({ db }: Pick<AuthorityZone, 'db'>): Promise<string> {
  const { rows: tables } = await db.query<{ name: string }>(
    sql`select table_name as name from information_schema.tables
        where table_schema = current_schema() order by table_name`,
  )
  const dumps = tables.map(async ({ name }) => {
    const text = `select row_to_json(${name})::text as line from ${name} order by 1`
    const { rows } = await db.query<{ line: string }>({ text, values: [] })
    return [name, ...rows.map((row) => row.line)].join('\n')
  })
  return (await Promise.all(dumps)).join('\n')
}
