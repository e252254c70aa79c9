// Bench: the server that `authorize` measures, and its floor, each in a process of its own; promises that both run the same framework and the same signatures.

import { generateKeyPairSync, randomBytes, randomInt, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { codeIssued } from '../src/authorize/codes.ts'
import {
  authorityProjections,
  openAuthorize,
  type AuthorizeContext,
} from '../src/authorize/context.ts'
import { drawCode } from '../src/authorize/draw-code.ts'
import { createJwtSigner } from '../src/authorize/jwt.ts'
import { addRealm, type Realm } from '../src/authorize/realms.ts'
import { countIssued } from '../src/authorize/stat-counts.ts'
import { dayOf } from '../src/authorize/zone.ts'
import { openDatabase, parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityZoneRoutes } from '../src/http/authority-zone-routes.ts'
import type { Route, RouteReply } from '../src/http/route.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { createLogger } from '../src/operate/logger.ts'
import { openZones } from '../src/operate/open-zones.ts'

/** What the server says when it listens. */
export interface AuthorizeServer {
  readonly port: number
  readonly apiKey: string
}

/** Asks for codes; the answer is an array of them. */
export interface IssueOrder {
  readonly issue: number
}

const POOL_SIZE = 8
const ISSUE_AT_ONCE = 1_000
const REALM = { name: 'bench', issuer: 'https://bench.example/', audience: 'key-server' }
const SYMPTOM_DAYS = 3

const [mode = '', databaseUrl = '', folder = ''] = process.argv.slice(2)
const logger = createLogger('error')
const now = () => new Date()
// Nobody else would end it when the benchmark is gone.
process.once('disconnect', () => process.exit())

if (mode === 'ours') await startOurs()
else await startFloor()

async function startOurs(): Promise<void> {
  const zones = await openZones({
    ownerUrl: databaseUrl,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: POOL_SIZE,
    projections: { key: [], authority: authorityProjections },
    now,
  })
  const zone = { ...zones.authority, masterKey: zones.masterKey }
  const realm = await addRealm(zone, REALM, 'command', now())
  const apiKey = await addApiKey(zone, { realm: realm.name, type: 'device' }, 'command', now())
  const monotonicMs = () => performance.now()
  const context = await openAuthorize(zone, { tokenIssuer: 'bench', now, monotonicMs, logger })
  const issued = new Set<string>()
  const issue = async (count: number) => {
    const codes: string[] = []
    while (codes.length < count)
      codes.push(
        ...(await issueCodes(
          context,
          realm,
          issued,
          Math.min(ISSUE_AT_ONCE, count - codes.length),
        )),
      )
    return codes
  }
  await listen(authorityZoneRoutes(context), apiKey, issue)
}

/** Issues codes in one transaction: how long that takes is not measured. @returns their short forms */
async function issueCodes(
  { db, writer, peppers: openPeppers }: AuthorizeContext,
  realm: Realm,
  issued: Set<string>,
  count: number,
): Promise<string[]> {
  const peppers = await openPeppers()
  const pepper = peppers.version
  const { shortLife } = realm.settings
  const expiresAt = Math.floor(now().getTime() / 1000) + shortLife
  const place = { realm: realm.name, day: dayOf(now()) }
  const codes = Array.from({ length: count }, () => {
    for (;;) {
      const drawn = drawCode(realm.settings)
      // Some were drawn before.
      if (issued.has(drawn.short)) continue
      issued.add(drawn.short)
      return drawn
    }
  })
  const macOf = (code: string) => peppers.under(pepper, 'code', realm.name, code)
  const events = codes.map(({ short, long }) =>
    codeIssued(
      {
        realm: realm.name,
        uuid: randomUUID(),
        testType: 'confirmed',
        testDate: null,
        symptomDate: symptomDate(),
        expiresAt,
        longExpiresAt: expiresAt,
        shortLife,
        provider: null,
        apiKey: 'bench',
        staff: null,
        externalIssuer: null,
        needsNonce: false,
      },
      { pepper, codeMac: macOf(short), longCodeMac: macOf(long), nonceMac: null },
      undefined,
      countIssued(place, { key: 'bench' }, '', false, 1),
    ),
  )
  await db.transaction((tx) => appendEvents(tx, writer, events, now()))
  return codes.map(({ short }) => short)
}

function symptomDate(): string {
  return new Date(now().getTime() - SYMPTOM_DAYS * 86_400_000).toISOString().slice(0, 10)
}

/** The least that a pair costs: two signatures, one verification, two rows that are committed one by one. */
async function startFloor(): Promise<void> {
  const db = openDatabase(parseAddress(databaseUrl), 'public', POOL_SIZE)
  await db.query(sql`create table floor (id bytea primary key, code text not null, keys text)`)
  const [token, certificate] = ['token', 'certificate'].map(() => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    return createJwtSigner(privateKey, randomBytes(16).toString('base64url'))
  }) as [ReturnType<typeof createJwtSigner>, ReturnType<typeof createJwtSigner>]
  const verify = async (body: Fields): Promise<Fields> => {
    const id = randomBytes(16)
    await db.query({
      name: 'insert-floor',
      text: 'insert into floor (id, code) values ($1, $2)',
      values: [id, body['code']],
    })
    const seconds = Math.floor(now().getTime() / 1000)
    return {
      testtype: 'confirmed',
      symptomDate: symptomDate(),
      token: token.sign({
        iss: 'bench',
        aud: 'bench',
        iat: seconds,
        exp: seconds + 86_400,
        jti: id.toString('base64url'),
        sub: `confirmed.${symptomDate()}.`,
      }),
    }
  }
  const certify = async (body: Fields): Promise<Fields> => {
    const claims = token.read(String(body['token']))
    if (claims === undefined) throw new Error('a token is none of ours')
    await db.query({
      name: 'update-floor',
      text: 'update floor set keys = $2 where id = $1',
      values: [Buffer.from(String(claims['jti']), 'base64url'), body['ekeyhmac']],
    })
    const seconds = Math.floor(now().getTime() / 1000)
    return {
      certificate: certificate.sign({
        iss: REALM.issuer,
        aud: REALM.audience,
        iat: seconds,
        nbf: seconds,
        exp: seconds + 900,
        reportType: 'confirmed',
        symptomOnsetInterval: 2_900_000,
        tekmac: body['ekeyhmac'],
        issuerHandle: 'AAAAAAAAAAAAAAAAAAAAAA',
      }),
    }
  }
  const issue = (count: number) =>
    Promise.resolve(
      Array.from({ length: count }, () => String(randomInt(100_000_000)).padStart(8, '0')),
    )
  await listen([floorRoute('verify', verify), floorRoute('certificate', certify)], 'none', issue)
}

