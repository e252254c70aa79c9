// Test: the service over HTTP: what each address takes, how it refuses what it does not, and that its description is true.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { addOperator } from '../src/correct/operators.ts'
import { openApiDocument } from '../src/http/openapi.ts'
import { KINDS } from '../src/kinds.ts'
import type { Route } from '../src/http/route.ts'
import { buildRoutes, type RouteContext } from '../src/http/routes.ts'
import { sql } from '../src/db/sql.ts'
import { readHead } from '../src/log/read-events.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: JsonSchema }>> }
}

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

test('the committed OpenAPI document is the one that the routes give', async () => {
  const committed = await readFile(new URL('../docs/openapi.json', import.meta.url), 'utf8')
  assert.equal(await openApiDocument(KINDS), committed, 'npm run openapi writes it anew')
  const document = JSON.parse(committed) as OpenApi
  assert.match(document.openapi, /^3\.1\./)
  const addresses = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  for (const address of ['POST /v1/publish', 'POST /api/issue', 'GET /exports/{stream}/{file}'])
    assert.ok(addresses.includes(address), `${address} is described`)
})

databaseTestOnce(
  'every address refuses bad input with a code and a sentence',
  async (database, t) => {
    await using service = await startFor(database, t)
    const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as OpenApi
    const addresses = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([name, operation]) => {
        const method = name.toUpperCase()
        // What has no body is refused for its path or its key alone.
        return operation.requestBody === undefined
          ? []
          : [{ method, path, schema: bodySchema(operation) }]
      }),
    )
    const withBodies = routesOf()
      .flatMap(({ methods, url, requestBody }) =>
        requestBody ? methods.map((each) => `${each} ${url}`) : [],
      )
      .map((address) => address.replaceAll(/:(\w+)/g, '{$1}'))
    assert.deepEqual(
      addresses.map(({ method, path }) => `${method} ${path}`).sort(),
      withBodies.sort(),
    )
    assert.ok(addresses.length > 15, 'the table has them')
    const operatorKey = await addOperator(
      { ...service.zones.key, masterKey: service.zones.masterKey },
      { name: 'ann', role: 'correct' },
      'command',
      service.clock.now(),
    )
    const before = await changes(service)
    for (const { method, path, schema } of addresses)
      for (const [what, request] of badRequests(schema)) {
        if (what === 'an empty object' && ASKS_NOTHING.includes(path)) continue
        const response = await fetch(`${service.url}${path.replaceAll(/\{\w+\}/g, 'nothing')}`, {
          method,
          ...request,
          headers: { 'x-api-key': apiKeyFor(service, path, operatorKey), ...request.headers },
        })
        const body = (await response.json()) as Record<string, unknown>
        const told = `${method} ${path}, ${what}: ${response.status} ${JSON.stringify({ ...body, padding: '' })}`
        assert.ok(response.status >= 400 && response.status < 500, told)
        if (path.startsWith('/api/') && !path.includes('/cens'))
          assert.notEqual(response.status, 401, told)
        assert.match(String(body['code'] ?? body['errorCode']), /^[a-z_]*$/, told)
        // CovidWatch's apps know a sentence alone.
        assert.match(String(body['error'] ?? body['msg']), /^[^{}]{10,400}$/, told)
        if (path === '/v1/publish')
          assert.match(response.headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/, told)
      }
    assert.deepEqual(await changes(service), before, 'nothing was changed in either zone')
  },
)

databaseTestOnce('an address says which methods it takes', async (database, t) => {
  await using service = await startFor(database, t)
  for (const [method, path, allowed] of [
    ['GET', '/v1/publish', 'POST'],
    ['DELETE', '/exports/demo/index.txt', 'GET, HEAD'],
    ['PUT', '/health', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
  ] as const) {
    const response = await fetch(`${service.url}${path}`, { method })
    assert.equal(response.status, 405, `${method} ${path}`)
    assert.equal(response.headers.get('allow'), allowed)
  }
  const unknown = await fetch(`${service.url}/v2/publish`)
  assert.equal(unknown.status, 404)
  assert.deepEqual(Object.keys((await unknown.json()) as object).sort(), ['code', 'error'])
})

databaseTestOnce(
  'a body that ends early changes nothing and hurts nobody else',
  async (database, t) => {
    await using service = await startFor(database, t)
    const before = await heads(service)
    const { port } = new URL(service.url)
    for (const sent of [
      'POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"temp',
      'POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}',
      'POST /v1/publish HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
      'nonsense\r\n\r\n',
    ]) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(sent)
      socket.end()
      await new Promise((resolve) =>
        socket
          .once('close', resolve)
          .on('error', () => undefined)
          .resume(),
      )
    }
    assert.equal((await fetch(`${service.url}/health`)).status, 200)
    assert.deepEqual(await heads(service), before)
  },
)

databaseTestOnce(
  'whoever asks much and reads nothing loses the connection',
  async (database, t) => {
    await using service = await startFor(database, t)
    const { port } = new URL(service.url)
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    let answers = 0
    socket.setEncoding('latin1').on('data', (text: string) => {
      answers += text.split('HTTP/1.1 200').length - 1
    })
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500))
    const closed = new Promise((resolve) => socket.once('close', () => resolve(true)))
    assert.ok(await Promise.race([closed, setTimeout(5_000, false)]), 'the connection is closed')
    assert.ok(answers <= 32, `${answers} answers`)
    assert.equal((await fetch(`${service.url}/livez`)).status, 200)
  },
)

