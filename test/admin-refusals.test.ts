// Test: what the admin API refuses: keys, methods, bodies and names; none of it changes anything.

import assert from 'node:assert/strict'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { adminTest, APP, aSecond, BATCH, furnish } from './admin-zone.ts'
import { daysBefore } from './authority-zone.ts'

adminTest('nobody but an admin key of the realm itself gets in, anywhere', async (desk) => {
  const { zone, clock, call } = desk
  const addresses = await furnish(desk)
  const make = (given: object) =>
    addApiKey(
      zone.zone,
      { realm: zone.realm.name, type: 'admin', ...given },
      'command',
      clock.now(),
    )
  const keys = {
    none: null,
    empty: '',
    device: zone.deviceKey,
    stats: await make({ type: 'stats' }),
    "a provider's": await make({ provider: 'lab' }),
    'another secret': `${zone.adminKey.slice(0, 12)}${'A'.repeat(43)}`,
    nonsense: 'x',
  }
  await aSecond()
  // The day of its first use is noted.
  await call('GET', 'realm', { key: keys["a provider's"] })
  const before = await zone.dump()
  for (const [method, path, body] of addresses)
    for (const [name, key] of Object.entries(keys)) {
      // A laboratory activates cards with its own key.
      if (path === 'codes/activate' && name === "a provider's") continue
      // Whoever is not let in hears nothing of the body either.
      for (const sent of body === undefined ? [undefined] : [body, '{']) {
        const reply = await call(method, path, { key, body: sent })
        const told = `${method} ${path} with ${name}: ${JSON.stringify(reply.json)}`
        assert.deepEqual([reply.status, reply.json['code']], [401, 'unauthorized'], told)
        assert.equal(reply.headers.get('cache-control'), 'no-store', told)
        assert.deepEqual(Object.keys(reply.json).sort(), ['code', 'error'], told)
      }
    }
  assert.equal(await zone.dump(), before)
  const [, , activation] = addresses.find(([, path]) => path === 'codes/activate') ?? []
  const lab = { key: keys["a provider's"], body: activation }
  assert.equal((await call('POST', 'codes/activate', lab)).status, 200)
})

adminTest('an address says which methods it takes, and takes JSON alone', async (desk) => {
  const { zone, call } = desk
  const addresses = await furnish(desk)
  const before = await zone.dump()
  for (const path of new Set(addresses.map(([, each]) => each))) {
    const taken = addresses.filter(([, each]) => each === path).map(([method]) => method)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (taken.includes(method)) continue
      const reply = await call(method, path)
      assert.equal(reply.status, 405, `${method} ${path}`)
      assert.deepEqual(reply.headers.get('allow')?.split(', ').sort(), taken.toSorted())
    }
  }
  for (const [method, path, body] of addresses)
    if (body !== undefined) {
      const reply = await call(method, path, { body, headers: { 'content-type': 'text/plain' } })
      assert.deepEqual([reply.status, reply.json['code']], [415, 'unsupported_media_type'], path)
    }
  assert.equal(await zone.dump(), before)
})

adminTest(
  'what is not as it must be is refused with a sentence, and changes nothing',
  async (desk) => {
    const { zone, clock, call } = desk
    const addresses = await furnish(desk)
    await call('PATCH', 'providers/lab', { body: { displayName: 'Lab' } })
    const before = await zone.dump()
    const refuse = async (method: string, path: string, body: unknown, code: string) => {
      const reply = await call(method, path, { body })
      const told = `${method} ${path} ${JSON.stringify([body]).slice(0, 200)}: ${reply.status} ${JSON.stringify(reply.json)}`
      assert.ok(reply.status >= 400 && reply.status < 500, told)
      assert.equal(reply.json['code'], code, told)
      assert.match(String(reply.json['error']), /^[^{}]{10,300}$/, told)
      assert.equal(reply.headers.get('cache-control') === 'public', false)
    }
    for (const [method, path, body] of addresses) {
      if (typeof body !== 'object' || body === null) continue
      const text = JSON.stringify(body)
      for (const broken of ['', '{', '[]', '"x"', 'null', `${text} ${text}`, '\ufeff{}'])
        await refuse(method, path, broken, 'bad_request')
      await refuse(method, path, { ...body, further: 1 }, 'bad_request')
      await refuse(method, path, text.replace('{', '{"__proto__":{},'), 'bad_request')
      const [first = ''] = Object.keys(body)
      await refuse(method, path, text.replace('{', `{"${first}":null,`), 'bad_request')
      await refuse(method, path, `{"x":"${'x'.repeat(64_000)}"}`, 'request_too_large')
    }
    for (const [method, path, body, code] of badBodies(clock.now()))
      await refuse(method, path.replace('BATCH', 'ZZZZ'), body, code)
    assert.equal(await zone.dump(), before)
  },
)