type Fields = Readonly<Record<string, unknown>>

/** Characters of a reply, as ours has them: from the first to less than twice as many. */
const LEAST_LENGTH = 2_400
const PADDING = 'A'.repeat(2 * LEAST_LENGTH)

function floorRoute(name: string, work: (body: Fields) => Promise<Fields>): Route {
  return {
    methods: ['POST'],
    url: `/api/${name}`,
    operationId: name,
    summary: 'The floor',
    tag: 'authority zone',
    requestBody: {},
    replies: { 200: { description: 'Durable' } },
    async handle(request): Promise<RouteReply> {
      const fields = await work(JSON.parse(Buffer.from(request.body).toString()) as Fields)
      const wanted = LEAST_LENGTH + Math.floor(Math.random() * LEAST_LENGTH)
      const rest = JSON.stringify({ ...fields, padding: '' }).length
      return { status: 200, json: { ...fields, padding: PADDING.slice(0, wanted - rest) } }
    },
  }
}

async function listen(
  routes: readonly Route[],
  apiKey: string,
  issue: (count: number) => Promise<string[]>,
): Promise<void> {
  const app = await buildApp(routes, 'bench', logger, { trustedProxies: 1 })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  process.on('message', ({ issue: count }: IssueOrder) => {
    void issue(count).then((codes) => process.send?.(codes))
  })
  process.send?.({ port: Number(new URL(url).port), apiKey } satisfies AuthorizeServer)
}
