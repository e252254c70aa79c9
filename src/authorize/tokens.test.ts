// Test: tokens and certificates are JWTs that others can read, and that nobody else can make.

import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { createJwtSigner } from './jwt.ts'
import { tokenKeysOf } from './token-keys.ts'
import { createTokens, openTokens, subjectOf, TOKEN_LIFE } from './tokens.ts'

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const { privateKey, publicKey } = keyPair()
const NOW = new Date('2026-11-25T12:00:00Z')
const SECONDS = NOW.getTime() / 1000
const TOKEN = { id: new Uint8Array(16).fill(7), expiresAt: SECONDS + TOKEN_LIFE }
const RESULT = {
  testType: 'confirmed',
  symptomDate: '2026-11-20',
  testDate: '2026-11-22',
} as const
const keys = tokenKeysOf([privateKey])
const tokens = createTokens(keys, 'issuer')

const isRefused = (text: string, now = NOW, by = tokens) =>
  assert.throws(() => by.open(text, now), { code: 'token_invalid' }, text)

test('a JWT of ours is one to another implementation', async () => {
  const jwt = createJwtSigner(privateKey, 'v1').sign({ a: 'b', n: 1 })
  const { payload, protectedHeader } = await jwtVerify(jwt, publicKey)
  assert.deepEqual(payload, { a: 'b', n: 1 })
  assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'JWT', kid: 'v1' })
})

test('a signer reads back what it signed, whatever the claims', () => {
  const signer = createJwtSigner(privateKey, 'v1')
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (claims) => {
      const asJson = JSON.parse(JSON.stringify(claims)) as unknown
      assert.deepEqual(signer.read(signer.sign(claims)), asJson)
    }),
    { numRuns: 100 },
  )
})

test('a token has the claims that existing apps and servers know', () => {
  const jwt = tokens.seal(TOKEN, RESULT)
  const { kid, ...header } = decodeProtectedHeader(jwt)
  assert.deepEqual(header, { alg: 'ES256', typ: 'JWT' })
  assert.match(String(kid), /^[\w-]{22}$/)
  assert.deepEqual(JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()), {
    iss: 'issuer',
    aud: 'issuer',
    iat: SECONDS,
    exp: SECONDS + 24 * 3600,
    jti: 'BwcHBwcHBwcHBwcHBwcHBw',
    sub: 'confirmed.2026-11-20.2026-11-22',
  })
})

test('a token says the test result, also when a date is unknown', () => {
  for (const result of [
    RESULT,
    { ...RESULT, symptomDate: null },
    { ...RESULT, testType: 'user-report' as const, testDate: null },
  ]) {
    const opened = tokens.open(tokens.seal(TOKEN, result), NOW)
    assert.deepEqual(opened, { id: Buffer.from(TOKEN.id), result })
  }
  assert.equal(subjectOf({ ...RESULT, symptomDate: null }), 'confirmed..2026-11-22')
  assert.equal(subjectOf({ ...RESULT, testDate: null }), 'confirmed.2026-11-20.')
})

test('a token lives until the second in which it expires', () => {
  const jwt = tokens.seal(TOKEN, RESULT)
  tokens.open(jwt, new Date(TOKEN.expiresAt * 1000 - 1))
  isRefused(jwt, new Date(TOKEN.expiresAt * 1000))
})

test('a token of another issuer or another key is none of ours', () => {
  isRefused(createTokens(keys, 'other').seal(TOKEN, RESULT))
  isRefused(createTokens(tokenKeysOf([keyPair().privateKey]), 'issuer').seal(TOKEN, RESULT))
})

test('no character of a token can be changed, left out or added', () => {
  const jwt = tokens.seal(TOKEN, RESULT)
  const position = fc.nat(jwt.length - 1)
  const character = fc.constantFrom(...'ABCXYZabcxyz019-_.=+/ \n'.split(''))
  fc.assert(
    fc.property(position, character, (at, by) => {
      if (jwt[at] !== by) isRefused(jwt.slice(0, at) + by + jwt.slice(at + 1))
      isRefused(jwt.slice(0, at) + by + jwt.slice(at))
      isRefused(jwt.slice(0, at))
    }),
    { numRuns: 300 },
  )
  // The last character carries bits that no byte of the signature needs.
  for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
    if (!jwt.endsWith(last)) isRefused(jwt.slice(0, -1) + last)
})

test('a token without our signature is refused, whatever its header says', async () => {
  const [header = '', payload = '', signature = ''] = tokens.seal(TOKEN, RESULT).split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const { kid } = decodeProtectedHeader(`${header}.${payload}.${signature}`)
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT', kid })).toString(
    'base64url',
  )
  for (const text of [
    '',
    '.',
    '..',
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${unsigned}.${payload}.`,
    `${unsigned}.${payload}.${signature}`,
    `${header}.${payload}.${signature}.${signature}`,
    `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
  ])
    isRefused(text)
  const sign = (alg: string, key: KeyObject | Uint8Array, typ = 'JWT') =>
    new SignJWT(claims).setProtectedHeader({ alg, typ, kid: String(kid) }).sign(key)
  const spki = publicKey.export({ type: 'spki', format: 'pem' })
  isRefused(await sign('HS256', Buffer.from(spki)))
  isRefused(await sign('ES256', keyPair().privateKey))
  isRefused(await sign('ES256', privateKey, 'at+jwt'))
})

test("after a new key the tokens of the old one are read, and new ones are the new key's", () => {
  const newer = keyPair().privateKey
  const both = createTokens(tokenKeysOf([privateKey, newer]), 'issuer')
  const old = tokens.seal(TOKEN, RESULT)
  assert.deepEqual(both.open(old, NOW), tokens.open(old, NOW))
  const sealed = both.seal(TOKEN, RESULT)
  assert.deepEqual(
    createTokens(tokenKeysOf([newer]), 'issuer').open(sealed, NOW),
    tokens.open(old, NOW),
  )
  isRefused(sealed)
  isRefused(old, NOW, createTokens(tokenKeysOf([newer]), 'issuer'))
})

test('whoever reads a token has its key looked for, and unchanged keys make nothing anew', async () => {
  let current = tokenKeysOf([privateKey])
  const asked: (string | undefined)[] = []
  const open = openTokens(
    {
      current: async (token) => {
        asked.push(token)
        return current
      },
    },
    'issuer',
  )
  const first = await open('token')
  assert.equal(await open(), first)
  assert.deepEqual(asked, ['token', undefined])
  current = tokenKeysOf([keyPair().privateKey])
  assert.notEqual(await open(), first)
})
