// Test: docs/life-of-a-key.md, carried out step by step against a running service.

import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { deriveIdentifiers } from '../src/format/gaen-derivation.ts'
import { tekmacCleartexts } from '../src/format/tekmac.ts'
import { readEventRows, readHead } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { followFeed } from '../src/verify/follow-feed.ts'
import { createMatcher } from '../src/verify/match.ts'
import { databaseTestOnce } from './database.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = readFileSync(join(ROOT, 'docs/life-of-a-key.md'), 'utf8')

/** What the steps hand on to each other. */
interface Journey {
  readonly service: RunningService
  /** The key of yesterday, which the other phone heard, as it is uploaded. */
  readonly key: Uint8Array
  readonly rollingStart: number
  code?: string
  token?: string
  certificate?: string
  hmacKey?: string
  request?: string
  reply?: Response
}

databaseTestOnce('the life of a key is what its page says', async (database, t) => {
  const steps = [...PAGE.matchAll(/^## \d+\. (.*)$/gm)].map((match) => match[1] ?? '')
  assert.deepEqual(steps, Object.keys(STEPS), 'the page and this test tell the same steps')
  for (const [, file = ''] of PAGE.matchAll(/- File: `([^`]+)`/g))
    assert.ok(existsSync(join(ROOT, file)), `${file} exists`)
  for (const step of PAGE.split(/^## /m).slice(1))
    assert.match(step, /- File: `.*`\n- Transaction: .+\n- A crash .+/, step.split('\n')[0])

  await using service = await startService(database.url, await temporaryFolder(t))
  const journey: Journey = { service, key: randomBytes(16), rollingStart: rollingStart(service) }
  for (const carryOut of Object.values(STEPS)) await carryOut(journey)
  for (const zone of [service.zones.key, service.zones.authority])
    assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
})

const STEPS: Readonly<Record<string, (journey: Journey) => Promise<void>>> = {
  async "A doctor's system asks for a code"(journey) {
    const { phones } = journey.service
    const body = { testType: 'confirmed', symptomDate: '2026-03-08', tzOffset: 0 }
    const reply = await post(journey, '/api/issue', body, phones.adminKey)
    journey.code = String(reply['code'])
    assert.match(journey.code, /^\d{8}$/)
    assert.equal(await lastType(journey, 'authority'), 'code.issued')
  },
  async 'The phone swaps the code for a token'(journey) {
    const ask = async (nonce: string) => {
      const { deviceKey } = journey.service.phones
      const reply = await post(journey, '/api/verify', { code: journey.code, nonce }, deviceKey)
      return String(reply['token'])
    }
    const signedOf = (token: string) => token.slice(0, token.lastIndexOf('.'))
    const nonce = randomBytes(16).toString('base64')
    journey.token = await ask(nonce)
    assert.equal(await lastType(journey, 'authority'), 'code.claimed')
    const events = await count(journey, 'authority')
    assert.equal(
      signedOf(await ask(nonce)),
      signedOf(journey.token),
      'a lost reply costs nobody a code',
    )
    assert.equal(await count(journey, 'authority'), events)
    assert.notEqual(
      signedOf(await ask('')),
      signedOf(journey.token),
      'without the nonce: another one',
    )
    journey.token = await ask(nonce)
  },
  async 'The phone swaps the token for a certificate over its keys'(journey) {
    const secret = randomBytes(16)
    journey.hmacKey = secret.toString('base64')
    const maced = { ...submitted(journey), rollingStart: journey.rollingStart }
    const ekeyhmac = createHmac('sha256', secret)
      .update(tekmacCleartexts([maced])[0] ?? '')
      .digest('base64')
    const ask = (hmac: string) =>
      post(
        journey,
        '/api/certificate',
        { token: journey.token, ekeyhmac: hmac },
        journey.service.phones.deviceKey,
      )
    journey.certificate = String((await ask(ekeyhmac))['certificate'])
    assert.equal(await lastType(journey, 'authority'), 'code.certified')
    assert.ok((await ask(ekeyhmac))['certificate'], 'the same keys get a certificate again')
    await assert.rejects(ask(randomBytes(32).toString('base64')), /token_expired/)
  },
  async 'The phone uploads its keys'(journey) {
    journey.request = JSON.stringify({
      temporaryExposureKeys: [submitted(journey)],
      healthAuthorityID: journey.service.phones.app,
      verificationPayload: journey.certificate,
      hmacKey: journey.hmacKey,
    })
    const events = await count(journey, 'key')
    const spoiled = journey.request.replace('"rollingPeriod":144', '"rollingPeriod":143')
    assert.equal(
      (await upload(journey, spoiled)).status,
      401,
      'nothing else than what is certified',
    )
    assert.equal(await count(journey, 'key'), events)
  },
  async 'The report becomes durable'(journey) {
    const reply = await upload(journey, journey.request ?? '')
    journey.reply = reply
    assert.equal(reply.status, 200)
    assert.equal(await lastType(journey, 'key'), 'report')
    const { rows } = await journey.service.zones.key.db.query<{ key_data: Uint8Array }>(
      sql`select key_data from diagnosis_key`,
    )
    assert.deepEqual(
      rows.map((row) => Buffer.from(row.key_data).toString('hex')),
      [Buffer.from(journey.key).toString('hex')],
    )
  },
  async 'The phone is answered'(journey) {
    const reply = (await journey.reply?.json()) as Record<string, unknown>
    assert.equal(reply['insertedExposures'], 1)
    const events = await count(journey, 'key')
    const again = await upload(journey, journey.request ?? '')
    const repeated = (await again.json()) as Record<string, unknown>
    assert.equal(repeated['insertedExposures'], 1)
    const trackingId = 'tocsin-tracking-id'
    assert.equal(again.headers.get(trackingId), journey.reply?.headers.get(trackingId))
    assert.equal(await count(journey, 'key'), events, 'the same request changes nothing')
  },
  async 'A window is planned'(journey) {
    const { service } = journey
    const before = await readHead(service.zones.key.db)
    assert.equal((await service.publishDue()).releases, 0, 'the window has not ended')
    service.clock.advance(3600)
    await service.publishDue()
    const { grain } = await readHead(service.zones.key.db)
    assert.ok(grain >= before.grain + 3600, 'nothing more can be accepted into the window')
  },
  async 'The export is built and signed'({ service }) {
    assert.deepEqual(readdirSync(join(service.config.publicFolder, '.staging')), [])
  },
  async 'The release is recorded'(journey) {
    const releases = (await allTypes(journey)).filter((type) => type === 'release')
    assert.equal(releases.length, 1)
    const { rows } = await journey.service.zones.key.db.query(sql`select size from checkpoint`)
    assert.equal(rows.length, 1, 'with the checkpoint of the tree')
  },
  async 'The file is put, and the index moved'(journey) {
    const [file = '', ...more] = await indexLines(journey)
    assert.match(file, /^demo\/1773129600-1773133200-00001\.zip$/)
    assert.deepEqual(more, [])
    assert.ok(existsSync(join(journey.service.config.publicFolder, 'exports', file)))
  },
  async 'Every other phone downloads'(journey) {
    const [file = ''] = await indexLines(journey)
    const response = await fetch(`${journey.service.url}/exports/${file}`)
    assert.equal(response.status, 200)
    const etag = response.headers.get('etag') ?? ''
    const headers = { 'if-none-match': etag }
    const again = await fetch(`${journey.service.url}/exports/${file}`, { headers })
    assert.equal(again.status, 304)
  },
  async 'The phone verifies and matches'({ service, key, rollingStart }) {
    const publicKey = await (await fetch(`${service.url}/exports/demo/key.pem`)).text()
    const heardAt = 60
    const identifier = deriveIdentifiers(key, rollingStart, 144).subarray(
      heardAt * 16,
      heardAt * 16 + 16,
    )
    const near = createMatcher([{ identifier, interval: rollingStart + heardAt }])
    const far = createMatcher([{ identifier: randomBytes(16), interval: rollingStart + heardAt }])
    const found = { near: 0, far: 0 }
    const feed = { index: `${service.url}/exports/demo/index.txt`, trustedKeys: [{ publicKey }] }
    for await (const event of followFeed(feed)) {
      assert.notEqual(event.type, 'refused')
      if (event.type !== 'key') continue
      found.near += near.match(event.key).length
      found.far += far.match(event.key).length
    }
    assert.deepEqual(found, { near: 1, far: 0 })
  },
}

/** Yesterday's first interval: the key is no longer valid, so that it is published with the next window. */
function rollingStart(service: RunningService): number {
  return (Math.floor(service.clock.now().getTime() / 86_400_000) - 1) * 144
}

function submitted({ key, rollingStart }: Journey) {
  return {
    key: Buffer.from(key).toString('base64'),
    rollingStartNumber: rollingStart,
    rollingPeriod: 144,
    transmissionRisk: 0,
  }
}

async function post(
  { service }: Journey,
  path: string,
  body: unknown,
  apiKey: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify(body),
  })
  const reply = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(`${path}: ${response.status} ${String(reply['errorCode'])}`)
  return reply
}

function upload({ service }: Journey, body: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${service.url}/v1/publish`, { method: 'POST', headers, body })
}

async function indexLines({ service }: Journey): Promise<string[]> {
  return (await (await fetch(`${service.url}/exports/demo/index.txt`)).text()).split('\n')
}

async function count({ service }: Journey, zone: 'key' | 'authority'): Promise<number> {
  return (await readHead(service.zones[zone].db)).nextSeq
}

async function allTypes(
  { service }: Journey,
  zone: 'key' | 'authority' = 'key',
): Promise<string[]> {
  const types: string[] = []
  for await (const page of readEventRows(service.zones[zone].db, 0))
    types.push(...page.map((row) => decodeEvent(row.record).type))
  return types
}

async function lastType(journey: Journey, zone: 'key' | 'authority'): Promise<string | undefined> {
  return (await allTypes(journey, zone)).at(-1)
}
