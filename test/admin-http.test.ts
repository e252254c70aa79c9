// Test: the admin API over HTTP: what each address does, and whose things it reaches.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthorizeContext } from '../src/authorize/context.ts'
import { sql } from '../src/db/sql.ts'
import { adminRoutes } from '../src/http/admin-routes.ts'
import { ADDRESSES, adminTest, APP, aSecond, furnish, type AdminDesk } from './admin-zone.ts'
import { codeRequest } from './authority-zone.ts'

test('the list of addresses is whole', () => {
  const routes = adminRoutes({} as AuthorizeContext)
  const rows = routes.flatMap(({ methods, url }) =>
    methods.map((method) => `${method} ${url.replace('/api/v1/', '').replaceAll(/:[a-z]+/g, '*')}`),
  )
  const listed = ADDRESSES.map(
    ([method, path]) =>
      `${method} ${path.replaceAll(/(?<=^(providers|apps|staff|batches|api-keys|signing-keys|withdrawal-orders)\/)(?!rotate)[^/]+/g, '*')}`,
  )
  assert.deepEqual(listed.sort(), rows.sort())
})

adminTest("a realm neither sees nor touches another one's things", async (desk) => {
  const { zone, other, otherKey, call, done } = desk
  const addresses = await furnish(desk)
  await done(200, 'PATCH', 'realm', { dailyQuota: 1000, displayName: 'Own' })
  const own = async () =>
    Promise.all(
      addresses
        .filter(([method]) => method === 'GET')
        .map(async ([method, path]) => (await call(method, path)).json),
    )
  const before = await own()
  const foreign = { unknown: 0, own: 0 }
  for (const [method, path, body] of addresses) {
    const { status, bytes } = await call(method, path, { key: otherKey, body })
    const told = `${method} ${path}: ${status} ${Buffer.from(bytes).toString()}`
    const isNamed = /^[a-z-]+\/(?!rotate|quota|activate|invalidate)/.test(path)
    const isBoundToName = isNamed && method !== 'PUT' && path !== 'realm/quota'
    if (isBoundToName) {
      assert.equal(status, 404, told)
      foreign.unknown++
    } else if (path.startsWith('codes/')) {
      assert.equal(status, 400, told)
      assert.match(told, /"code_invalid"/)
    } else foreign.own++
    if (method === 'GET' && !isBoundToName)
      for (const name of [zone.realm.name, 'Ann', 'readers', 'Ward 7', 'org.example', '"lab"'])
        assert.ok(!told.includes(name), told)
  }
  assert.ok(foreign.unknown >= 9 && foreign.own >= 12, JSON.stringify(foreign))
  assert.deepEqual(await own(), before, 'what the other realm did shows nowhere here')
  const theirs = await call('GET', 'realm', { key: otherKey })
  assert.equal(theirs.json['name'], other.name)
  assert.equal((theirs.json['settings'] as { displayName: string }).displayName, 'Elsewhere')
})

adminTest('each look leaves a line in the log, and each change who did it', async (desk) => {
  const { zone, call, done } = desk
  const addresses = await furnish(desk)
  await done(200, 'PATCH', 'realm', { dailyQuota: 1000 })
  const by = `key:${zone.adminKey.slice(0, 11)}`
  for (const [method, path, body] of addresses) {
    const before = await newestEvents(desk)
    const { status, json } = await call(method, path, { body })
    const added = (await newestEvents(desk)).filter(({ seq }) => seq > (before[0]?.seq ?? 0))
    const told = `${method} ${path}: ${status} ${JSON.stringify(json)} ${JSON.stringify(added)}`
    if (path.startsWith('signing-keys/') && method === 'DELETE') {
      assert.equal(status, 409, told)
      continue
    }
    assert.ok(status < 300 && added.length > 0, told)
    assert.ok(
      added.every(
        ({ type, text }) => /^(batch\.codes|handle\.opened)$/.test(type) || text.includes(by),
      ),
      told,
    )
    assert.equal(added[0]?.type === 'looked-up' && added.length === 1, method === 'GET', told)
  }
})

/** The newest events first, their records as text. */
async function newestEvents({ zone }: AdminDesk) {
  const { rows } = await zone.zone.db.query<{ seq: number; record: Uint8Array; type: string }>(
    sql`select seq, type, record from event order by seq desc limit 5`,
  )
  return rows.map(({ seq, type, record }) => ({
    seq,
    type,
    text: Buffer.from(record).toString('latin1'),
  }))
}

