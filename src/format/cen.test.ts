// Format: contact event numbers against the plainest way to sort them, and texts that are none.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  CEN_BYTES,
  macedCens,
  MOST_CENS,
  parseCell,
  parseCen,
  parseHexCen,
  sortCens,
} from './cen.ts'

test('numbers are sorted by all of their bytes, each once, whatever they begin with', () => {
  // Few values of each byte, so that many begin alike and some are the same.
  const number = fc.array(fc.constantFrom(0, 1, 3, 4, 127, 128, 255), {
    minLength: CEN_BYTES,
    maxLength: CEN_BYTES,
  })
  const alike = number.map((bytes) => [0, 1, 3, 4, ...bytes.slice(4)])
  fc.assert(
    fc.property(fc.array(fc.oneof(number, alike), { minLength: 1, maxLength: 60 }), (numbers) => {
      // Some of them again, further behind.
      const given = [...numbers, ...numbers.slice(0, 3)].map((bytes) => Buffer.from(bytes))
      const wanted = [...new Map(given.map((each) => [each.toString('hex'), each])).values()]
      wanted.sort(Buffer.compare)
      // Behind other bytes, as in the body of a batch.
      const packed = Buffer.concat([Buffer.of(9), ...given]).subarray(1)
      assert.equal(
        Buffer.from(sortCens(packed)).toString('hex'),
        Buffer.concat(wanted).toString('hex'),
      )
    }),
  )
})

test('as many numbers as a report may have, alike but for their ends, are sorted in no time', () => {
  const packed = randomBytes(MOST_CENS * CEN_BYTES)
  for (let at = 0; at < packed.length; at += CEN_BYTES) packed.fill(0, at, at + 12)
  const began = performance.now()
  const sorted = sortCens(packed)
  assert.ok(performance.now() - began < 1_000)
  for (let at = CEN_BYTES; at < sorted.length; at += CEN_BYTES)
    assert.ok(
      Buffer.compare(sorted.subarray(at - CEN_BYTES, at), sorted.subarray(at, at + CEN_BYTES)) < 0,
    )
})

test('a number is 32 hex digits, a UUID, or base64 of 16 bytes, and nothing else', () => {
  const bytes = Buffer.from('00112233445566778899AABBCCDDEEFF', 'hex')
  const same = [
    '00112233445566778899AABBCCDDEEFF',
    '00112233-4455-6677-8899-aabbccddeeff',
    bytes.toString('base64'),
    bytes.toString('base64url'),
  ]
  for (const text of same) assert.deepEqual(Buffer.from(parseCen(text) ?? []), bytes, text)
  assert.equal(parseHexCen(bytes.toString('base64')), undefined)
  for (const text of [
    '',
    '0011',
    '0011223344-55667788-99AABB-CCDDEEFF',
    '{00112233-4455-6677-8899-aabbccddeeff}',
    `${same[0]} `,
    `${same[0]}00`,
    '0x112233445566778899AABBCCDDEEFF',
    `${same[3]}=`,
    `${same[2]}\n`,
    'zz112233445566778899AABBCCDDEEFF',
    '\u0660'.repeat(32),
  ])
    assert.equal(parseCen(text), undefined, text)
})

test('a cell has 1 to 4 digits of a geohash', () => {
  assert.equal(parseCell('U09T'), 'u09t')
  assert.equal(parseCell('0'), '0')
  for (const text of ['', 'u09tv', 'a', 'i', 'l', 'o', 'u-', 'u ', 'ü', '\u212a'])
    assert.equal(parseCell(text), undefined, text)
})

test('what a certificate covers begins like no text over diagnosis keys', () => {
  const maced = macedCens(Uint8Array.of(1, 2))
  assert.equal(Buffer.from(maced).toString('hex'), '63656e3a0102')
})
