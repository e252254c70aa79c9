// Test: the verification certificate; promises that each claim is checked at its borders, and only behind a good signature.

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { base64url, mac, requestOf, SECRET, SIGNER, signJws } from '../../test/certificate.ts'
import type { TrustedAuthority, VerificationKey } from './health-authorities.ts'
import type { PublishRequest } from './parse-publish.ts'
import { verifyCertificate, type CertifiedClaims } from './verify-certificate.ts'

const NOW = new Date('2026-03-20T10:00:00Z')
const SECONDS = NOW.getTime() / 1000
const LEEWAY = 5
const PUBLIC_PEM = SIGNER.publicKey.export({ type: 'spki', format: 'pem' }).toString()

function authorityWith(...keys: Partial<VerificationKey>[]): TrustedAuthority {
  const complete = keys.map((given) => ({
    kid: 'v1',
    publicKey: PUBLIC_PEM,
    validFrom: 0,
    key: SIGNER.publicKey,
    ...given,
  }))
  return {
    app: 'org.example.health',
    issuer: 'https://health.example/',
    audience: 'tocsin',
    regions: ['US'],
    disabled: false,
    keys: complete,
    verificationKeys: new Map(complete.map((key) => [key.kid, key])),
  }
}
const AUTHORITY = authorityWith({})

// From google/exposure-notifications-server, pkg/verification: the keys, and their HMACs under the bytes 00 to 0f.
const KEYS = [
  {
    key: 'z2Cx9hdz2SlxZ8GEgqTYpA==',
    rollingStart: 2_654_352,
    rollingPeriod: 144,
    transmissionRisk: 3,
  },
  {
    key: 'dPCphLzfG4uzXneNimkPRQ==',
    rollingStart: 2_654_208,
    rollingPeriod: 144,
    transmissionRisk: 5,
  },
  {
    key: '+nNnGnSHGaE5P0bWdhBXTg==',
    rollingStart: 2_654_064,
    rollingPeriod: 90,
    transmissionRisk: 0,
  },
]
const TEKMAC = 'lNXApCBv7sHOO3wCaAHrccsIvF+dgyxae1AHGhhLVfc='
const WITHOUT_RISKS = KEYS.map((key) => ({ ...key, transmissionRisk: 0 }))
const TEKMAC_FOUR_PARTS = 'yVqq1MMzyu5xJzak3PN5vi7DWHZ1nL/FZP0KX2jug3E='
const TEKMAC_THREE_PARTS = '8p2OARBRWHrsLdhxUOcszeo+puDm/ARmBpLOeTLVx/A='

const HEADER = { alg: 'ES256', kid: 'v1', typ: 'JWT' }
const CLAIMS = {
  iss: 'https://health.example/',
  aud: 'tocsin',
  iat: SECONDS,
  nbf: SECONDS,
  exp: SECONDS + 300,
  reportType: 'confirmed',
  symptomOnsetInterval: 2_654_100,
  tekmac: TEKMAC,
}

const verify = (
  certificate: string,
  given: { request?: Partial<PublishRequest>; authority?: TrustedAuthority; now?: number } = {},
): CertifiedClaims =>
  verifyCertificate(
    { ...requestOf(KEYS, certificate), ...given.request },
    given.authority ?? AUTHORITY,
    new Date((given.now ?? SECONDS) * 1000),
    LEEWAY,
  )

const withClaims = (claims: object, given: Parameters<typeof verify>[1] = {}) =>
  verify(signJws(HEADER, { ...CLAIMS, ...claims }), given)

function refused(run: () => CertifiedClaims, sentence: RegExp, what?: string): void {
  const code = 'health_authority_verification_certificate_invalid'
  assert.throws(run, { code, message: sentence }, what)
}

test('a certificate of the health authority over these very keys is believed', () => {
  assert.deepEqual(withClaims({}), {
    reportType: 'confirmed',
    symptomOnsetInterval: 2_654_100,
  })
})

test('nothing but ES256 is verified, whatever a certificate says of itself', () => {
  const payload = base64url(CLAIMS)
  const signed = (header: object) => `${base64url(header)}.${payload}`
  const none = signed({ ...HEADER, alg: 'none' })
  const hs256 = signed({ ...HEADER, alg: 'HS256' })
  // The public key as the secret: what a verifier that trusts `alg` would compute.
  const forged = createHmac('sha256', PUBLIC_PEM).update(hs256).digest('base64url')
  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
  const es384 = signed({ ...HEADER, alg: 'ES384' })
  const options = { key: p384.privateKey, dsaEncoding: 'ieee-p1363' } as const
  const certificates = {
    none: `${none}.`,
    'none with a signature': signJws({ ...HEADER, alg: 'none' }, CLAIMS),
    HS256: `${hs256}.${forged}`,
    ES384: `${es384}.${sign('sha384', Buffer.from(es384), options).toString('base64url')}`,
    'no alg': signJws({ kid: 'v1' }, CLAIMS),
    'lower case': signJws({ ...HEADER, alg: 'es256' }, CLAIMS),
    'an extension': signJws({ ...HEADER, crit: ['exp'] }, CLAIMS),
    'an empty list of extensions': signJws({ ...HEADER, crit: [] }, CLAIMS),
    'an unencoded payload': signJws({ ...HEADER, b64: false }, CLAIMS),
    'a header that is a list': signJws([HEADER], CLAIMS),
    'a header that is no JSON': signJws('{"alg":"ES256"', CLAIMS),
    nothing: '',
    'two parts': signed(HEADER),
    'four parts': `${signJws(HEADER, CLAIMS)}.`,
    'standard base64': `${base64url(HEADER)}=.${payload}.AAAA`,
    JSON: JSON.stringify({ ...HEADER, payload }),
  }
  for (const [what, certificate] of Object.entries(certificates))
    refused(() => verify(certificate), /a JWT signed with ES256/, what)
})

