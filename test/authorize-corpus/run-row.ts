// Test helper: runs a row against the routes over HTTP; promises to look at status, code, headers and the shape of the body each time.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { addApiKey, revokeApiKey } from '../../src/authorize/api-keys.ts'
import { openAuthorize, type AuthorizeContext } from '../../src/authorize/context.ts'
import { addRealm } from '../../src/authorize/realms.ts'
import { gatewaySecretName } from '../../src/authorize/senders.ts'
import { addSecretVersion } from '../../src/db/zone-secrets.ts'
import { buildApp } from '../../src/http/app.ts'
import { authorityZoneRoutes } from '../../src/http/authority-zone-routes.ts'
import { createLogger } from '../../src/operate/logger.ts'
import { authorizeOptions, daysBefore, openAuthorityData, someKeysHmac } from '../authority-zone.ts'
import type { movableClock } from '../key-zone.ts'
import { startPhones, type Phones } from './phones.ts'
import type { Address, Given, KeyKind, RealmName, Row, Subject } from './row.ts'

const DEVICE: readonly Address[] = ['verify', 'certificate', 'user-report']
const TYPES = ['device', 'admin', 'stats'] as const
type Keys = Readonly<Record<(typeof TYPES)[number] | 'revoked device' | 'revoked admin', string>>

/** The server with the realms of the rows. */
export interface Corpus extends AsyncDisposable {
  readonly url: string
  readonly context: AuthorizeContext
  readonly keys: ReadonlyMap<RealmName, Keys>
  readonly phones: Phones
  readonly clock: ReturnType<typeof movableClock>
}

/** A reply, its body parsed. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

function settingsOf(
  gatewayUrl: string,
): Readonly<Record<RealmName, Readonly<Record<string, unknown>>>> {
  return {
    main: {
      testTypes: ['confirmed', 'likely', 'negative', 'user-report'],
      adminUserReport: true,
      bulk: true,
      generateTexts: true,
      country: 'US',
      textSender: 'gateway',
      gatewayUrl,
      textTemplates: {
        default: 'Your long code is [longcode].',
        other: 'Another text: [longcode].',
      },
      userReportTemplate: 'Your code is [code].',
    },
    plain: {},
    dateless: { requireDate: false },
    limited: { dailyQuota: 2 },
    closed: { maintenance: true },
  }
}

/** Opens the zone of a database with the realms, and serves it. @param folder where the master key lies */
export async function openCorpus(
  ownerUrl: string,
  folder: string,
  clock: Corpus['clock'],
): Promise<Corpus> {
  const now = () => clock.now()
  const zones = await openAuthorityData(ownerUrl, folder, now)
  const { zone } = zones
  await addSecretVersion(zone.db, zone.masterKey, gatewaySecretName('main'), 0, now())
  const phones = await startPhones()
  const keys = new Map<RealmName, Keys>()
  for (const [name, settings] of Object.entries(settingsOf(phones.url)) as [RealmName, object][]) {
    await addRealm(
      zone,
      {
        name,
        issuer: `https://${name}.example`,
        audience: 'key-server',
        settings: { ...settings },
      },
      'command',
      now(),
    )
    const made = await Promise.all(
      [...TYPES, 'device', 'admin'].map((type) =>
        addApiKey(zone, { realm: name, type: type as (typeof TYPES)[number] }, 'command', now()),
      ),
    )
    const [device = '', admin = '', stats = '', oldDevice = '', oldAdmin = ''] = made
    for (const key of [oldDevice, oldAdmin])
      await revokeApiKey(zone, name, key.slice(0, 11), 'command', now())
    keys.set(name, { device, admin, stats, 'revoked device': oldDevice, 'revoked admin': oldAdmin })
  }
  const context = await openAuthorize(zone, authorizeOptions(now))
  const app = await buildApp(authorityZoneRoutes(context), 'test', createLogger('silent'), {
    trustedProxies: 1,
    now,
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    context,
    keys,
    phones,
    clock,
    async [Symbol.asyncDispose]() {
      await app.close()
      await phones[Symbol.asyncDispose]()
      await context[Symbol.asyncDispose]()
      await zones[Symbol.asyncDispose]()
    },
  }
}

let senders = 0

/** Sends a request and reads the reply. Each comes from a network of its own: guesses are slowed by networks. */
export async function exchange(
  corpus: Corpus,
  to: Address,
  init: Omit<RequestInit, 'headers'> & { readonly headers: Readonly<Record<string, string>> },
  query = '',
): Promise<Reply> {
  senders++
  const address = `10.${(senders >> 8) & 255}.${senders & 255}.1`
  const headers = { 'x-forwarded-for': address, ...init.headers }
  const response = await fetch(`${corpus.url}/api/${to}${query}`, { ...init, headers })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(text) as Reply['body'],
  }
}

