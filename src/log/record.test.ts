// Test: the record of an event; promises one encoding for one event, an exact way back, and erasure that the tree survives.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  decodeEvent,
  encodeEvent,
  erasePart,
  leafHashOf,
  SALT_LENGTH,
  type KeptPart,
  type StoredEvent,
} from './record.ts'
import type { KeptRetention } from './retentions.ts'
import { assertDeterministic } from '../../test/deterministic-cbor.ts'

const RETENTIONS: readonly KeptRetention[] = [
  'report',
  'code',
  'statistics',
  'release',
  'configuration',
]

const bytes = fc.uint8Array({ maxLength: 40 })
// Numbers at the borders of CBOR's heads, where a wrong length would show.
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -1, -24, -25, -257),
)
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(integer, fc.boolean(), fc.constant(null), bytes, fc.string({ unit: 'binary' })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary', maxLength: 30 }), tie('value'), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
})).value

const part = fc.record(
  { retention: fc.constantFrom(...RETENTIONS), content: value },
  { noNullPrototype: true },
)
const event: fc.Arbitrary<StoredEvent> = fc.record(
  {
    seq: fc.maxSafeNat(),
    grain: fc.maxSafeNat(),
    type: fc.string({ minLength: 1, maxLength: 30 }),
    parts: fc.array(part, { maxLength: 4 }),
  },
  { noNullPrototype: true },
)
const salts = fc.uint8Array({ minLength: 4 * SALT_LENGTH, maxLength: 4 * SALT_LENGTH })

const hex = (each: Uint8Array) => Buffer.from(each).toString('hex')

test('an event that was recorded and read again is the same event', () => {
  fc.assert(
    fc.property(event, salts, (original, someSalts) => {
      const { record, leafHash } = encodeEvent(original, someSalts)
      assert.deepEqual(decodeEvent(record), original)
      assert.equal(hex(leafHashOf(record)), hex(leafHash))
    }),
  )
})

test('records are deterministic CBOR: shortest heads, keys in order, whatever order they came in', () => {
  fc.assert(
    fc.property(event, salts, (original, someSalts) => {
      const { record } = encodeEvent(original, someSalts)
      const [, , , , parts] = assertDeterministic(record) as [
        1,
        number,
        number,
        string,
        unknown[][],
      ]
      for (const part of parts) assertDeterministic(part[2] as Uint8Array)
      const reversed = { ...original, parts: original.parts.map(reverseKeys) }
      assert.equal(hex(encodeEvent(reversed as StoredEvent, someSalts).record), hex(record))
    }),
  )
})

test('erasing a retention leaves the leaf hash and everything else as it was', () => {
  fc.assert(
    fc.property(event, salts, fc.constantFrom(...RETENTIONS), (original, someSalts, retention) => {
      const { record, leafHash } = encodeEvent(original, someSalts)
      const erased = erasePart(record, retention)
      assert.equal(hex(leafHashOf(erased)), hex(leafHash))
      const remaining = original.parts.map((part) =>
        part.retention === retention ? { ...part, content: undefined } : part,
      )
      assert.deepEqual(decodeEvent(erased), { ...original, parts: remaining })
      assert.equal(hex(erasePart(erased, retention)), hex(erased), 'erased twice is erased once')
    }),
  )
})

test('an erased part confirms no guess: its salt is gone, and the digest covers the salt', () => {
  const content = { secret: 'who met whom' }
  const guess = { seq: 7, grain: 900, type: 'report', parts: [{ retention: 'report', content }] }
  const salt = new Uint8Array(SALT_LENGTH).fill(0xa5)
  const { record } = encodeEvent(guess as StoredEvent, salt)
  const erased = Buffer.from(erasePart(record, 'report'))
  assert.ok(Buffer.from(record).includes(Buffer.from(salt)))
  assert.ok(!erased.includes(Buffer.from(salt)))
  assert.ok(!erased.includes('who met whom'))
  const contentBytes = Buffer.concat([
    Buffer.from('a166736563726574', 'hex'),
    Buffer.from('6c', 'hex'),
    Buffer.from('who met whom'),
  ])
  assert.ok(record.length > contentBytes.length && Buffer.from(record).includes(contentBytes))
  assert.ok(!erased.includes(createHash('sha256').update(contentBytes).digest()))
  assert.ok(erased.includes(createHash('sha256').update(salt).update(contentBytes).digest()))
})