adminTest('a revoked key opens nothing a second later, and a key is told once', async (desk) => {
  const { zone, call, done } = desk
  const made = await done(201, 'POST', 'api-keys', {
    type: 'admin',
    name: 'second',
    provider: null,
    dailyQuota: 7,
    expiresAt: 1_900_000_000,
  })
  const [key, prefix] = [String(made['apiKey']), String(made['prefix'])]
  await aSecond()
  assert.equal((await call('GET', 'realm', { key })).status, 200)
  const listed = await done(200, 'GET', 'api-keys')
  const own = (listed['apiKeys'] as Record<string, unknown>[]).find(
    (each) => each['prefix'] === prefix,
  )
  assert.deepEqual(own, {
    prefix,
    type: 'admin',
    name: 'second',
    provider: null,
    dailyQuota: 7,
    expiresAt: 1_900_000_000,
    revoked: false,
    lastUsedDay: 20_782,
  })
  assert.ok(!(await zone.dump()).includes(key.slice(12)))
  await done(204, 'DELETE', `api-keys/${prefix}`)
  await aSecond()
  assert.equal((await call('GET', 'realm', { key })).status, 401)
  assert.equal((await call('DELETE', `api-keys/${key}`)).status, 404)
})

adminTest(
  'settings, quota, members and apps are changed as asked',
  async ({ zone, clock, done, call }) => {
    const realm = await done(200, 'GET', 'realm')
    assert.equal(realm['name'], zone.realm.name)
    const changed = await done(200, 'PATCH', 'realm', { displayname: 'Own', dailyQuota: 10 })
    const settings = { ...(realm['settings'] as object), displayName: 'Own', dailyQuota: 10 }
    assert.deepEqual(changed, { ...realm, settings })
    assert.deepEqual(await done(200, 'GET', 'realm'), changed)
    const more = await done(200, 'POST', 'realm/quota', { extra: 5 })
    assert.deepEqual(more, { limit: 15, issued: 0, remaining: 15 })
    await done(200, 'POST', 'realm/quota', { extra: 2 })
    for (let n = 0; n < 3; n++) await zone.issue(codeRequest(clock.now()))
    assert.deepEqual(await done(200, 'GET', 'realm/quota'), { limit: 17, issued: 3, remaining: 14 })
    await done(200, 'PATCH', 'realm', { dailyQuota: null })
    const unlimited = { limit: null, issued: 3, remaining: null }
    assert.deepEqual(await done(200, 'GET', 'realm/quota'), unlimited)

    const lab = { name: 'lab', displayName: 'The lab', state: 'active' }
    assert.deepEqual(await done(200, 'GET', 'providers'), { providers: [lab], more: false })
    await done(201, 'POST', 'providers', { name: 'ward', displayName: 'Ward' })
    const closed = await done(200, 'PATCH', 'providers/ward', {
      state: 'closed',
      displayName: null,
    })
    assert.deepEqual(closed, { name: 'ward', displayName: 'Ward', state: 'closed' })
    assert.deepEqual(await done(200, 'GET', 'providers/ward'), closed)

    const ann = { name: 'ann', displayName: 'Ann', roles: ['issue'], email: 'a@b.example' }
    const member = { ...ann, provider: 'lab', state: 'active', dailyQuota: 9 }
    const added = await done(201, 'POST', 'staff', { ...ann, provider: 'lab', dailyQuota: 9 })
    assert.deepEqual(added, member)
    const changes = { email: null, dailyQuota: null, roles: ['manage', 'bulk'] }
    const after = await done(200, 'PATCH', 'staff/ann', changes)
    assert.deepEqual(after, { ...member, ...changes })
    assert.deepEqual(await done(200, 'GET', 'staff'), { staff: [after], more: false })

    assert.deepEqual(await done(200, 'PUT', 'apps/care', APP), { ...APP, name: 'care' })
    assert.deepEqual(await done(200, 'GET', 'apps/care'), { ...APP, name: 'care' })
    await done(204, 'DELETE', 'apps/care')
    assert.equal((await call('GET', 'apps/care')).status, 404)
    assert.deepEqual(await done(200, 'GET', 'apps'), { apps: [], more: false })
  },
)

adminTest('signing keys are replaced and destroyed', async ({ zone, clock, done }) => {
  const first = `${zone.realm.name}-v1`
  const next = await done(200, 'POST', 'signing-keys/rotate', { purpose: 'certificate' })
  assert.equal(next['kid'], `${zone.realm.name}-v2`)
  const again = await done(200, 'POST', 'signing-keys/rotate', { purpose: 'certificate' })
  assert.deepEqual(again, next)
  const refused = await done(409, 'DELETE', `signing-keys/${first}`)
  assert.equal(refused['code'], 'signing_key_in_use')
  clock.advance(3601)
  await done(204, 'DELETE', `signing-keys/${first}`)
  const { signingKeys } = await done(200, 'GET', 'signing-keys')
  const [old] = signingKeys as Record<string, unknown>[]
  assert.deepEqual([old?.['kid'], old?.['usedUntil']], [first, 0])
  assert.ok(old?.['destroyedAt'])
  assert.ok(!JSON.stringify(signingKeys).includes('PRIVATE'))
})