test('a signature is the key’s own over exactly these bytes', () => {
  const good = signJws(HEADER, CLAIMS)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const der = sign('sha256', Buffer.from(`${header}.${payload}`), SIGNER.privateKey)
  const changed = base64url({ ...CLAIMS, reportType: 'likely' })
  const certificates = {
    'another key': signJws(HEADER, CLAIMS, other.privateKey),
    'another key and no claims': signJws(HEADER, 'x', other.privateKey),
    'other claims': `${header}.${changed}.${signature}`,
    'another header': `${base64url({ ...HEADER, typ: 'x' })}.${payload}.${signature}`,
    none: `${header}.${payload}.`,
    cut: `${header}.${payload}.${signature.slice(0, -4)}`,
    zeros: `${header}.${payload}.${base64url(new Uint8Array(64))}`,
    DER: `${header}.${payload}.${der.toString('base64url')}`,
  }
  for (const [what, certificate] of Object.entries(certificates))
    refused(() => verify(certificate), /the signature is wrong/, what)
})

test('the kid names a key of the authority that is valid now', () => {
  for (const kid of [undefined, null, 1, ['v1']])
    refused(() => verify(signJws({ ...HEADER, kid }, CLAIMS)), /names no kid/)
  for (const kid of ['', 'v2', 'V1', 'v1 ', '__proto__'])
    refused(() => verify(signJws({ ...HEADER, kid }, CLAIMS)), /names no key that is valid now/)
  const outdated = (key: Partial<VerificationKey>) =>
    withClaims({}, { authority: authorityWith(key) }).outdated
  assert.equal(outdated({ validFrom: SECONDS }), undefined)
  assert.match(outdated({ validFrom: SECONDS + 1 })?.message ?? '', /no key that is valid now/)
  assert.equal(outdated({ validThrough: SECONDS + 1 }), undefined)
  assert.match(outdated({ validThrough: SECONDS })?.message ?? '', /no key that is valid now/)
  const second = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const two = authorityWith({}, { kid: 'v2', key: second.publicKey })
  const bySecond = (kid: string) => signJws({ ...HEADER, kid }, CLAIMS, second.privateKey)
  assert.equal(verify(bySecond('v2'), { authority: two }).reportType, 'confirmed')
  refused(() => verify(bySecond('v1'), { authority: two }), /the signature is wrong/)
})

test('issuer and audience are the registered ones; the audience may stand in a list', () => {
  for (const iss of [undefined, null, 'https://health.example', ['https://health.example/']])
    refused(() => withClaims({ iss }), /the issuer is not accepted/)
  for (const aud of [['tocsin'], ['other', 'tocsin']])
    assert.equal(withClaims({ aud }).reportType, 'confirmed')
  for (const aud of [undefined, null, '', 'Tocsin', [], ['other'], [['tocsin']], { tocsin: 1 }])
    refused(() => withClaims({ aud }), /the audience is not this service/)
})

test('a certificate counts until exp and from nbf and iat, a leeway allowed on both sides', () => {
  const problem = (claims: object) => withClaims(claims).outdated?.message
  for (const exp of [undefined, null, 0]) assert.match(problem({ exp }) ?? '', /exp is missing/)
  for (const exp of ['1', true, SECONDS + 0.5, 2 ** 64])
    assert.match(problem({ exp }) ?? '', /exp must be a whole number/)
  assert.equal(problem({ exp: 2 ** 63 - 1 }), undefined)
  assert.equal(problem({ exp: SECONDS - LEEWAY + 1 }), undefined)
  assert.match(problem({ exp: SECONDS - LEEWAY }) ?? '', /it has expired/)
  assert.match(problem({ exp: -1 }) ?? '', /it has expired/)
  for (const name of ['nbf', 'iat']) {
    for (const absent of [undefined, null])
      assert.equal(problem({ [name]: absent }), undefined, 'may be left out')
    assert.equal(problem({ [name]: SECONDS + LEEWAY }), undefined)
    assert.match(problem({ [name]: SECONDS + LEEWAY + 1 }) ?? '', /not valid yet \(NBF or IAT\)/)
    for (const value of ['now', SECONDS - 0.5, -(2 ** 64)])
      assert.match(problem({ [name]: value }) ?? '', /must be a whole number/)
  }
  const huge = JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":1e999')
  assert.match(verify(signJws(HEADER, huge)).outdated?.message ?? '', /exp must be a whole number/)
})