databaseTestOnce(
  'a full queue is refused with 503 and Retry-After, and nobody else is hurt',
  async (database, t) => {
    const folder = await temporaryFolder(t)
    await using service = await startService(database.url, folder, { TOCSIN_MAX_WAITING: '2' })
    const { zones, url } = service
    const authority = makeAuthority('org.example.busy', ['US'])
    await zones.key.db.transaction((tx) =>
      addHealthAuthority(tx, zones.key.writer, authority, service.clock.now()),
    )
    const bodies = await Promise.all(
      Array.from({ length: 60 }, () =>
        makeRequest(authority, makeKeys(service.clock.now(), 1), service.clock.now()),
      ),
    )
    const headers = { 'content-type': 'application/json' }
    const replies = await Promise.all(
      bodies.map((body) =>
        fetch(`${url}/v1/publish`, { method: 'POST', headers, body: JSON.stringify(body) }),
      ),
    )
    const busy = replies.filter(({ status }) => status === 503)
    const accepted = replies.filter(({ status }) => status === 200)
    assert.ok(
      busy.length > 0 && accepted.length > 0,
      `${busy.length} busy, ${accepted.length} accepted`,
    )
    assert.equal(busy.length + accepted.length, 60)
    for (const reply of busy) {
      assert.match(reply.headers.get('retry-after') ?? '', /^\d+$/)
      assert.match(reply.headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/)
      assert.equal(((await reply.json()) as { code: string }).code, 'unavailable')
    }
    const { rows } = await zones.key.db.query<{ n: number }>(sql`select count(*) as n from report`)
    assert.equal(rows[0]?.n, accepted.length)
  },
)

databaseTestOnce('health, the page at / and the description answer', async (database, t) => {
  await using service = await startFor(database, t)
  for (const path of ['/health', '/livez', '/readyz']) {
    const response = await fetch(`${service.url}${path}`)
    assert.deepEqual(await response.json(), { status: 'ok' }, path)
  }
  const home = await (await fetch(service.url)).text()
  assert.match(home, /<h1>Tocsin<\/h1>/)
  assert.doesNotMatch(home, /This is a demo/, 'a server is never a demo')
  const head = await fetch(service.url, { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(await head.text(), '')
})

async function startFor(database: TestDatabase, t: TestContext): Promise<RunningService> {
  return startService(database.url, await temporaryFolder(t))
}

/** How many events each zone's log has. */
async function heads(service: RunningService): Promise<number[]> {
  const { key, authority } = service.zones
  return [(await readHead(key.db)).nextSeq, (await readHead(authority.db)).nextSeq]
}

/** The events of each zone that are more than a count, or the day on which a key was used. */
async function changes({ zones: { key, authority } }: RunningService): Promise<number[]> {
  const counted = [key, authority].map(async ({ db }) => {
    const { rows } = await db.query<{ n: number }>(
      sql`select count(*) as n from event where type <> all(${COUNTS}::text[])`,
    )
    return rows[0]?.n ?? 0
  })
  return Promise.all(counted)
}

const COUNTS = ['stats.counted', 'api-key.used']

/** The rows of the route table that tell what they take, made without anything behind them. */
function routesOf(): Route[] {
  const context = { authorize: {}, stats: {}, v1alpha1: false, ofKinds: new Map() }
  return buildRoutes(context as unknown as RouteContext, KINDS)
}

/** Where all fields may be left out. */
const ASKS_NOTHING = ['/api/batch-issue', '/api/v1/realm']

const PHONES = ['/api/verify', '/api/certificate', '/api/user-report']

function apiKeyFor({ phones }: RunningService, path: string, operatorKey: string): string {
  if (path.startsWith('/api/v1/corrections')) return operatorKey
  return PHONES.includes(path) ? phones.deviceKey : phones.adminKey
}

function bodySchema(operation: Operation): JsonSchema {
  return operation.requestBody?.content['application/json']?.schema ?? {}
}

type BadRequest = [what: string, { body?: string | Uint8Array; headers?: Record<string, string> }]

const JSON_TYPE = { 'content-type': 'application/json' }

/** Everything that isn't a request of this shape. */
function badRequests(schema: JsonSchema): BadRequest[] {
  const json = (what: string, body: string | Uint8Array): BadRequest => [
    what,
    { body, headers: JSON_TYPE },
  ]
  const wrongTypes = Object.entries(schema.properties ?? {}).flatMap(([name, { type }]) =>
    WRONG_VALUES.filter(([wrong]) => ![type].flat().includes(wrong)).map(([wrong, value]) =>
      json(`${name} is a ${wrong}`, JSON.stringify({ [name]: value })),
    ),
  )
  return [
    ['no content type', { body: new TextEncoder().encode('{}') }],
    ['another content type', { body: '{}', headers: { 'content-type': 'text/plain' } }],
    ['a form', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['no body', { headers: JSON_TYPE }],
    json('an empty object', '{}'),
    json('null', 'null'),
    json('an array', '[]'),
    json('a text', '"x"'),
    json('a number', '7'),
    json('a truncated body', '{"padding":"abc'),
    json('two objects', '{}{}'),
    json('an unknown field', '{"unheardOf":1}'),
    json('a prototype as a field', '{"__proto__":{"a":1}}'),
    json('deep nesting', '['.repeat(30_000)),
    json('bytes that are no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
    json('a huge body', JSON.stringify({ padding: 'x'.repeat(70_000) })),
    json('a huge number', '{"symptomOnsetInterval":1e400,"tzOffset":1e400}'),
    ...wrongTypes,
  ]
}

const WRONG_VALUES: readonly [string, unknown][] = [
  ['string', 'x'],
  ['integer', 7],
  ['number', 7.5],
  ['boolean', true],
  ['array', [[]]],
  ['object', { a: 1 }],
]
