// Test: revision tokens; promises that their length tells nothing, and that nobody else can make or change one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  createRevisionTokens,
  mergeRevisable,
  TOKEN_CAPACITY,
  type RevisableKey,
} from './revision-token.ts'
import { LIMITS } from './validate-keys.ts'

const tokens = createRevisionTokens(new Uint8Array(32).fill(1))
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

test('a token gives back what was put into it', () => {
  const key = fc.record({
    keyData: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    rollingStart: fc.integer({ min: 0, max: 0x7fffffff }),
    rollingPeriod: fc.integer({ min: 1, max: 144 }),
  })
  fc.assert(
    fc.property(fc.array(key, { maxLength: TOKEN_CAPACITY }), (keys) => {
      assert.deepEqual(describeKeys(tokens.open(tokens.seal(keys))), describeKeys(keys))
    }),
  )
})

test('every token has one length, and the same keys give another token each time', () => {
  const lengths = [0, 1, 14, 59, TOKEN_CAPACITY].map((count) => tokens.seal(makeKeys(count)).length)
  assert.equal(new Set(lengths).size, 1)
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

test('the next token holds the keys of the one before that can still be uploaded, then the new ones', () => {
  const [key] = makeKeys(1) as [RevisableKey]
  const endingAt = (end: number) => ({ ...key, rollingStart: end - key.rollingPeriod })
  const kept = (previous: RevisableKey[], added: RevisableKey[] = []) =>
    mergeRevisable(previous, added, CURRENT).map((each) => each.rollingStart + each.rollingPeriod)
  assert.deepEqual(kept([endingAt(CURRENT - LIMITS.maxAge)]), [CURRENT - LIMITS.maxAge])
  assert.deepEqual(kept([endingAt(CURRENT - LIMITS.maxAge - 1)]), [])
  assert.deepEqual(kept([], [endingAt(CURRENT - LIMITS.maxAge - 1)]), [])
  assert.deepEqual(kept([endingAt(CURRENT)], [endingAt(CURRENT - 5)]), [CURRENT], 'the first stays')
})

test('a token with any byte changed, cut or added is none of ours', () => {
  const bytes = Buffer.from(tokens.seal(makeKeys(2)), 'base64')
  assert.equal(tokens.open(bytes.toString('base64'))?.length, 2)
  for (let index = 0; index < bytes.length; index++) {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ 1
    assert.equal(tokens.open(changed.toString('base64')), undefined, `byte ${index}`)
  }
  for (const length of [0, 1, 29, bytes.length - 1])
    assert.equal(tokens.open(bytes.subarray(0, length).toString('base64')), undefined)
  assert.equal(tokens.open(Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64')), undefined)
  for (const text of ['', '*', 'AAAA', 'not base64!'])
    assert.equal(tokens.open(text), undefined, text)
})

test('a token of another deployment, with another secret, is none of ours', () => {
  const theirs = createRevisionTokens(new Uint8Array(32).fill(2))
  assert.equal(tokens.open(theirs.seal(makeKeys(2))), undefined)
  assert.equal(theirs.open(tokens.seal(makeKeys(2))), undefined)
})
