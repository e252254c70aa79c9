// Test: from a positive test to a certificate: what a health system and a phone get, once, again and too late.

import assert from 'node:assert/strict'
import { createHmac, createPublicKey, randomBytes } from 'node:crypto'
import { jwtVerify } from 'jose'
import { changeRealm, type Realm } from '../src/authorize/realms.ts'
import { listSigningKeys } from '../src/authorize/signing-keys.ts'
import { tekmacCleartexts } from '../src/format/tekmac.ts'
import type { TrustedAuthority } from '../src/submit/health-authorities.ts'
import { parsePublishRequest } from '../src/submit/parse-publish.ts'
import { verifyCertificate } from '../src/submit/verify-certificate.ts'
import {
  claimsIn,
  codeRequest,
  countEvents,
  daysBefore,
  getToken,
  outcomeOf,
  someKeysHmac,
  START,
  zoneTest,
  type TestAuthorityZone,
} from './authority-zone.ts'
import { encodeBody, makeKeys } from './key-zone.ts'

const SECONDS = Date.parse(START) / 1000

zoneTest('a positive test becomes a certificate that the key zone accepts', async (zone, clock) => {
  const testDate = daysBefore(clock.now(), 1)
  const issued = await zone.issue(codeRequest(clock.now(), { testDate }))
  assert.equal(issued.status, 200)
  const { code, uuid, padding: _, ...times } = issued.body
  assert.match(String(code), /^\d{8}$/)
  assert.match(
    String(uuid),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  assert.deepEqual(times, {
    expiresAt: 'Wed, 25 Nov 2026 10:22:30 UTC',
    expiresAtTimestamp: SECONDS + 900,
    longExpiresAt: 'Wed, 25 Nov 2026 10:22:30 UTC',
    longExpiresAtTimestamp: SECONDS + 900,
  })

  const verified = await zone.verify({ code, accept: ['confirmed'], nonce: '' })
  assert.equal(verified.status, 200)
  const { token, padding: __, ...result } = verified.body
  assert.deepEqual(result, { testtype: 'confirmed', symptomDate: '2026-11-22', testDate })

  const keys = makeKeys(clock.now(), 14)
  const hmacKey = randomBytes(16)
  const [cleartext = ''] = tekmacCleartexts(
    keys.map((key) => ({ ...key, rollingStart: key.rollingStartNumber })),
  )
  const ekeyhmac = createHmac('sha256', hmacKey).update(cleartext).digest('base64')
  const certified = await zone.certify({ token, ekeyhmac })
  assert.equal(certified.status, 200)
  const certificate = String(certified.body['certificate'])

  const { kid, publicKey } = await signingKeyOf(zone)
  const { protectedHeader, payload } = await jwtVerify(certificate, createPublicKey(publicKey), {
    currentDate: clock.now(),
  })
  assert.equal(kid, `${zone.realm.name}-v1`)
  assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'JWT', kid })
  const { issuerHandle, ...claims } = payload
  assert.match(String(issuerHandle), /^[\w-]{22}$/)
  assert.deepEqual(claims, {
    iss: zone.realm.issuer,
    aud: 'key-server',
    iat: SECONDS - 5,
    nbf: SECONDS - 5,
    exp: SECONDS + 900,
    reportType: 'confirmed',
    symptomOnsetInterval: Date.parse('2026-11-22T00:00:00Z') / 600_000,
    tekmac: ekeyhmac,
  })
  const request = {
    temporaryExposureKeys: keys,
    healthAuthorityID: 'app',
    verificationPayload: certificate,
    hmacKey: hmacKey.toString('base64'),
  }
  const parsed = parsePublishRequest(encodeBody(request))
  assert.deepEqual(verifyCertificate(parsed, trust(zone.realm, kid, publicKey), clock.now(), 0), {
    reportType: 'confirmed',
    symptomOnsetInterval: payload['symptomOnsetInterval'],
    issuerHandle: new Uint8Array(Buffer.from(String(issuerHandle), 'base64url')),
  })
})

