// Test: what is refused between a positive test and a certificate: under which code, and that nothing changes by it.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { addRealm } from '../src/authorize/realms.ts'
import { sql } from '../src/db/sql.ts'
import {
  asRequest,
  codeRequest,
  getToken,
  someKeysHmac,
  testRealm,
  zoneTest,
  type Reply,
  type TestAuthorityZone,
} from './authority-zone.ts'
import { encodeBody } from './key-zone.ts'

/** Asserts a refusal in the shape that existing apps know. */
function assertRefused({ status, body }: Reply, expected: number, errorCode: string): void {
  const { error, padding, ...codes } = body
  assert.deepEqual({ status, ...codes }, { status: expected, errorCode, error_code: errorCode })
  assert.ok(typeof error === 'string' && error.length > 5 && error.length < 200, String(error))
  assert.ok(typeof padding === 'string')
}

/** Asserts that what happens in between leaves every row of the zone as it was. */
async function assertUnchanged(zone: TestAuthorityZone, work: () => Promise<void>): Promise<void> {
  const before = await zone.dump()
  await work()
  assert.equal(await zone.dump(), before)
}

const GARBAGE: readonly Uint8Array[] = [
  new Uint8Array(),
  ...['null', 'true', '7', '"code"', '[]', '[{}]', '{', '{"padding":"a"', '{}{}', "{'a':1}"].map(
    (text) => new TextEncoder().encode(text),
  ),
  new Uint8Array(64_000),
  randomBytes(1_000),
]

zoneTest('a body that is no JSON object, and fields that are not known', async (zone, clock) => {
  const { token } = await getToken(zone)
  await assertUnchanged(zone, async () => {
    for (const body of GARBAGE) {
      assertRefused(await zone.issue(body), 400, 'unparsable_request')
      assertRefused(await zone.verify(body), 400, 'unparsable_request')
      assertRefused(await zone.certify(body), 400, 'token_invalid')
    }
    const extra = { patient: 'x' }
    assertRefused(await zone.issue(codeRequest(clock.now(), extra)), 400, 'unparsable_request')
    assertRefused(await zone.verify({ code: '1', ...extra }), 400, 'code_invalid')
    assertRefused(await zone.certify({ token: '', ...extra }), 400, 'token_invalid')
    // Whatever a later version of an app adds, but nothing twice.
    const twice = encodeBody({ token, ekeyhmac: someKeysHmac(), x: 1, X: 2 })
    assertRefused(await zone.certify(twice), 400, 'token_invalid')
  })
  const future = { patient: 'x', nested: { a: [1] }, '': null }
  const { code } = (await zone.issue(codeRequest(clock.now()))).body
  const verified = await zone.verify({ code, ...future })
  assert.equal(verified.status, 200)
  const ekeyhmac = someKeysHmac()
  const certified = await zone.certify({ token: verified.body['token'], ekeyhmac, ...future })
  assert.equal(certified.status, 200)
})

zoneTest('fields of the wrong type, missing, null and huge', async (zone, clock) => {
  const { code, token } = await getToken(zone)
  const good = {
    issue: codeRequest(clock.now()),
    verify: { code },
    certify: { token, ekeyhmac: someKeysHmac() },
  }
  const huge = 'A'.repeat(60_000)
  await assertUnchanged(zone, async () => {
    for (const value of [1, true, ['x'], { x: 1 }]) {
      for (const name of ['testType', 'symptomDate', 'phone', 'uuid', 'padding'])
        assertRefused(await zone.issue({ ...good.issue, [name]: value }), 400, 'unparsable_request')
      for (const name of ['code', 'nonce', 'padding'])
        assertRefused(
          await zone.verify({ ...good.verify, [name]: value }),
          400,
          'unparsable_request',
        )
      for (const name of ['token', 'ekeyhmac', 'padding'])
        assertRefused(await zone.certify({ ...good.certify, [name]: value }), 400, 'token_invalid')
    }
    for (const accept of ['confirmed', 1, { 0: 'confirmed' }, [1], [['confirmed']]])
      assertRefused(await zone.verify({ code, accept }), 400, 'unparsable_request')
    assertRefused(await zone.verify({ code, accept: [null] }), 400, 'invalid_test_type')

    for (const nothing of [undefined, null, '']) {
      assertRefused(
        await zone.issue({ testType: 'confirmed', symptomDate: nothing }),
        400,
        'missing_date',
      )
      assertRefused(
        await zone.issue({ ...good.issue, testType: nothing }),
        400,
        'invalid_test_type',
      )
      assertRefused(await zone.verify({ code: nothing }), 400, 'code_invalid')
      assertRefused(await zone.certify({ ...good.certify, token: nothing }), 400, 'token_invalid')
      assertRefused(await zone.certify({ ...good.certify, ekeyhmac: nothing }), 400, 'hmac_invalid')
    }
    for (const name of ['symptomDate', 'uuid', 'externalIssuerID'])
      assertRefused(await zone.issue({ ...good.issue, [name]: huge }), 400, 'unparsable_request')
    assertRefused(await zone.verify({ code: huge }), 400, 'code_invalid')
    assertRefused(await zone.certify({ ...good.certify, token: huge }), 400, 'token_invalid')
    assertRefused(await zone.certify({ token, ekeyhmac: huge }), 400, 'hmac_invalid')
  })
})

