// Test: maintenance closes every API and nothing else: phones are told to come back, downloads and health go on.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiDocument } from '../src/http/openapi.ts'
import { KINDS } from '../src/kinds.ts'
import { readHead } from '../src/log/read-events.ts'
import { databaseTestOnce } from './database.ts'
import { CHAFF, openPhone, type Answer } from './http-phone.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
}

interface OpenApiOperation {
  readonly tags: readonly string[]
  readonly responses: Readonly<Record<string, unknown>>
}

interface ApiAddress {
  /** In capitals. */
  readonly method: string
  readonly path: string
  readonly operation: OpenApiOperation
}

/** Every address of an API that the document describes. */
async function apiAddresses(): Promise<ApiAddress[]> {
  const document = JSON.parse(await openApiDocument(KINDS)) as OpenApi
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { tags }]) => tags[0] === 'key zone' || tags[0] === 'authority zone')
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

test('every API says in its description that it may be closed', async () => {
  for (const { method, path, operation } of await apiAddresses())
    assert.ok(operation.responses['429'], `${method} ${path}`)
})

databaseTestOnce(
  'in maintenance every API answers 429 in its own shape, and changes nothing',
  async (database, t) => {
    await using service = await startClosed(database.url, await temporaryFolder(t))
    const phone = await openPhone(service)
    const before = await heads(service)
    const addresses = await apiAddresses()
    assert.ok(addresses.length > 30)
    for (const { method, path } of addresses)
      for (const body of method === 'POST' ? [await phone.makeUpload(), '{}', 'nonsense'] : [''])
        assertClosed(await phone.send(method, path, body), `${method} ${path}`)
    const answer = await phone.post('/v1/publish', await phone.makeUpload())
    assert.equal(answer.body['code'], 'maintenance')
    assert.match(answer.headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/)
    assert.equal(answer.headers.get('x-api-version'), 'v1')
    const verify = await phone.post('/api/verify', {})
    assert.equal(verify.body['errorCode'], 'maintenance_mode')
    assert.deepEqual(await heads(service), before)
  },
)

databaseTestOnce('in maintenance a decoy is told the same as anybody', async (database, t) => {
  await using service = await startClosed(database.url, await temporaryFolder(t))
  const phone = await openPhone(service)
  for (const path of ['/v1/publish', '/api/verify', '/api/certificate']) {
    const real = await phone.post(path, {})
    const decoy = await phone.post(path, {}, CHAFF)
    assertClosed(decoy, path)
    assert.deepEqual(Object.keys(decoy.body), Object.keys(real.body))
    assert.deepEqual([...decoy.headers.keys()], [...real.headers.keys()])
    assert.equal(decoy.unpadded, real.unpadded)
  }
})

databaseTestOnce('maintenance comes before whatever else is wrong', async (database, t) => {
  await using service = await startClosed(database.url, await temporaryFolder(t))
  const phone = await openPhone(service)
  const types = ['text/plain', 'application/json charset=utf-8', 'x']
  const bodies = [64_001, 300_000].map((length) => ' '.repeat(length))
  for (const path of ['/v1/publish', '/v1/stats', '/api/verify'])
    for (const decoy of [{}, CHAFF]) {
      for (const type of types)
        assertClosed(await phone.post(path, {}, { 'content-type': type, ...decoy }), path)
      for (const body of bodies) assertClosed(await phone.post(path, body, decoy), path)
    }
  const other = await fetch(`${service.url}/v1/publish`)
  assert.deepEqual([other.status, other.headers.get('allow')], [405, 'POST'])
})

databaseTestOnce('in maintenance downloads, pages and health go on', async (database, t) => {
  await using service = await startClosed(database.url, await temporaryFolder(t))
  for (const path of ['/health', '/livez', '/readyz']) {
    const response = await fetch(`${service.url}${path}`)
    assert.equal(response.status, 200, path)
    assert.deepEqual(await response.json(), { status: 'ok' }, path)
  }
  await service.publishDue()
  for (const path of ['/', '/openapi.json', '/exports/demo/key.pem'])
    assert.equal((await fetch(`${service.url}${path}`)).status, 200, path)
})

function startClosed(databaseUrl: string, folder: string): Promise<RunningService> {
  return startService(databaseUrl, folder, { TOCSIN_MAINTENANCE: 'true' })
}

function assertClosed({ status, headers, body }: Answer, path: string): void {
  assert.equal(status, 429, path)
  // Apps of other systems know the sentence under its own name, or as the whole answer.
  assert.equal(body['error'] ?? body['msg'] ?? body['text'], 'please try again later', path)
  assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/, path)
  const isText = path.endsWith('/diagnosis-keys')
  const type = isText ? /^text\/plain/ : /^application\/json/
  assert.match(headers.get('content-type') ?? '', type, path)
  // Phones and health systems as they always were; an issuer, and who administers a realm, has nothing to hide by its length.
  const isPadded = !/\/api\/v1\/|\/jwks|\/v1\/withdrawals/.test(path)
  if (isText) assert.ok(headers.has('tocsin-padding'), path)
  else assert.ok(!isPadded || String(body['padding']).length >= 1_368, path)
}

async function heads({ zones }: RunningService): Promise<number[]> {
  return [(await readHead(zones.key.db)).nextSeq, (await readHead(zones.authority.db)).nextSeq]
}
