// Test: revision tokens; promises that their length tells nothing, and that nobody else can make or change one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  createRevisionTokens,
  createTokenKey,
  mergeRevisable,
  TOKEN_CAPACITY,
  type RevisableKey,
  type RevisionTokens,
} from './revision-token.ts'
import { LIMITS } from './validate-keys.ts'

/** 32 bytes that differ for each number. */
const bytesOf = (fill: number) => new Uint8Array(32).fill(fill)

/** Tokens under these versions of the key, the newest last. */
function tokensUnder(versions: readonly number[], deployment = 200, secretOf = (n: number) => n) {
  const keys = versions.map((version) =>
    createTokenKey(version, bytesOf(secretOf(version)), bytesOf(deployment)),
  )
  const newest = keys.at(-1)
  assert.ok(newest)
  return createRevisionTokens({
    newest: () => newest,
    find: (version) => keys.find((key) => key.version === version),
  })
}

const tokens = tokensUnder([1])
const CURRENT = 2_956_000

/** Some keys; the higher the index, the younger. */
function makeKeys(count: number, youngest = CURRENT): RevisableKey[] {
  return Array.from({ length: count }, (_, index) => {
    const keyData = new Uint8Array(16)
    new DataView(keyData.buffer).setUint32(0, index + 1)
    return { keyData, rollingStart: youngest - 200 - count + index, rollingPeriod: 144 }
  })
}

const describeKeys = (keys: readonly RevisableKey[] | undefined) =>
  keys?.map((key) => [
    Buffer.from(key.keyData).toString('hex'),
    key.rollingStart,
    key.rollingPeriod,
  ])

/** Of every token. */
const LENGTH = tokens.seal([]).length

test('a token gives back what was put into it, and has one length', () => {
  const key = fc.record({
    keyData: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    rollingStart: fc.integer({ min: 0, max: 0x7fffffff }),
    rollingPeriod: fc.integer({ min: 1, max: 144 }),
  })
  fc.assert(
    fc.property(fc.array(key, { maxLength: TOKEN_CAPACITY, size: 'max' }), (keys) => {
      const token = tokens.seal(keys)
      assert.equal(token.length, LENGTH)
      assert.deepEqual(describeKeys(tokens.open(token)), describeKeys(keys))
    }),
  )
})

test('every token has one length, and the same keys give another token each time', () => {
  for (let count = 0; count <= TOKEN_CAPACITY; count++)
    assert.equal(tokens.seal(makeKeys(count)).length, LENGTH, `${count} keys`)
  assert.equal(tokensUnder([2 ** 24 - 1]).seal(makeKeys(3)).length, LENGTH)
  assert.notEqual(tokens.seal(makeKeys(3)), tokens.seal(makeKeys(3)))
})

test('a token holds 60 keys; beyond that the oldest leave', () => {
  const previous = makeKeys(45)
  const added = makeKeys(45, CURRENT + 1).map((key) => ({
    ...key,
    keyData: Uint8Array.from(key.keyData, (byte, index) => (index === 15 ? 1 : byte)),
  }))
  const merged = mergeRevisable(previous, added, CURRENT)
  assert.equal(merged.length, TOKEN_CAPACITY)
  assert.equal(TOKEN_CAPACITY, 60)
  const starts = [...previous, ...added].map((key) => key.rollingStart).sort((a, b) => b - a)
  assert.deepEqual(
    merged.map((key) => key.rollingStart),
    starts.slice(0, TOKEN_CAPACITY),
  )
  assert.equal(tokens.open(tokens.seal(merged))?.length, TOKEN_CAPACITY)
})

test('the next token holds the keys of the one before that can still be uploaded, and the new ones', () => {
  const [key] = makeKeys(1) as [RevisableKey]
  const endingAt = (end: number) => ({ ...key, rollingStart: end - key.rollingPeriod })
  const kept = (previous: RevisableKey[], added: RevisableKey[] = []) =>
    mergeRevisable(previous, added, CURRENT).map((each) => each.rollingStart + each.rollingPeriod)
  assert.deepEqual(kept([endingAt(CURRENT - LIMITS.maxAge)]), [CURRENT - LIMITS.maxAge])
  assert.deepEqual(kept([endingAt(CURRENT - LIMITS.maxAge - 1)]), [])
  assert.deepEqual(kept([], [endingAt(CURRENT - LIMITS.maxAge - 1)]), [])
  assert.deepEqual(
    kept([endingAt(CURRENT)], [endingAt(CURRENT - 5)]),
    [CURRENT - 5],
    'the last sent counts',
  )
})

test('a token with any bit changed, or anything cut or added, is none of ours', () => {
  // Neighbours are live, so that a changed version names a key that there is.
  const many = tokensUnder([4, 5, 7, 6])
  const token = many.seal(makeKeys(2))
  const bytes = Buffer.from(token, 'base64')
  assert.equal(many.open(bytes.toString('base64'))?.length, 2)
  for (let index = 0; index < bytes.length * 8; index++) {
    const changed = Buffer.from(bytes)
    changed[index >> 3] = (changed[index >> 3] ?? 0) ^ (1 << (index & 7))
    assert.equal(many.open(changed.toString('base64')), undefined, `bit ${index}`)
  }
  // Nor does its text have bits that mean nothing.
  for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
    if (letter !== token.at(-1)) assert.equal(many.open(token.slice(0, -1) + letter), undefined)
  for (const length of [0, 1, 29, bytes.length - 1])
    assert.equal(many.open(bytes.subarray(0, length).toString('base64')), undefined)
  assert.equal(many.open(Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64')), undefined)
  for (const text of ['', '*', 'AAAA', 'not base64!'])
    assert.equal(many.open(text), undefined, text)
})

test('a token is sealed with the newest version, and opened with any that is live', () => {
  const token = tokensUnder([1, 2]).seal(makeKeys(2))
  const opens = (those: RevisionTokens) => those.open(token)?.length
  assert.equal(opens(tokensUnder([2])), 2)
  assert.equal(opens(tokensUnder([2, 3, 4])), 2)
  assert.equal(opens(tokensUnder([1])), undefined, 'not sealed with the older one')
  assert.equal(opens(tokensUnder([3, 4])), undefined, 'destroyed')
})

test('a token of another deployment, or under another secret, is none of ours', () => {
  const token = tokens.seal(makeKeys(2))
  assert.equal(tokensUnder([1]).open(token)?.length, 2)
  for (const theirs of [tokensUnder([1], 201), tokensUnder([1], 200, (version) => version + 1)]) {
    assert.equal(theirs.open(token), undefined)
    assert.equal(tokens.open(theirs.seal(makeKeys(2))), undefined)
  }
})