zoneTest('each rule of asking for a code', async (zone, clock) => {
  const issue = (fields: Record<string, unknown>) => zone.issue(codeRequest(clock.now(), fields))
  const uuid = '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a'
  assert.equal((await issue({ uuid })).body['uuid'], uuid)
  await assertUnchanged(zone, async () => {
    assertRefused(await issue({ uuid }), 409, 'uuid_already_exists')
    assertRefused(await issue({ uuid: uuid.toUpperCase() }), 409, 'uuid_already_exists')
    assertRefused(await issue({ symptomDate: '2026-11-26' }), 400, 'invalid_date')
    assertRefused(await issue({ testDate: '2026-10-27' }), 400, 'invalid_date')
    assertRefused(await issue({ testDate: '2026-02-30' }), 400, 'unparsable_request')
    assertRefused(await issue({ phone: '+15551234567' }), 400, '')
    assertRefused(await issue({ onlyGenerateSMS: true }), 400, 'unparsable_request')
    assertRefused(await issue({ testType: 'user-report' }), 400, 'unsupported_test_type')
    assertRefused(await issue({ testType: 'positive' }), 400, 'invalid_test_type')
  })
})

zoneTest('each rule of swapping a code', async (zone, clock) => {
  const { code } = await getToken(zone)
  await assertUnchanged(zone, async () => {
    for (const other of [code.slice(1), `${code}0`, `${code}x`, '\ud800', '\u0000'])
      assertRefused(await zone.verify({ code: other }), 400, 'code_invalid')
    assertRefused(await zone.verify({ code, accept: ['positive'] }), 400, 'invalid_test_type')
    assertRefused(await zone.verify({ code, accept: [''] }), 400, 'invalid_test_type')
    assertRefused(await zone.verify({ code, nonce: '%' }), 400, 'unparsable_request')
    assertRefused(
      await zone.verify({ code, accept: ['user-report', 'x'] }),
      400,
      'invalid_test_type',
    )
    clock.advance(900)
    assertRefused(await zone.verify({ code }), 400, 'code_expired')
  })
})

zoneTest('each rule of swapping a token', async (zone, clock) => {
  const { token } = await getToken(zone)
  const ekeyhmac = someKeysHmac()
  await assertUnchanged(zone, async () => {
    for (const length of [0, 16, 31, 33, 64])
      assertRefused(
        await zone.certify({ token, ekeyhmac: randomBytes(length).toString('base64') }),
        400,
        'hmac_invalid',
      )
    assertRefused(await zone.certify({ token, ekeyhmac: `${ekeyhmac}%` }), 400, 'hmac_invalid')
    assertRefused(await zone.certify({ token: `${token}\n`, ekeyhmac }), 400, 'token_invalid')
    // Ours, but of a code that there is none of, or that says something else now.
    const unknown = { id: randomBytes(16), expiresAt: clock.now().getTime() / 1000 + 60 }
    const result = { testType: 'confirmed', symptomDate: '2026-11-22', testDate: null } as const
    const tokens = await zone.context.tokens()
    const forged = tokens.seal(unknown, result)
    assertRefused(await zone.certify({ token: forged, ekeyhmac }), 400, 'token_expired')
    const { id } = tokens.open(String(token), clock.now())
    for (const changed of [{ testType: 'likely' as const }, { testDate: '2026-11-22' }]) {
      const other = tokens.seal({ ...unknown, id }, { ...result, ...changed })
      assertRefused(await zone.certify({ token: other, ekeyhmac }), 400, 'token_expired')
    }
  })
  assert.equal((await zone.certify({ token, ekeyhmac })).status, 200)
  await assertUnchanged(zone, async () => {
    assertRefused(await zone.certify({ token, ekeyhmac: someKeysHmac() }), 400, 'token_expired')
  })
})

