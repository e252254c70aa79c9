// Test: our own key server reads what is published for it, in both forms.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseKeySet } from '../submit/jwks.ts'
import { jwksArray, jwksObject } from './jwks-document.ts'
import { importKey, makePrivateKey, publicHalf } from './key-pairs.ts'
import type { SigningKey } from './signing-keys.ts'

const NOW = new Date('2026-11-25T10:07:30Z')
const SECONDS = NOW.getTime() / 1000
const privateKey = importKey(makePrivateKey())

function signingKey(kid: string, fields: Partial<SigningKey>): SigningKey {
  const publicKey = publicHalf(importKey(makePrivateKey()))
  const names = { kid, realm: 'r', purpose: 'certificate', publicKey } as const
  return { ...names, madeAt: 0, usedFrom: 0, usedUntil: null, destroyedAt: null, ...fields }
}

const KEYS: readonly SigningKey[] = [
  signingKey('r-v1', { usedUntil: SECONDS - 48 * 3600, destroyedAt: SECONDS }),
  signingKey('r-v2', { usedUntil: SECONDS - 48 * 3600 + 1, destroyedAt: SECONDS }),
  signingKey('r-v3', { publicKey: publicHalf(privateKey), usedUntil: SECONDS + 3600 }),
  signingKey('r-v4', { madeAt: SECONDS, usedFrom: SECONDS + 3600 }),
  signingKey('r-v5', { usedUntil: 0, destroyedAt: SECONDS }),
  signingKey('r-v1sms', { purpose: 'text' }),
]

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

test('a key server reads the keys that are announced, in use, or were until two days ago', () => {
  const expected = KEYS.slice(1, 4).map(({ kid, publicKey }) => [kid, publicKey])
  for (const document of [jwksArray(KEYS, NOW), jwksObject(KEYS, NOW)]) {
    const offered = parseKeySet(bytesOf(document))
    assert.ok(typeof offered !== 'string')
    assert.deepEqual([...offered], expected)
  }
})

test('a key has the members that key servers know, and none that is private', () => {
  const { x, y } = privateKey.export({ format: 'jwk' })
  const expected = { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: 'r-v3', x, y }
  assert.deepEqual(jwksArray(KEYS, NOW)[1], expected)
  assert.ok(Array.isArray(jwksArray([], NOW)))
  assert.deepEqual(jwksObject([], NOW), { keys: [] })
})