test('the report type is one of four', () => {
  for (const reportType of ['confirmed', 'likely', 'negative', 'user-report'])
    assert.equal(withClaims({ reportType }).reportType, reportType)
  for (const reportType of [
    undefined,
    null,
    '',
    'Confirmed',
    'positive',
    1,
    ['confirmed'],
    'toString',
  ])
    refused(() => withClaims({ reportType }), /reportType is missing or unknown/)
})

test('tekmac covers the keys as sent, in four parts, or in three when every risk is 0', () => {
  const request = { keys: [...WITHOUT_RISKS].reverse() }
  for (const tekmac of [TEKMAC_FOUR_PARTS, TEKMAC_THREE_PARTS])
    assert.equal(withClaims({ tekmac }, { request }).reportType, 'confirmed')
  assert.equal(withClaims({ tekmac: TEKMAC.replace('=', '') }).reportType, 'confirmed')
  const short = KEYS.map((key) => `${key.key}.${key.rollingStart}.${key.rollingPeriod}`)
  refused(() => withClaims({ tekmac: mac(short.sort().join(',')) }), /does not cover the keys/)
  const respelt = KEYS.map((key) => ({ ...key, key: key.key.replaceAll('=', '') }))
  const otherKeys = {
    'one fewer': KEYS.slice(1),
    'one twice': [...KEYS, ...KEYS.slice(0, 1)],
    'another period': KEYS.map((key) => ({ ...key, rollingPeriod: 90 })),
    'another spelling of the same bytes': respelt,
    none: [],
  }
  for (const [what, keys] of Object.entries(otherKeys))
    refused(() => withClaims({}, { request: { keys } }), /does not cover the keys/, what)
  const noMacs = [undefined, null, '', 1, '*', TEKMAC.slice(4), `AAAA${TEKMAC}`, [TEKMAC]]
  for (const tekmac of noMacs)
    refused(() => withClaims({ tekmac }), /tekmac is missing or not 32 bytes/)
})

test('an empty or missing secret is refused: under it anybody could make the HMAC', () => {
  const [only] = KEYS
  const text = `${only?.key}.${only?.rollingStart}.144.3`
  const covered = { keys: KEYS.slice(0, 1) }
  const claims = { tekmac: mac(text, new Uint8Array(0)) }
  for (const hmacKey of ['', '=', '\n', '*', 'A'])
    refused(() => withClaims(claims, { request: { ...covered, hmacKey } }), /hmacKey is missing/)
  const right = { ...covered, hmacKey: SECRET.toString('base64url') }
  assert.equal(withClaims({ tekmac: mac(text) }, { request: right }).reportType, 'confirmed')
})

test('claims are one JSON object of the right types and nothing behind it', () => {
  const text = JSON.stringify(CLAIMS)
  const payloads = [
    `${text}x`,
    `${text}{}`,
    `[${text}]`,
    'null',
    '"x"',
    '',
    `\ufeff${text}`,
    text.slice(1),
  ]
  for (const payload of [...payloads, Buffer.from(`${text.slice(0, -1)},"x":"\xff"}`, 'latin1')])
    refused(() => verify(signJws(HEADER, payload)), /no JSON object/)
  for (const claims of [{ sub: 1 }, { sub: {} }, { jti: 1 }, { jti: ['x'] }])
    refused(() => withClaims(claims), /must be a text/)
})

test('the onset is a whole number when there is one', () => {
  for (const symptomOnsetInterval of [undefined, null, 0])
    assert.equal(withClaims({ symptomOnsetInterval }).symptomOnsetInterval, 0)
  for (const symptomOnsetInterval of ['1', -1, 1.5, 2 ** 32, [1], true])
    refused(() => withClaims({ symptomOnsetInterval }), /symptomOnsetInterval must be/)
})

test('an issuer handle is 22 characters of base64url: 128 bits, spelt in one way', () => {
  assert.deepEqual(
    withClaims({ issuerHandle: 'AAECAwQFBgcICQoLDA0ODw' }).issuerHandle,
    Uint8Array.from({ length: 16 }, (_, index) => index),
  )
  for (const issuerHandle of [undefined, null])
    assert.equal('issuerHandle' in withClaims({ issuerHandle }), false)
  const wrong = [
    '',
    'AAECAwQFBgcICQoLDA0OD',
    'AAECAwQFBgcICQoLDA0ODx',
    'AAECAwQFBgcICQoLDA0OD+',
    'AAECAwQFBgcICQoLDA0ODw==',
    1,
    {},
  ]
  for (const issuerHandle of wrong)
    refused(() => withClaims({ issuerHandle }), /issuerHandle must be 22 characters/)
})

test('no refusal tells what is configured', () => {
  for (const claims of [{ iss: 'x' }, { aud: 'x' }, { tekmac: 'x' }])
    assert.throws(
      () => withClaims(claims),
      (error: Error) => !/health\.example|"?tocsin"?[^_]/.test(error.message),
    )
})