/** The key that signs the certificates of the zone's realm. */
async function signingKeyOf({ zone, realm }: TestAuthorityZone) {
  const [key] = await listSigningKeys(zone.db, realm.name, 'certificate')
  return key ?? assert.fail('the realm has no key')
}

/** A realm as the key zone knows it once it is registered. */
function trust({ issuer, audience }: Realm, kid: string, publicKey: string): TrustedAuthority {
  const key = { kid, publicKey, validFrom: 0 }
  return {
    app: 'app',
    issuer,
    audience,
    regions: ['US'],
    disabled: false,
    keys: [key],
    verificationKeys: new Map([[kid, { ...key, key: createPublicKey(publicKey) }]]),
  }
}

zoneTest('what is not known is left out of replies and certificates', async (zone, clock) => {
  const asked = { testType: 'likely', symptomDate: '', testDate: daysBefore(clock.now(), 0) }
  const { body } = await zone.issue(codeRequest(clock.now(), asked))
  const verified = await zone.verify({ code: body['code'] })
  assert.equal('symptomDate' in verified.body, false)
  assert.equal(verified.body['testDate'], asked.testDate)
  const certified = await zone.certify({ token: verified.body['token'], ekeyhmac: someKeysHmac() })
  const claims = claimsIn(certified.body['certificate'])
  assert.equal(claims['reportType'], 'likely')
  assert.equal('symptomOnsetInterval' in claims, false)
})

zoneTest(
  'a phone that lost a reply asks again and goes on as if nothing had been',
  async (zone, clock) => {
    const { code } = (await zone.issue(codeRequest(clock.now()))).body
    const nonce = randomBytes(256).toString('base64')
    const { token } = (await zone.verify({ code, nonce })).body
    clock.advance(100)
    const again = await zone.verify({ code, nonce })
    assert.equal(again.status, 200)
    assert.deepEqual(claimsIn(again.body['token']), claimsIn(token))

    const ekeyhmac = someKeysHmac()
    const first = await zone.certify({ token, ekeyhmac })
    clock.advance(600)
    const { iat, nbf, exp, ...claims } = claimsIn(first.body['certificate'])
    for (const same of [token, again.body['token']]) {
      const repeated = claimsIn((await zone.certify({ token: same, ekeyhmac })).body['certificate'])
      // Valid from now on, or the phone could do nothing with it.
      const later = { iat: Number(iat) + 600, nbf: Number(nbf) + 600, exp: Number(exp) + 600 }
      assert.deepEqual(repeated, { ...claims, ...later })
    }
    const dump = await zone.dump()
    assert.equal(countEvents(dump, 'code.claimed'), 1)
    assert.equal(countEvents(dump, 'code.certified'), 1)
  },
)

zoneTest('the same keys count as the same in any spelling of base64', async (zone) => {
  const { token } = await getToken(zone)
  const bytes = Buffer.alloc(32, 0xfb)
  const spellings = [bytes.toString('base64'), bytes.toString('base64url')]
  for (const ekeyhmac of [...spellings, spellings[0]?.replace('=', '')]) {
    const { status, body } = await zone.certify({ token, ekeyhmac })
    assert.equal(status, 200)
    assert.equal(claimsIn(body['certificate'])['tekmac'], ekeyhmac)
  }
})

zoneTest(
  'a phone without a nonce that lost a reply gets a new token, and the one before has ended',
  async (zone, clock) => {
    const { code, token } = await getToken(zone)
    clock.advance(100)
    const again = await zone.verify({ code })
    assert.equal(again.status, 200)
    assert.notEqual(claimsIn(again.body['token'])['jti'], claimsIn(token)['jti'])
    const ekeyhmac = someKeysHmac()
    assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac })), 'token_expired')
    assert.equal(outcomeOf(await zone.certify({ token: again.body['token'], ekeyhmac })), 'done')
    assert.equal(countEvents(await zone.dump(), 'code.claimed'), 2)
  },
)

