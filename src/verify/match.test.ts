// Test: matching: a phone finds every key whose identifiers it heard at about the right time, and no other.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EXPORT_DAY, exportKey } from '../../test/export-files.ts'
import { deriveIdentifiers } from '../format/gaen-derivation.ts'
import { createMatcher, TOLERANCE_INTERVALS, type ObservedIdentifier } from './match.ts'

/** What a phone hears that is near the owner of a key. */
function hear(
  key: { keyData: Uint8Array },
  interval: number,
  heardAt = interval,
): ObservedIdentifier {
  return { identifier: deriveIdentifiers(key.keyData, interval, 1), interval: heardAt }
}

function strangers(count: number): ObservedIdentifier[] {
  return Array.from({ length: count }, () => ({
    identifier: new Uint8Array(randomBytes(16)),
    interval: EXPORT_DAY + 10,
  }))
}

test('keys that were near are found among 100,000 identifiers, and nobody else', () => {
  const near = [exportKey(1), exportKey(2), exportKey(3)]
  const far = Array.from({ length: 200 }, (_, index) => exportKey(100 + index))
  const first = EXPORT_DAY
  const last = EXPORT_DAY + 143
  const heard = near.flatMap((key) => [hear(key, first), hear(key, last)])
  const matcher = createMatcher([...strangers(50_000), ...heard, ...strangers(50_000)])
  for (const [index, key] of near.entries())
    assert.deepEqual(matcher.match(key), [
      { observed: heard[2 * index], interval: first },
      { observed: heard[2 * index + 1], interval: last },
    ])
  for (const key of far) assert.deepEqual(matcher.match(key), [])
})

test('what was heard more than two hours before or after its time was replayed, and is no match', () => {
  const key = exportKey(1)
  const at = EXPORT_DAY + 70
  const isFound = (heardAt: number) =>
    createMatcher([hear(key, at, heardAt)]).match(key).length === 1
  assert.equal(TOLERANCE_INTERVALS, 12)
  for (const offset of [0, -12, 12]) assert.ok(isFound(at + offset), String(offset))
  for (const offset of [-13, 13, -144, 144, 1_000_000])
    assert.ok(!isFound(at + offset), String(offset))
})

test('only the intervals in which a key was used count', () => {
  const key = exportKey(1, { rollingStart: EXPORT_DAY + 40, rollingPeriod: 20 })
  for (const [interval, isUsed] of [
    [39, false],
    [40, true],
    [59, true],
    [60, false],
  ] as const) {
    const matcher = createMatcher([hear(key, EXPORT_DAY + interval)])
    assert.equal(matcher.match(key).length, isUsed ? 1 : 0, String(interval))
  }
  // A key of a whole day leaves nothing behind for the key after it.
  const matcher = createMatcher([hear(exportKey(2), EXPORT_DAY + 100)])
  assert.equal(matcher.match(exportKey(2)).length, 1)
  assert.equal(matcher.match(exportKey(3, { rollingPeriod: 20 })).length, 0)
})

test('an identifier that was heard several times gives a match for each', () => {
  const key = exportKey(1)
  const heard = [0, 1, 2, 40].map((later) => hear(key, EXPORT_DAY + 5, EXPORT_DAY + 5 + later))
  assert.deepEqual(
    createMatcher(heard)
      .match(key)
      .map(({ observed }) => observed),
    heard.slice(0, 3),
  )
})

test('identifiers that only begin like a key’s are no match, however many a stranger broadcasts', () => {
  const key = exportKey(1)
  const real = hear(key, EXPORT_DAY + 5)
  const alike = [4, 8, 12].flatMap((offset) =>
    Array.from({ length: 2_000 }, (_, index) => {
      const identifier = real.identifier.slice()
      new DataView(identifier.buffer).setUint32(offset, index)
      return { identifier, interval: real.interval }
    }),
  )
  const matches = createMatcher([...alike, real]).match(key)
  assert.equal(matches.length, 1)
  assert.equal(matches[0]?.observed, real)
})

test('any choice of heard identifiers is found again, whatever else was heard', () => {
  const keys = Array.from({ length: 5 }, (_, index) => exportKey(index))
  const heard = fc.array(
    fc.record({ key: fc.nat(4), index: fc.nat(143), late: fc.integer({ min: -20, max: 20 }) }),
  )
  fc.assert(
    fc.property(heard, fc.nat(300), (list, noise) => {
      const observed = list.map(({ key, index, late }) =>
        hear(keys[key] ?? exportKey(0), EXPORT_DAY + index, EXPORT_DAY + index + late),
      )
      const matcher = createMatcher([...strangers(noise), ...observed])
      for (const [number, key] of keys.entries()) {
        const expected = observed.filter(
          (_, at) => list[at]?.key === number && Math.abs(list[at].late) <= 12,
        )
        const found = matcher.match(key).map((match) => match.observed)
        assert.deepEqual(new Set(found), new Set(expected))
        assert.equal(found.length, expected.length)
      }
    }),
    { numRuns: 50 },
  )
})

test('nothing heard gives no match, and what is no identifier or no key is refused', () => {
  assert.deepEqual(createMatcher([]).match(exportKey(1)), [])
  assert.throws(() => createMatcher([{ identifier: new Uint8Array(15), interval: 1 }]), RangeError)
  const matcher = createMatcher(strangers(1))
  for (const fields of [
    { keyData: new Uint8Array(15) },
    { rollingPeriod: 0 },
    { rollingPeriod: 145 },
  ])
    assert.throws(() => matcher.match(exportKey(1, fields)), RangeError)
})