zoneTest('an API key that is none, of another type, or of nobody', async (zone, clock) => {
  const { code, token } = await getToken(zone)
  const { adminKey, deviceKey } = zone
  const tampered = (key: string) => key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')
  const prefixOf = (key: string) => key.split('.')[0] ?? ''
  const useless = (other: string, own: string) => [
    '',
    ' ',
    other,
    tampered(own),
    `${own} `,
    `${own}A`,
    prefixOf(own),
    `${prefixOf(own)}.${other.split('.')[1]}`,
    `${prefixOf(other)}.${own.split('.')[1]}`,
    `${randomBytes(8).toString('base64url')}.${randomBytes(32).toString('base64url')}`,
    "' or 1=1 --",
  ]
  await assertUnchanged(zone, async () => {
    for (const key of useless(deviceKey, adminKey)) {
      assertRefused(await zone.issue(codeRequest(clock.now()), key), 401, '')
      // Who has no key learns nothing of the request.
      assertRefused(await zone.issue({}, key), 401, '')
    }
    for (const key of useless(adminKey, deviceKey)) {
      assertRefused(await zone.verify({ code }, key), 401, '')
      assertRefused(await zone.certify({ token, ekeyhmac: someKeysHmac() }, key), 401, '')
    }
    const keyless = asRequest(undefined, { token, ekeyhmac: someKeysHmac() })
    assertRefused(await issueCertificate(zone.context, keyless), 401, '')
  })
})

zoneTest(
  'whatever JSON comes, the answer is a refusal that changes nothing',
  async (zone, clock) => {
    const { code, token } = await getToken(zone)
    const good = {
      issue: codeRequest(clock.now(), { uuid: '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a' }),
      verify: { code },
      certify: { token, ekeyhmac: someKeysHmac() },
    }
    await zone.issue(good.issue)
    await zone.certify(good.certify)
    // Without its uuid, a request for a code is a new one.
    const fieldsOf = (request: object) =>
      [...Object.keys(request), 'accept', 'externalIssuerID', 'tzOffset'].filter(
        (name) => name !== 'uuid',
      )
    const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.double())
    const body = fc
      .constantFrom('issue' as const, 'verify' as const, 'certify' as const)
      .chain((name) =>
        fc.record({
          name: fc.constant(name),
          field: fc.constantFrom(...fieldsOf(good[name])),
          value,
        }),
      )
    await assertUnchanged(zone, () =>
      fc.assert(
        fc.asyncProperty(body, async ({ name, field, value }) => {
          // A success is one that was given before.
          const { status } = await zone[name]({ ...good[name], [field]: value })
          assert.ok([200, 400, 409, 412].includes(status), String(status))
          if (name === 'issue') assert.notEqual(status, 200)
        }),
        { numRuns: 400 },
      ),
    )
  },
)

zoneTest('a realm or an API key that can not be made', async (zone, clock) => {
  const now = clock.now()
  const add = (fields: Record<string, string>) =>
    addRealm(zone.zone, { ...testRealm(), ...fields }, 'command', now)
  await assertUnchanged(zone, async () => {
    await assert.rejects(add({ name: zone.realm.name }), { code: 'realm_exists' })
    for (const name of ['', '1', 'A', '-a', 'a b', 'a/b', 'ä', 'a'.repeat(41)])
      await assert.rejects(add({ name }), { code: 'realm_invalid', message: /The name/ }, name)
    for (const text of ['', 'a b', 'ä', 'a\n', 'a'.repeat(201)]) {
      await assert.rejects(add({ issuer: text }), { code: 'realm_invalid', message: /issuer/ })
      await assert.rejects(add({ audience: text }), { code: 'realm_invalid', message: /audience/ })
    }
    await assert.rejects(addApiKey(zone.zone, { realm: 'nobody', type: 'admin' }, 'command', now), {
      code: 'realm_unknown',
    })
  })
})

zoneTest(
  'a signing key that is gone or another one is no key: no certificate, and the token waits',
  async (zone) => {
    const { token } = await getToken(zone)
    const ekeyhmac = someKeysHmac()
    const { db } = zone.zone
    const name = `signing key ${zone.realm.name}-v1`
    const { rows } = await db.query<{ wrapped: Uint8Array }>(
      sql`select wrapped from secret where name = ${name}`,
    )
    const wrapped = rows[0]?.wrapped
    await db.query(sql`delete from secret where name = ${name}`)
    await assertUnchanged(zone, async () => {
      await assert.rejects(zone.certify({ token, ekeyhmac }), /missing: restore the zone's secrets/)
    })
    await db.query(sql`insert into secret (name, version, wrapped) values (${name}, 1, ${wrapped})`)
    assert.equal((await zone.certify({ token, ekeyhmac })).status, 200)
  },
)