test('every field of an event is under its leaf hash', () => {
  const original: StoredEvent = {
    seq: 4,
    grain: 900,
    type: 'report',
    parts: [
      { retention: 'report', content: { a: 1 } },
      { retention: 'statistics', content: { b: 2 } },
    ],
  }
  const someSalts = new Uint8Array(2 * SALT_LENGTH)
  const { leafHash } = encodeEvent(original, someSalts)
  const [first, second] = original.parts as [KeptPart, KeptPart]
  const changed: StoredEvent[] = [
    { ...original, seq: 5 },
    { ...original, grain: 1800 },
    { ...original, type: 'reports' },
    { ...original, parts: [first] },
    { ...original, parts: [second, first] },
    { ...original, parts: [{ ...first, retention: 'release' }, second] },
    { ...original, parts: [{ retention: 'report', content: { a: 2 } }, second] },
  ]
  const hashes = changed.map((each) => hex(encodeEvent(each, someSalts).leafHash))
  assert.ok(!hashes.includes(hex(leafHash)))
  assert.equal(new Set(hashes).size, changed.length)
  const otherSalts = new Uint8Array(2 * SALT_LENGTH).fill(1)
  assert.notEqual(hex(encodeEvent(original, otherSalts).leafHash), hex(leafHash))
})

test('a content that this log can not have written is refused, and the rest of its record is not', () => {
  const contents = {
    'keys in another order': 'a2616201616102',
    'a whole number as a float': 'f93c00',
    'a broken number': 'f93e00',
    'no number': 'f97e00',
    undefined: 'f7',
    'text that is no UTF-8': '61ff',
  }
  const salt = '00'.repeat(SALT_LENGTH)
  for (const [what, content] of Object.entries(contents)) {
    const length = (0x40 + content.length / 2).toString(16)
    const record = Buffer.from(`8501000061618183667265706f727450${salt}${length}${content}`, 'hex')
    assert.throws(() => decodeEvent(record), { code: 'log_invalid' }, what)
    assert.equal(leafHashOf(record).length, 32, 'its bytes are under the hash as they are')
  }
})

test('what is no record is refused as log_invalid, not taken for one', () => {
  const noRecords = {
    nothing: '',
    'no array': 'a0',
    'another version': '850200006080',
    'too few fields': '8401000060',
    'a number that is no integer': '8501f93e00006080',
    'a type that is no text': '850100000080',
    'a part without salt': '8501000061618181667265706f7274',
    'a short salt': '8501000061618183667265706f727441004100',
    'a short digest': '8501000061618182667265706f72744100',
    'a number in a longer form': '8501180000616180',
    'an array without length': '9f010000616180ff',
    'something behind it': '8501000061618000',
    'a whole number as a float': '8501f9470000616180',
    'a version as a float': '85f93c000000616180',
    'text that is no UTF-8': '8501000062fffe80',
  }
  for (const [what, bytesOfIt] of Object.entries(noRecords))
    for (const read of [decodeEvent, leafHashOf, (each: Uint8Array) => erasePart(each, 'report')])
      assert.throws(() => read(Buffer.from(bytesOfIt, 'hex')), { code: 'log_invalid' }, what)
  assert.equal(decodeEvent(Buffer.from('85010000616180', 'hex')).type, 'a', 'and a record is one')
})

/** The same part with the keys of every map in the opposite order. */
function reverseKeys(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(reverseKeys)
  if (typeof part !== 'object' || part === null || part instanceof Uint8Array) return part
  return Object.fromEntries(
    Object.entries(part)
      .reverse()
      .map(([key, each]) => [key, reverseKeys(each)]),
  )
}

test('what could not be read again is not written', () => {
  const event = (text: string) => ({
    seq: 1,
    grain: 0,
    type: 'note',
    parts: [
      {
        retention: 'configuration' as const,
        content: { text },
      },
    ],
  })
  const salts = new Uint8Array(SALT_LENGTH)
  // A decoder of texts leaves the mark at the beginning out.
  assert.throws(() => encodeEvent(event('\ufeffnorth'), salts), { code: 'log_invalid' })
  const kept = event('north \ufeff')
  assert.deepEqual(decodeEvent(encodeEvent(kept, salts).record), kept)
})
