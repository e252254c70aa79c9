// Test: tokens of several keys at once, and what is read of a token that anybody could have made up.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeProtectedHeader } from 'jose'
import { importKey, makePrivateKey } from './key-pairs.ts'
import { kidIn, tokenKeysOf } from './token-keys.ts'

const older = importKey(makePrivateKey())
const newer = importKey(makePrivateKey())
const keys = tokenKeysOf([older, newer])

test('the newest key signs, and each reads what it signed itself', () => {
  const old = tokenKeysOf([older]).newest()
  const token = keys.newest().sign({ by: 'newer' })
  const oldToken = old.sign({ by: 'older' })
  assert.notEqual(keys.newest().kid, old.kid)
  assert.deepEqual(keys.find(kidIn(token) ?? '')?.read(token), { by: 'newer' })
  assert.deepEqual(keys.find(kidIn(oldToken) ?? '')?.read(oldToken), { by: 'older' })
  assert.equal(keys.newest().read(oldToken), undefined)
  assert.equal(keys.find('')?.kid, undefined)
  assert.throws(() => tokenKeysOf([]))
})

test('a header names its key, to others as well', () => {
  const token = keys.newest().sign({})
  assert.equal(kidIn(token), keys.newest().kid)
  assert.equal(decodeProtectedHeader(token).kid, keys.newest().kid)
})

test('a header that can not be ours names nothing, and never fails', () => {
  const header = (value: unknown) =>
    `${Buffer.from(JSON.stringify(value)).toString('base64url')}.e30.AA`
  for (const value of [null, 7, 'kid', [], {}, { kid: 7 }, { kid: '' }, { kid: 'a'.repeat(23) }])
    assert.equal(kidIn(header(value)), undefined)
  assert.equal(kidIn(header({ kid: 'a'.repeat(22), more: 'x'.repeat(200) })), undefined)
  assert.equal(kidIn(header({ kid: 'a'.repeat(22) })), 'a'.repeat(22))
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.jsonValue().map(header)), (text) => {
      const kid = kidIn(text)
      assert.ok(kid === undefined || kid.length === 22)
    }),
  )
})
