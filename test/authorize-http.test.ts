// Test: the authority zone's three addresses as they are called from outside: headers, bodies, statuses.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { openDatabase, type Database } from '../src/db/database.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityZoneRoutes } from '../src/http/authority-zone-routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { openAuthorize, type AuthorizeContext } from '../src/authorize/context.ts'
import {
  authorizeOptions,
  codeRequest,
  getToken,
  outcomeOf,
  someKeysHmac,
  zoneTest,
  type TestAuthorityZone,
} from './authority-zone.ts'

const ADDRESSES = ['issue', 'verify', 'certificate'] as const

const unreadable = (name: string) =>
  name === 'certificate' ? 'token_invalid' : 'unparsable_request'

/** Serves the three addresses. */
async function serve(context: AuthorizeContext) {
  const app = await buildApp(authorityZoneRoutes(context), 'test', createLogger('silent'))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    async post(name: string, body: string, headers: Record<string, string>) {
      const response = await fetch(`${url}/api/${name}`, { method: 'POST', body, headers })
      const fields = (await response.json()) as Record<string, unknown>
      return { status: response.status, headers: response.headers, body: fields }
    },
    [Symbol.asyncDispose]: () => app.close(),
  }
}

/** Headers of a request with the key that belongs to it. */
function headersFor(zone: TestAuthorityZone, name: string): Record<string, string> {
  const key = name === 'issue' ? zone.adminKey : zone.deviceKey
  return { 'content-type': 'application/json; charset=utf-8', 'X-API-Key': key }
}

zoneTest('a health system and a phone go all the way over HTTP', async (zone, clock) => {
  await using server = await serve(zone.context)
  const post = async (name: string, body: object) => {
    const reply = await server.post(name, JSON.stringify(body), headersFor(zone, name))
    assert.equal(reply.status, 200)
    assert.match(reply.headers.get('content-type') ?? '', /^application\/json/)
    const { length } = JSON.stringify(reply.body)
    assert.ok(length >= 2_400 && length < 4_800, `${length}`)
    return reply.body
  }
  const { code } = await post('issue', codeRequest(clock.now()))
  const { token } = await post('verify', { code, padding: 'A'.repeat(5_000) })
  const { certificate } = await post('certificate', { token, ekeyhmac: someKeysHmac() })
  assert.match(String(certificate), /^[\w-]+\.[\w-]+\.[\w-]+$/)
})

zoneTest(
  'a request of another content type, too large or without a key is refused as each API knows it',
  async (zone, clock) => {
    const { token } = await getToken(zone)
    await using server = await serve(zone.context)
    const before = await zone.dump()
    const bodies = {
      issue: JSON.stringify(codeRequest(clock.now())),
      verify: JSON.stringify({ code: '12345678' }),
      certificate: JSON.stringify({ token, ekeyhmac: someKeysHmac() }),
    }
    for (const name of ADDRESSES) {
      const headers = headersFor(zone, name)
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'APPLICATION/JSON']) {
        const reply = await server.post(name, bodies[name], { ...headers, 'content-type': type })
        assert.deepEqual([reply.status, reply.body['errorCode']], [400, unreadable(name)], type)
        assert.equal(reply.body['error_code'], unreadable(name))
      }
      const large = bodies[name].replace('{', `{"padding":"${'A'.repeat(64_000)}",`)
      const tooLarge = await server.post(name, large, headers)
      assert.deepEqual([tooLarge.status, tooLarge.body['errorCode']], [400, unreadable(name)])

      const { 'X-API-Key': _, ...withoutKey } = headers
      const keyless = await server.post(name, bodies[name], withoutKey)
      const { error, errorCode } = keyless.body
      assert.deepEqual([keyless.status, error, errorCode], [401, 'unauthorized', ''])

      const got = await fetch(`${server.url}/api/${name}`)
      assert.equal(got.status, 405)
      assert.equal(got.headers.get('allow'), 'POST')
    }
    assert.equal(await zone.dump(), before)
  },
)

zoneTest('a body of 64,000 bytes is read', async (zone, clock) => {
  await using server = await serve(zone.context)
  const body = JSON.stringify({ ...codeRequest(clock.now()), padding: '' })
  const full = body.replace('"padding":""', `"padding":"${'A'.repeat(64_000 - body.length)}"`)
  assert.equal(full.length, 64_000)
  assert.equal((await server.post('issue', full, headersFor(zone, 'issue'))).status, 200)
})

zoneTest('a body that breaks off changes nothing', async (zone, clock) => {
  const { token } = await getToken(zone)
  await using server = await serve(zone.context)
  const before = await zone.dump()
  const { port } = new URL(server.url)
  const bodies = {
    issue: codeRequest(clock.now()),
    verify: { code: '12345678' },
    certificate: { token, ekeyhmac: someKeysHmac() },
  }
  for (const name of ADDRESSES) {
    const body = JSON.stringify(bodies[name])
    const lines = Object.entries({
      host: 'test',
      ...headersFor(zone, name),
      // One byte more than there will ever be: without it this would be a whole request.
      'content-length': String(body.length + 1),
    }).map(([header, value]) => `${header}: ${value}\r\n`)
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => undefined)
    socket.end(`POST /api/${name} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
    socket.resume()
    await once(socket, 'close')
  }
  assert.equal(await zone.dump(), before)
  assert.equal(outcomeOf(await zone.certify(bodies.certificate)), 'done')
})

zoneTest(
  'while the database is away every request is told to come back later',
  async (zone, clock) => {
    const { token } = await getToken(zone)
    const there = zone.zone.db
    await using nowhere = openDatabase({ host: '127.0.0.1', port: 1 }, 'authority_zone', 2)
    let isAway = false
    const db: Database = {
      ...there,
      query: (statement) => (isAway ? nowhere : there).query(statement),
      transaction: (work) => (isAway ? nowhere : there).transaction(work),
    }
    const options = authorizeOptions(() => clock.now())
    await using context = await openAuthorize({ ...zone.zone, db }, options)
    await using server = await serve(context)
    await server.post('verify', '{}', headersFor(zone, 'verify'))
    isAway = true
    const bodies = {
      issue: codeRequest(clock.now()),
      verify: { code: '12345678' },
      certificate: { token, ekeyhmac: someKeysHmac() },
    }
    for (const name of ADDRESSES) {
      const body = JSON.stringify(bodies[name])
      const reply = await server.post(name, body, headersFor(zone, name))
      assert.equal(reply.status, 503)
      assert.match(reply.headers.get('retry-after') ?? '', /^\d+$/)
      assert.equal(reply.body['errorCode'], 'internal_server_error')
      assert.match(String(reply.body['error']), /try again later/)
    }
  },
)
