// Test: records that are read quickly; promises what the general decoder gives, and that nothing it would refuse is taken.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findParts, leafHashAt, readKnownValue } from './quick-record.ts'
import {
  decodeEvent,
  decodeKnownEvent,
  encodeEvent,
  erasePart,
  leafHashOf,
  type StoredEvent,
} from './record.ts'

const SALTS = Buffer.alloc(32, 7)

test('an event is read as the general decoder reads it, whatever it holds', () => {
  for (const content of CONTENTS) {
    const event: StoredEvent = {
      seq: 70_000,
      grain: 1_773_129_600,
      type: 'report',
      parts: [
        { retention: 'report', content },
        { retention: 'statistics', content: { accepted: 3 } },
      ],
    }
    const { record, leafHash } = encodeEvent(event, SALTS)
    assert.deepEqual(decodeKnownEvent(record), decodeEvent(record))
    const places = findParts(record)
    assert.ok(places !== undefined)
    assert.deepEqual(leafHashAt(record, places), Buffer.from(leafHash))
    // As it lies in an archive: with others around it.
    const among = Buffer.concat([Buffer.of(1, 2, 3), record, record]).subarray(3, 3 + record.length)
    assert.deepEqual(decodeKnownEvent(among), decodeEvent(record))
  }
})

const CONTENTS: readonly unknown[] = [
  {},
  [],
  null,
  false,
  { a: true, b: null, c: [1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1] },
  { a: [-1, -24, -25, -256, -257, -65_537, -(2 ** 32) - 1, Number.MIN_SAFE_INTEGER] },
  { long: 'x'.repeat(1_000), short: 'x', empty: '', bytes: new Uint8Array(300).fill(9) },
  { text: 'Zürich', other: '\u{1f514}', náme: 1 },
  { big: 2n ** 63n },
  { large: new Uint8Array(70_000).fill(1) },
]

test('erased parts have the same leaf hash', () => {
  const event: StoredEvent = {
    seq: 1,
    grain: 2,
    type: 't',
    parts: [
      { retention: 'report', content: { a: 1 } },
      { retention: 'statistics', content: { b: 2 } },
    ],
  }
  const { record, leafHash } = encodeEvent(event, SALTS)
  const erased = erasePart(record, 'report')
  assert.deepEqual(leafHashOf(erased), Buffer.from(leafHash))
  assert.deepEqual(decodeKnownEvent(erased), decodeEvent(erased))
  assert.equal(decodeKnownEvent(erased).parts[0]?.content, undefined)
})

test('any other encoding, and a record that was cut anywhere, are left to the general decoder', () => {
  const { record } = encodeEvent(
    { seq: 5, grain: 6, type: 't', parts: [{ retention: 'report', content: { a: 1 } }] },
    SALTS,
  )
  for (let length = 0; length < record.length; length++)
    assert.equal(findParts(record.subarray(0, length)), undefined)
  assert.equal(findParts(Buffer.concat([record, Buffer.of(0)])), undefined)
  // The number 5 in two bytes, in three, in nine; a text of undefined length.
  for (const longer of ['1805', '190005', '1b0000000000000005', '7fff']) {
    const other = Buffer.concat([
      record.subarray(0, 2),
      Buffer.from(longer, 'hex'),
      record.subarray(3),
    ])
    assert.equal(findParts(other), undefined)
    assert.throws(() => leafHashOf(other), { code: 'log_invalid' })
  }
  for (const unusual of [
    'fa47c35000',
    'c101',
    '9fff',
    'a10101',
    '8201',
    'ff',
    '1bffffffffffffffff',
  ])
    assert.equal(readKnownValue(Buffer.from(unusual, 'hex'), 0, unusual.length / 2), undefined)
})