/** A plain request with the right key. */
export async function post(
  corpus: Corpus,
  to: Address,
  body: unknown,
  realm: RealmName = 'main',
): Promise<Reply> {
  const headers = {
    'content-type': 'application/json',
    'x-api-key': keyOf(corpus, realm, to, 'right') ?? '',
  }
  return exchange(corpus, to, { method: 'POST', body: JSON.stringify(body), headers })
}

/** Brings a code into the state that a row asks for. */
export async function prepare(
  corpus: Corpus,
  realm: RealmName,
  { state = 'none', issue, dates, selfReport = false }: Given,
): Promise<Subject> {
  const day = (before: number) => daysBefore(corpus.clock.now(), before)
  const phone = corpus.phones.newNumber()
  const nonce = randomBytes(256).toString('base64')
  const nobody: Subject = {
    code: '00000000',
    longCode: '0'.repeat(16),
    uuid: '',
    token: '',
    ekeyhmac: someKeysHmac(),
    nonce,
    phone,
    day,
  }
  if (selfReport) {
    await accepted(corpus, 'user-report', { phone, nonce, testDate: day(1) }, realm)
    // The text leaves behind the answer.
    await corpus.context.background.idle()
    return { ...nobody, code: corpus.phones.codeOf(phone) }
  }
  if (state === 'none' && issue === undefined && dates === undefined) return nobody
  const wanted = dates?.(day) ?? { symptomDate: day(3) }
  const issued = await accepted(
    corpus,
    'issue',
    { testType: 'confirmed', ...wanted, ...issue },
    realm,
  )
  const code = String(issued['code'])
  const longCode = /[a-z0-9]{16}/.exec(String(issued['generatedSMS']))?.[0] ?? ''
  const subject = { ...nobody, code, longCode, uuid: String(issued['uuid']) }
  if (state === 'ended') await accepted(corpus, 'expirecode', { uuid: subject.uuid }, realm)
  const isClaimed = /claimed|certified/.test(state)
  const token = isClaimed
    ? String((await accepted(corpus, 'verify', { code }, realm))['token'])
    : ''
  if (state.includes('certified'))
    await accepted(corpus, 'certificate', { token, ekeyhmac: subject.ekeyhmac }, realm)
  if (state.startsWith('over')) corpus.clock.advance(901)
  return { ...subject, token }
}

async function accepted(corpus: Corpus, to: Address, body: object, realm: RealmName) {
  const reply = await post(corpus, to, body, realm)
  assert.equal(reply.status, 200, `${to}: ${String(reply.body['error'])}`)
  return reply.body
}