zoneTest(
  'two phones with one code: the last to swap it gets the only certificate',
  async (zone) => {
    const { code, token } = await getToken(zone)
    const other = (await zone.verify({ code })).body['token']
    const ekeyhmac = someKeysHmac()
    assert.equal(outcomeOf(await zone.certify({ token: other, ekeyhmac })), 'done')
    assert.equal(outcomeOf(await zone.verify({ code })), 'code_invalid')
    for (const used of [token, other]) {
      const refused = await zone.certify({ token: used, ekeyhmac: someKeysHmac() })
      assert.equal(refused.status, 400)
      assert.equal(refused.body['errorCode'], 'token_expired')
    }
    assert.equal(outcomeOf(await zone.certify({ token: other, ekeyhmac })), 'done')
  },
)

zoneTest('a code lives 15 minutes, claimed or not, and its token 24 hours', async (zone, clock) => {
  const claimed = await getToken(zone)
  const unclaimed = (await zone.issue(codeRequest(clock.now()))).body['code']
  clock.set(new Date((SECONDS + 899) * 1000 + 999))
  const renewed = await zone.verify({ code: claimed.code })
  assert.equal(outcomeOf(renewed), 'done')
  clock.set(new Date((SECONDS + 900) * 1000))
  for (const code of [claimed.code, unclaimed]) {
    const { status, body } = await zone.verify({ code })
    assert.deepEqual([status, body['errorCode']], [400, 'code_expired'])
  }
  const ekeyhmac = someKeysHmac()
  const { token } = renewed.body
  clock.set(new Date((SECONDS + 899 + 24 * 3600) * 1000 - 1))
  assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac })), 'done')
  clock.advance(0.001)
  const late = await zone.certify({ token, ekeyhmac })
  assert.deepEqual([late.status, late.body['errorCode']], [400, 'token_invalid'])
})

zoneTest(
  'a clock that was put back neither harms a code nor lets time go back in the log',
  async (zone, clock) => {
    const { body } = await zone.issue(codeRequest(clock.now()))
    clock.advance(-7200)
    const { token } = (await zone.verify({ code: body['code'] })).body
    assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac: someKeysHmac() })), 'done')
  },
)

zoneTest('a code that is sent as a link lives 24 hours in that form only', async (zone, clock) => {
  const settings = { generateTexts: true, textTemplates: { default: '[longcode]' } }
  await changeRealm(zone.zone, zone.realm.name, settings, 'command', clock.now())
  const asked = { phone: '+1 202 555 0123', onlyGenerateSMS: true }
  const { body } = await zone.issue(codeRequest(clock.now(), asked))
  assert.equal(body['longExpiresAtTimestamp'], SECONDS + 24 * 3600)
  const [short, long] = [body['code'], body['generatedSMS']]
  clock.advance(3600)
  assert.equal(outcomeOf(await zone.verify({ code: short })), 'code_expired')
  assert.equal(outcomeOf(await zone.verify({ code: long })), 'done')
  clock.advance(23 * 3600)
  assert.equal(outcomeOf(await zone.verify({ code: long })), 'code_expired')
})

zoneTest(
  'an app that can not deal with a result is told so, and the code stays as it was',
  async (zone, clock) => {
    const { body } = await zone.issue(codeRequest(clock.now(), { testType: 'negative' }))
    // The first request of a day says that the API key is used.
    await zone.verify({})
    const before = await zone.dump()
    for (const accept of [['confirmed'], ['likely'], ['user-report'], ['LIKELY', 'user-report']]) {
      const refused = await zone.verify({ code: body['code'], accept })
      assert.deepEqual(
        [refused.status, refused.body['errorCode'], refused.body['error_code']],
        [412, 'unsupported_test_type', 'unsupported_test_type'],
      )
    }
    assert.equal(await zone.dump(), before)
    for (const accept of [['Negative'], [], null])
      assert.equal((await zone.verify({ code: body['code'], accept })).body['testtype'], 'negative')
  },
)
