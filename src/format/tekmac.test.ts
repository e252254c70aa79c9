// Test: the text under a certificate's HMAC: known values of the existing servers, and the order of bytes.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { compareTexts, tekmacCleartexts, type MacedKey } from './tekmac.ts'

/** The HMACs that a certificate may hold for these keys, in base64. */
function tekmacs(secretHex: string, keys: readonly MacedKey[]): string[] {
  return tekmacCleartexts(keys).map((text) =>
    createHmac('sha256', Buffer.from(secretHex, 'hex')).update(text).digest('base64'),
  )
}

function keyOf(key: string, start: number, period: number, risk: number): MacedKey {
  return { key, rollingStart: start, rollingPeriod: period, transmissionRisk: risk }
}

// google/exposure-notifications-server, pkg/verification/utils_test.go at 2041f77a.
const UPSTREAM_SECRET = '0102030405060708090a0b0c0d0e0f10'

test('the values of the reference server with risks', () => {
  const keys = [
    keyOf('z2Cx9hdz2SlxZ8GEgqTYpA==', 1, 144, 3),
    keyOf('dPCphLzfG4uzXneNimkPRQ==', 144, 144, 5),
  ]
  assert.deepEqual(tekmacCleartexts(keys), [
    'dPCphLzfG4uzXneNimkPRQ==.144.144.5,z2Cx9hdz2SlxZ8GEgqTYpA==.1.144.3',
  ])
  assert.deepEqual(tekmacs(UPSTREAM_SECRET, keys), ['2u1nHt5WWurJytFLF3xitNzM99oNrad2y4YGOL53AeY='])
})

test('the values of the reference server when no key has a risk: with and without it', () => {
  const keys = [
    keyOf('z2Cx9hdz2SlxZ8GEgqTYpA==', 1, 144, 0),
    keyOf('dPCphLzfG4uzXneNimkPRQ==', 144, 144, 0),
  ]
  assert.deepEqual(tekmacs(UPSTREAM_SECRET, keys), [
    'mFNI9zhTA17n4ndd1Vu5tsn4XQX0gPrIKyjeh/9noUE=',
    'J9S7xVebH/66dm14wGsIcAnSUR3PHD4NtDQEOGZbDUo=',
  ])
})

test('the values of the reference server for three keys, one of which begins with a plus', () => {
  const secret = '000102030405060708090a0b0c0d0e0f'
  const withRisks = (...risks: [number, number, number]) => [
    keyOf('z2Cx9hdz2SlxZ8GEgqTYpA==', 2654352, 144, risks[0]),
    keyOf('dPCphLzfG4uzXneNimkPRQ==', 2654208, 144, risks[1]),
    keyOf('+nNnGnSHGaE5P0bWdhBXTg==', 2654064, 90, risks[2]),
  ]
  assert.deepEqual(tekmacs(secret, withRisks(3, 5, 0)), [
    'lNXApCBv7sHOO3wCaAHrccsIvF+dgyxae1AHGhhLVfc=',
  ])
  assert.deepEqual(tekmacs(secret, withRisks(0, 0, 0)), [
    'yVqq1MMzyu5xJzak3PN5vi7DWHZ1nL/FZP0KX2jug3E=',
    '8p2OARBRWHrsLdhxUOcszeo+puDm/ARmBpLOeTLVx/A=',
  ])
})

test('the order in which keys are sent makes no difference, and the order of the text is that of bytes', () => {
  const key = fc.record({
    key: fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => Buffer.from(bytes).toString('base64')),
    rollingStart: fc.nat(3_000_000),
    rollingPeriod: fc.integer({ min: 1, max: 144 }),
    transmissionRisk: fc.nat(8),
  })
  const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 30, selector: (each) => each.key })
  const shuffled = keys.chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
    ),
  )
  fc.assert(
    fc.property(shuffled, ([list, again]) => {
      const [text = ''] = tekmacCleartexts(list)
      assert.deepEqual(tekmacCleartexts(again), tekmacCleartexts(list))
      const order = text.split(',').map((each) => Buffer.from(each.split('.')[0] ?? ''))
      assert.deepEqual(order, [...order].sort(Buffer.compare))
    }),
  )
})

test('texts that are no base64 have the order of their bytes, too', () => {
  const order = [
    '',
    'A',
    'AA',
    'a',
    '\u00e4',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{1f600}',
  ]
  assert.deepEqual([...order].reverse().sort(compareTexts), order)
  const keys = ['\u{1f600}', '\uffff'].map((key) => keyOf(key, 1, 144, 3))
  assert.deepEqual(tekmacCleartexts(keys), ['\uffff.1.144.3,\u{1f600}.1.144.3'])
  const text = fc.string({ unit: fc.constantFrom('A', '\uffff', '\u{1f600}', '\ud83d', '\ude00') })
  fc.assert(
    fc.property(text, text, (a, b) => {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b))
      if (bytes !== 0) assert.equal(Math.sign(compareTexts(a, b)), bytes)
      assert.equal(compareTexts(a, b) === 0, a === b)
      assert.equal(Math.sign(compareTexts(b, a)), -Math.sign(compareTexts(a, b)) || 0)
    }),
  )
})