/** Runs a row. */
export async function runRow(corpus: Corpus, row: Row): Promise<void> {
  const { to, realm = 'main', method = 'POST', query = '', there, here = there } = row
  const subject = await prepare(corpus, row.codeOf ?? realm, row.given ?? {})
  const key = keyOf(corpus, realm, to, row.key ?? 'right')
  const { contentType = 'application/json' } = row
  const headers = {
    ...(contentType === null ? {} : { 'content-type': contentType }),
    ...(key === undefined ? {} : { 'x-api-key': key }),
    ...row.headers,
  }
  const body = bodyOf(row, subject)
  const sent =
    body === undefined ? { method, headers } : { method, headers, body: new Uint8Array(body) }
  const reply = await exchange(corpus, to, sent, query)
  assert.equal(outcomeOf(reply), here, String(reply.body['error']))
  checkReply(reply, to, row.headers?.['x-chaff'] !== undefined)
  row.check?.(reply.body, subject)
}

function bodyOf({ body: wanted, size }: Row, subject: Subject): Uint8Array | undefined {
  const body: unknown = typeof wanted === 'function' ? wanted(subject) : wanted
  if (body === undefined) return undefined
  if (body instanceof Uint8Array) return body
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  if (size === undefined) return Buffer.from(text)
  const empty = JSON.stringify({ ...(body as object), padding: '' })
  // In base64 there must be whole groups of four; what is left stands behind.
  const room = size - Buffer.byteLength(empty)
  const padding = 'A'.repeat(room - (room % 4))
  return Buffer.from(empty.replace('"padding":""', `"padding":"${padding}"`).padEnd(size))
}

function keyOf({ keys }: Corpus, realm: RealmName, to: Address, kind: KeyKind): string | undefined {
  const own = keys.get(realm)
  assert.ok(own, realm)
  const type = DEVICE.includes(to) ? 'device' : 'admin'
  const right = own[type]
  const kinds: Readonly<Record<KeyKind, string | undefined>> = {
    right,
    none: undefined,
    empty: '',
    malformed: 'key',
    unknown: `${randomBytes(8).toString('base64url')}.${randomBytes(32).toString('base64url')}`,
    'wrong secret': `${right.slice(0, 12)}${randomBytes(32).toString('base64url')}`,
    'wrong type': own[type === 'device' ? 'admin' : 'device'],
    stats: own.stats,
    revoked: own[`revoked ${type}`],
  }
  return kinds[kind]
}

/** The status, and the code where there is one. */
export function outcomeOf({ status, body }: Reply): string {
  return `${status} ${String(body['errorCode'] ?? '')}`.trim()
}

const FIELDS: Readonly<Record<Address, readonly string[]>> = {
  verify: ['testtype', 'token'],
  certificate: ['certificate'],
  'user-report': ['expiresAt', 'expiresAtTimestamp'],
  issue: [
    'uuid',
    'code',
    'expiresAt',
    'expiresAtTimestamp',
    'longExpiresAt',
    'longExpiresAtTimestamp',
  ],
  'batch-issue': ['codes'],
  checkcodestatus: ['claimed', 'expiresAtTimestamp', 'longExpiresAtTimestamp'],
  expirecode: ['uuid', 'expiresAtTimestamp', 'longExpiresAtTimestamp'],
}

/** What all replies have in common. */
export function checkReply({ status, headers, body }: Reply, to: Address, isDecoy = false): void {
  assert.equal(headers.get('content-type'), 'application/json')
  assert.match(String(body['padding']), /^[A-Za-z0-9+/=]*$/)
  assert.ok(JSON.stringify(body).length >= 2_400, 'as long as any')
  assert.equal(headers.get('allow'), status === 405 ? 'POST' : null)
  const retryAfter = headers.get('retry-after')
  assert.equal(retryAfter !== null, status === 429)
  assert.equal(headers.get('x-retry-after') !== null, status === 429)
  if (status !== 200) {
    assert.equal(typeof body['errorCode'], 'string')
    assert.equal(body['error_code'], body['errorCode'])
    assert.ok(String(body['error']).length > 5)
    if (status === 401) assert.equal(body['error'], 'unauthorized')
    return
  }
  assert.ok(!('error' in body) && !('errorCode' in body))
  if (!isDecoy) for (const name of FIELDS[to]) assert.ok(name in body, name)
}
