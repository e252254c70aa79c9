// Test: the public keys of realms, statistics and links as the whole route table serves them.

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { rotateNow } from '../src/authorize/key-schedule.ts'
import { adminTest, aSecond, setByOperator } from './admin-zone.ts'
import { countEvents, getToken, someKeysHmac } from './authority-zone.ts'
import { ANDROID } from './link-server.ts'

adminTest('a certificate verifies with the keys that the realm publishes', async (desk) => {
  const { zone, clock, other, call } = desk
  const { name, number } = zone.realm
  const { token } = await getToken(zone)
  const { body } = await zone.certify({ token, ekeyhmac: someKeysHmac() })
  const [head = '', payload = '', signature = ''] = String(body['certificate']).split('.')
  const reply = await call('GET', `/jwks/${name}`, { key: null })
  assert.equal(reply.status, 200)
  assert.equal(reply.headers.get('cache-control'), 'public, max-age=300')
  const keys = reply.json as unknown as readonly Record<string, string>[]
  assert.deepEqual(
    keys.map(({ kid, kty, crv, alg, use }) => [kid, kty, crv, alg, use]),
    [[`${name}-v1`, 'EC', 'P-256', 'ES256', 'sig']],
  )
  const key = createPublicKey({ key: keys[0] ?? {}, format: 'jwk' })
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  const signed = Buffer.from(`${head}.${payload}`)
  assert.ok(verify('sha256', signed, options, Buffer.from(signature, 'base64url')))

  assert.deepEqual((await call('GET', `/jwks/${number}`)).json, keys)
  assert.deepEqual((await call('GET', `/jwks/${name}.json`)).json, { keys })
  assert.deepEqual((await call('GET', `/jwks/${number}.json`)).json, { keys })
  assert.notDeepEqual((await call('GET', `/jwks/${other.name}`)).json, keys)
  const headless = await call('HEAD', `/jwks/${name}`)
  assert.deepEqual([headless.status, headless.bytes.length], [200, 0])

  await rotateNow(zone.zone, name, 'certificate', 'command', clock.now())
  await rotateNow(zone.zone, name, 'text', 'command', clock.now())
  await aSecond()
  const rotated = (await call('GET', `/jwks/${name}`)).json as unknown as { kid: string }[]
  assert.deepEqual(
    rotated.map(({ kid }) => kid),
    [`${name}-v1`, `${name}-v2`],
  )
})

adminTest(
  'unknown realms and other methods are refused, and nothing is asked of a log',
  async (desk) => {
    const { zone, call } = desk
    const before = await zone.dump()
    for (const path of [
      'none',
      '0',
      '9',
      '01',
      '1.5',
      '-1',
      '%00',
      '1.json.json',
      'x'.repeat(90),
      '.json',
    ]) {
      const reply = await call('GET', `/jwks/${path}`)
      assert.deepEqual([reply.status, reply.json['code']], [404, 'not_found'], path)
      assert.equal(reply.headers.get('cache-control'), 'no-store')
    }
    assert.equal((await call('POST', `/jwks/${zone.realm.name}`, { body: {} })).status, 405)
    await call('GET', `/jwks/${zone.realm.name}`)
    assert.equal(await zone.dump(), before)
  },
)

adminTest('statistics are told to a stats key, and the look is in the log', async (desk) => {
  const { zone, clock, call } = desk
  const stats = await addApiKey(
    zone.zone,
    { realm: zone.realm.name, type: 'stats' },
    'command',
    clock.now(),
  )
  await aSecond()
  const reply = await call('GET', '/api/stats/realm.json', { key: stats })
  assert.equal(reply.status, 200)
  assert.equal(reply.json['realm_id'], zone.realm.number)
  assert.equal(countEvents(await zone.dump(), 'looked-up'), 1)
  for (const key of [zone.adminKey, zone.deviceKey, null])
    assert.equal((await call('GET', '/api/stats/realm.json', { key })).status, 401)
  assert.equal(countEvents(await zone.dump(), 'looked-up'), 1)
})

adminTest("a host's association files name the apps of its realm", async (desk) => {
  const { url, done } = desk
  await setByOperator(desk, { linkDomain: '127.0.0.1' })
  const { name, ...app } = ANDROID
  await done(200, 'PUT', `apps/${name}`, app)
  await aSecond()
  const response = await fetch(`${url}/.well-known/assetlinks.json`)
  assert.equal(response.status, 200)
  assert.match(await response.text(), /org\.example\.care/)
  const elsewhere = await fetch(
    `${url.replace('127.0.0.1', 'localhost')}/.well-known/assetlinks.json`,
  )
  assert.equal(elsewhere.status, 404)
})
