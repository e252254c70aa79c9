// Test: values that are encoded quickly; promises the general encoder's bytes, and that whatever else there is is left to it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from 'cborg'
import * as fc from 'fast-check'
import { encodeQuickly } from './quick-encode.ts'
import { decodeEvent, encodeEvent } from './record.ts'

const ascii = fc.string({ unit: 'binary-ascii', maxLength: 40 })

/** All that the file says it encodes. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      null,
      true,
      false,
      0,
      -1,
      23,
      24,
      255,
      256,
      65_535,
      65_536,
      2 ** 32,
      2 ** 53 - 1,
    ),
    fc.maxSafeInteger(),
    ascii,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(
      ascii.filter((name) => name !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
}))

test('a value has the bytes of the general encoder, also behind a byte', () => {
  fc.assert(
    fc.property(value, (each) => {
      const bytes = Buffer.from(encode(each))
      assert.deepEqual(encodeQuickly(each), bytes)
      assert.deepEqual(encodeQuickly(each, 7), Buffer.concat([Buffer.of(7), bytes]))
    }),
  )
})

test('objects with the same names in another order, and more forms than are remembered, have the general bytes', () => {
  for (let form = 0; form < 200; form++) {
    const names = [`b${form}`, 'a', 'ccc', `${form}`]
    for (const order of [names, names.toReversed()]) {
      const each = Object.fromEntries(order.map((name, index) => [name, index]))
      assert.deepEqual(encodeQuickly(each), Buffer.from(encode(each)))
    }
  }
})

test('what it does not know is left to the general encoder', () => {
  class Odd {
    readonly a = 1
  }
  const others: unknown[] = [
    undefined,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    2n,
    'Zürich',
    '\ufeff',
    new Map(),
    new Date(0),
    new Odd(),
    { náme: 1 },
    [1, 'ü'],
    { a: { b: undefined } },
    Array.from({ length: 2 }),
    'x'.repeat(70_000),
    new Uint8Array(70_000),
    Array.from({ length: 70_000 }, () => 0),
    Array.from({ length: 30_000 }, () => 2 ** 40),
  ]
  for (const each of others) assert.equal(encodeQuickly(each), undefined)
  // Nothing is left of one that was given up half way.
  assert.deepEqual(encodeQuickly({ a: 1 }), Buffer.from(encode({ a: 1 })))
})

test('an event with a text beyond ASCII, or a long one, is stored and read as any other', () => {
  for (const content of [{ text: 'Zürich' }, { long: 'x'.repeat(70_000) }, { big: 2n ** 63n }]) {
    const event = {
      seq: 1,
      grain: 2,
      type: 'report',
      parts: [{ retention: 'report', content }],
    } as const
    assert.deepEqual(decodeEvent(encodeEvent(event, Buffer.alloc(16)).record), event)
  }
})