const LONG = 'x'.repeat(101)

function badBodies(now: Date): (readonly [string, string, unknown, string])[] {
  const settings = [
    { displayName: LONG },
    { displayName: null },
    { shortLength: 5 },
    { shortLength: '8' },
    { shortLife: 1.5 },
    { testTypes: [] },
    { testTypes: ['flu'] },
    { dailyQuota: 0 },
    { gatewayUrl: 'http://127.0.0.1:1/' },
    { gatewayUrl: 'https://gateway.example/' },
    { linkDomain: 'links.example' },
    { textSender: 'gateway' },
    { bulk: 'yes' },
    { textTemplates: {} },
    { linkDomain: 'HTTP://x' },
    { certificateLife: 1e12 },
  ].map((body) => ['PATCH', 'realm', body, 'realm_invalid'] as const)
  const broken = [{ displayName: 'a\0b' }, { userReportTemplate: '\ud800' }, { issuer: 'x' }]
  const provider = { name: 'new', displayName: 'New' }
  const member = { name: 'bob', displayName: 'Bob', roles: ['issue'] }
  const activation = { code: 'x', testDate: daysBefore(now, 1) }
  return [
    ...settings,
    ...broken.map((body) => ['PATCH', 'realm', body, 'bad_request'] as const),
    ['PATCH', 'realm', { textTemplates: { default: '[code]\0' } }, 'bad_request'],
    ['PATCH', 'realm', { name: 'x' }, 'bad_request'],
    ...[0, -1, 1.5, 1_000_001, '5', null, 1e300].map(
      (extra) => ['POST', 'realm/quota', { extra }, 'bad_request'] as const,
    ),
    // The realm issues as many as it likes.
    ['POST', 'realm/quota', { extra: 5 }, 'bad_request'],
    ['POST', 'providers', { ...provider, name: 'Lab 1' }, 'provider_invalid'],
    ['POST', 'providers', { ...provider, name: 'lab' }, 'provider_exists'],
    ['POST', 'providers', { ...provider, displayName: '' }, 'provider_invalid'],
    ['POST', 'providers', { ...provider, displayName: LONG }, 'provider_invalid'],
    ['POST', 'providers', { name: 'new' }, 'bad_request'],
    ['POST', 'providers', { ...provider, state: 'closed' }, 'bad_request'],
    ['PATCH', 'providers/lab', { state: 'gone' }, 'bad_request'],
    ['PATCH', 'providers/lab', { name: 'lab2' }, 'bad_request'],
    ['PATCH', 'providers/none', { state: 'closed' }, 'provider_unknown'],
    ['PATCH', 'providers/%00', { state: 'closed' }, 'provider_unknown'],
    ['POST', 'providers/none/invalidate-codes', { preview: true }, 'provider_unknown'],
    ['POST', 'providers/lab/invalidate-codes', {}, 'bad_request'],
    ['POST', 'providers/lab/invalidate-codes', { preview: false }, 'bad_request'],
    ['POST', 'providers/lab/invalidate-codes', { retroactive: 1 }, 'bad_request'],
    ['POST', 'providers/lab/invalidate-codes', { preview: true, retroactive: true }, 'bad_request'],
    ['POST', 'staff', { ...member, name: 'ann' }, 'staff_exists'],
    ['POST', 'staff', { ...member, roles: [] }, 'staff_invalid'],
    ['POST', 'staff', { ...member, roles: ['king'] }, 'bad_request'],
    ['POST', 'staff', { ...member, roles: 'issue' }, 'bad_request'],
    ['POST', 'staff', { ...member, email: 'nobody' }, 'staff_invalid'],
    ['POST', 'staff', { ...member, email: '\udfff@example.org' }, 'bad_request'],
    ['POST', 'staff', { ...member, provider: 'ward' }, 'provider_unknown'],
    ['POST', 'staff', { ...member, dailyQuota: 0 }, 'staff_invalid'],
    ['PATCH', 'staff/none', { state: 'closed' }, 'staff_unknown'],
    ['PATCH', 'staff/%00', { state: 'closed' }, 'staff_invalid'],
    ['POST', 'api-keys', { type: 'root' }, 'bad_request'],
    ['POST', 'api-keys', { name: 'x' }, 'bad_request'],
    ['POST', 'api-keys', { type: 'admin', realm: 'other' }, 'bad_request'],
    ['POST', 'api-keys', { type: 'admin', provider: 'ward' }, 'provider_unknown'],
    ['POST', 'api-keys', { type: 'admin', expiresAt: 1 }, 'api_key_invalid'],
    ['POST', 'api-keys', { type: 'admin', name: LONG }, 'api_key_invalid'],
    ['DELETE', 'api-keys/none', undefined, 'api_key_unknown'],
    ['PUT', 'apps/care', { ...APP, name: 'other' }, 'app_invalid'],
    ['PUT', 'apps/care', { ...APP, appId: null }, 'app_invalid'],
    ['PUT', 'apps/Care', APP, 'app_invalid'],
    ['PUT', 'apps/care', { ...APP, storeUrl: 'javascript:x' }, 'app_invalid'],
    ['DELETE', 'apps/none', undefined, 'app_unknown'],
    ['POST', 'batches', { ...BATCH, size: 0 }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, size: 100_001 }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, size: '12' }, 'bad_request'],
    ['POST', 'batches', { ...BATCH, life: 60 }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, life: 2 ** 52 }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, testType: 'user-report' }, 'bad_request'],
    ['POST', 'batches', { ...BATCH, provider: 'ward' }, 'provider_unknown'],
    ['POST', 'batches', { ...BATCH, label: '' }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, language: 'x' }, 'batch_invalid'],
    ['POST', 'batches', { ...BATCH, paper: 'A5' }, 'bad_request'],
    ['POST', 'batches/BATCH/invalidate', { retroactive: false }, 'batch_unknown'],
    ['POST', 'batches/%00/invalidate', { retroactive: false }, 'batch_unknown'],
    ['POST', 'codes/activate', activation, 'code_invalid'],
    ['POST', 'codes/activate', { code: 'x' }, 'missing_date'],
    ['POST', 'codes/activate', { ...activation, testDate: '2026-02-30' }, 'unparsable_request'],
    ['POST', 'codes/activate', { ...activation, testDate: '2020-01-01' }, 'invalid_date'],
    ['POST', 'codes/activate', { testDate: '2026-11-24' }, 'bad_request'],
    ['POST', 'codes/invalidate', { retroactive: false }, 'bad_request'],
    ['POST', 'codes/invalidate', { uuid: 'x', code: 'x', retroactive: false }, 'bad_request'],
    ['POST', 'codes/invalidate', { uuid: 'x', retroactive: false }, 'code_invalid'],
    ['POST', 'codes/invalidate', { code: 'x', retroactive: true }, 'code_invalid'],
    ['POST', 'signing-keys/rotate', { purpose: 'all' }, 'bad_request'],
    ['POST', 'signing-keys/rotate', {}, 'bad_request'],
    ['DELETE', 'signing-keys/none', undefined, 'signing_key_unknown'],
    ['GET', 'withdrawal-orders/none', undefined, 'withdrawal_order_unknown'],
  ]
}
