// Test: the rules for keys; promises each rule at its exact borders, on both sides.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { TocsinError } from '../errors.ts'
import type { SubmittedKey } from './parse-publish.ts'
import {
  chooseOnset,
  describeDropped,
  describeWarnings,
  intervalOf,
  OUTCOMES,
  validateKeys,
  type Onset,
  type Outcome,
} from './validate-keys.ts'

// Ten past ten in the morning, a third into its interval.
const NOW = new Date('2026-03-20T10:13:20Z')
const CURRENT = intervalOf(NOW)
const MIDNIGHT = Math.floor(CURRENT / 144) * 144
const ONSET: Onset = { interval: MIDNIGHT - 3 * 144, source: 'request' }

let made = 0

/** A key that passes every rule (yesterday's), except for what is given. */
function makeKey(given: Partial<SubmittedKey> = {}): SubmittedKey {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(++made)
  return {
    key: bytes.toString('base64'),
    rollingStart: MIDNIGHT - 144,
    rollingPeriod: 144,
    transmissionRisk: 0,
    ...given,
  }
}

/** What becomes of one key beside a good one. */
function outcomeOf(given: Partial<SubmittedKey>, onset = ONSET): Outcome | undefined {
  const good = makeKey({ key: 'zzzzzzzzzzzzzzzzzzzzzw==', rollingStart: MIDNIGHT - 144 * 2 })
  // The good one's text comes last among base64 texts.
  return validateKeys([makeKey(given), good], onset, NOW).outcomes[0]
}

function spanned(rollingStart: number, rollingPeriod: number): SubmittedKey {
  return makeKey({ rollingStart, rollingPeriod })
}

test('a key is base64 of 16 bytes, in either alphabet, with or without padding', () => {
  const accepted = ['AAECAwQFBgcICQoLDA0ODw==', 'AAECAwQFBgcICQoLDA0ODw', '--8CAwQFBgcICQoLDA0ODw']
  for (const key of accepted) assert.equal(outcomeOf({ key }), OUTCOMES.accepted, key)
  assert.equal(outcomeOf({ key: 'AAECAwQFBgcICQoLDA0O' }), OUTCOMES.wrong_length, '15 bytes')
  assert.equal(outcomeOf({ key: 'AAECAwQFBgcICQoLDA0ODxA=' }), OUTCOMES.wrong_length, '17 bytes')
  assert.equal(outcomeOf({ key: '' }), OUTCOMES.wrong_length, 'no bytes')
  for (const key of ['AAECAwQFBgcICQoLDA0OD*', 'AAEC AwQFBgcICQoLDA0ODw==', 'A'])
    assert.equal(outcomeOf({ key }), OUTCOMES.not_base64, key)
})

test('a rolling period is 1 to 144 intervals', () => {
  assert.equal(outcomeOf({ rollingPeriod: 0 }), OUTCOMES.wrong_period)
  assert.equal(outcomeOf({ rollingPeriod: 1 }), OUTCOMES.accepted)
  assert.equal(outcomeOf({ rollingPeriod: 144 }), OUTCOMES.accepted)
  assert.equal(outcomeOf({ rollingPeriod: 145 }), OUTCOMES.wrong_period)
  assert.equal(outcomeOf({ rollingPeriod: -1 }), OUTCOMES.wrong_period)
})

test('a key may be uploaded until 15 days after its end, to the interval', () => {
  const old: Onset = { interval: MIDNIGHT - 15 * 144, source: 'request' }
  const endingAt = (end: number) => outcomeOf({ rollingStart: end - 144 }, old)
  assert.equal(endingAt(CURRENT - 15 * 144), OUTCOMES.accepted)
  assert.equal(endingAt(CURRENT - 15 * 144 - 1), OUTCOMES.too_old)
  assert.equal(outcomeOf({ rollingStart: -2147483647 }), OUTCOMES.too_old)
})

test('a key may start in the present interval, not in a later one', () => {
  assert.equal(outcomeOf({ rollingStart: CURRENT }), OUTCOMES.accepted)
  assert.equal(outcomeOf({ rollingStart: CURRENT + 1 }), OUTCOMES.in_future)
})

test('a key that has not ended is kept back; one that ends now is not', () => {
  const embargoed = (rollingPeriod: number) =>
    validateKeys([spanned(CURRENT - 10, rollingPeriod)], ONSET, NOW).valid[0]?.embargoed
  assert.equal(embargoed(10), false)
  assert.equal(embargoed(11), true)
})

test('a transmission risk is 0 to 8', () => {
  assert.equal(outcomeOf({ transmissionRisk: -1 }), OUTCOMES.wrong_risk)
  assert.equal(outcomeOf({ transmissionRisk: 0 }), OUTCOMES.accepted)
  assert.equal(outcomeOf({ transmissionRisk: 8 }), OUTCOMES.accepted)
  assert.equal(outcomeOf({ transmissionRisk: 9 }), OUTCOMES.wrong_risk)
})

test('the rules are asked in one order, so that a key with several faults is always told the same one', () => {
  const faults: [Partial<SubmittedKey>, Outcome][] = [
    [{ key: '*' }, OUTCOMES.not_base64],
    [{ key: 'AAAA' }, OUTCOMES.wrong_length],
    [{ rollingPeriod: 0 }, OUTCOMES.wrong_period],
    [{ rollingStart: 0 }, OUTCOMES.too_old],
    [{ transmissionRisk: 9 }, OUTCOMES.wrong_risk],
  ]
  faults.forEach(([fault, outcome], index) => {
    const later = Object.assign(
      {},
      ...faults
        .slice(index)
        .map(([each]) => each)
        .reverse(),
    ) as object
    assert.equal(outcomeOf({ ...later, ...fault }), outcome)
  })
})

test('a key is 14 days from the onset at the most, in whole UTC days', () => {
  const days = (rollingStart: number, onset: number) => {
    const key = makeKey({ rollingStart, rollingPeriod: 1 })
    const { valid, outcomes } = validateKeys([key], { interval: onset, source: 'request' }, NOW)
    return valid[0]?.daysSinceOnset ?? outcomes[0]
  }
  assert.equal(days(MIDNIGHT, MIDNIGHT), 0)
  assert.equal(days(MIDNIGHT, MIDNIGHT + 60), 0, 'later that day')
  assert.equal(days(MIDNIGHT - 1, MIDNIGHT), -1, 'one interval before midnight')
  assert.equal(days(MIDNIGHT - 144, MIDNIGHT - 1), 0)
  assert.equal(days(MIDNIGHT, MIDNIGHT - 14 * 144), 14)
  assert.equal(days(MIDNIGHT, MIDNIGHT - 14 * 144 - 1), OUTCOMES.onset_too_far)
  assert.equal(days(MIDNIGHT - 14 * 144, MIDNIGHT + 10), -14)
  assert.equal(days(MIDNIGHT - 14 * 144 - 1, MIDNIGHT + 10), OUTCOMES.onset_too_far)
})

test('a request has 1 to 30 keys', () => {
  const manyKeys = (count: number) =>
    Array.from({ length: count }, (_, n) => spanned(CURRENT - n, 1))
  assert.throws(() => validateKeys([], ONSET, NOW), {
    code: 'bad_request',
    message: /at least one/,
  })
  assert.equal(validateKeys(manyKeys(1), ONSET, NOW).valid.length, 1)
  assert.equal(validateKeys(manyKeys(30), ONSET, NOW).valid.length, 30)
  assert.throws(() => validateKeys(manyKeys(31), ONSET, NOW), {
    code: 'bad_request',
    message: /at most 30/,
  })
})

test('three keys may share a start and overlap at will; a fourth fails the request', () => {
  const sharing = [144, 1, 70, 70].map((period) => spanned(MIDNIGHT - 144, period))
  assert.equal(validateKeys(sharing.slice(0, 3), ONSET, NOW).valid.length, 3)
  assert.throws(() => validateKeys(sharing, ONSET, NOW), {
    code: 'bad_request',
    message: /share one rollingStartNumber/,
  })
})

test('a key must not start before the longest key of an earlier start has ended', () => {
  const start = MIDNIGHT - 3 * 144
  const earlier = [spanned(start, 144), spanned(start, 30)]
  const accepted = (...later: SubmittedKey[]) =>
    validateKeys([...later, ...earlier], ONSET, NOW).valid.length
  assert.equal(accepted(spanned(start + 144, 144)), 3, 'it may start where the longest ends')
  assert.equal(accepted(spanned(start - 7, 7)), 3, 'no start need be at midnight')
  const overlapping = [
    [spanned(start + 143, 144)],
    [spanned(start + 30, 10)],
    [spanned(start - 7, 8)],
    [spanned(start + 144, 20), spanned(start + 150, 10)],
  ]
  for (const later of overlapping)
    assert.throws(() => accepted(...later), { code: 'bad_request', message: /overlap/ })
})

test('only keys that passed can overlap or be too many of one start', () => {
  const bad = [1, 2, 3, 4].map(() => makeKey({ transmissionRisk: 9, rollingStart: MIDNIGHT - 200 }))
  assert.equal(validateKeys([spanned(MIDNIGHT - 144, 144), ...bad], ONSET, NOW).valid.length, 1)
})

test('the same key twice counts once', () => {
  const key = 'AAECAwQFBgcICQoLDA0ODw=='
  const { valid, outcomes } = validateKeys([makeKey({ key }), makeKey({ key })], ONSET, NOW)
  assert.equal(valid.length, 1)
  assert.deepEqual(outcomes, [OUTCOMES.accepted, OUTCOMES.unchanged])
  const spelt = [makeKey({ key }), makeKey({ key: key.slice(0, -2) })]
  assert.equal(validateKeys(spelt, ONSET, NOW).valid.length, 1, 'whatever its spelling')
})

test('of a key with several entries the one that starts last counts, then the longest; all are judged', () => {
  const key = 'AAECAwQFBgcICQoLDA0ODw=='
  const twice = (...spans: readonly (readonly [rollingStart: number, rollingPeriod: number])[]) => {
    const entries = spans.map(([rollingStart, rollingPeriod], index) =>
      makeKey({ key: index % 2 === 0 ? key : key.slice(0, -2), rollingStart, rollingPeriod }),
    )
    const verdicts = [entries, entries.toReversed()].map((each) => validateKeys(each, ONSET, NOW))
    assert.deepEqual(verdicts[0], verdicts[1], 'in any order')
    return verdicts[0]?.valid.map((valid) => [valid.rollingStart, valid.rollingPeriod])
  }
  const start = MIDNIGHT - 288
  assert.deepEqual(twice([start, 144], [start, 100]), [[start, 144]])
  assert.deepEqual(twice([start, 100], [start, 144]), [[start, 144]])
  assert.deepEqual(twice([start, 144], [start - 400, 144]), [[start, 144]])
  assert.deepEqual(twice([start, 1], [start, 2], [start, 3], [start, 4]), [[start, 4]])
  assert.throws(() => twice([start, 144], [start + 10, 144]), { message: /overlap/ })
})

test('a refusal of keys together tells of those that were too far from the onset, too', () => {
  const far: Onset = { interval: MIDNIGHT + 144 * 2, source: 'request' }
  const tooFar = makeKey({ rollingStart: MIDNIGHT - 144 * 13 })
  const overlapping = [spanned(MIDNIGHT - 144, 144), spanned(MIDNIGHT - 143, 10)]
  const sharing = [1, 2, 3, 4].map(() => spanned(MIDNIGHT - 144, 144))
  for (const keys of [overlapping, sharing])
    assert.throws(
      () => validateKeys([tooFar, ...keys], far, NOW),
      (error: TocsinError) => {
        assert.equal(error.code, 'bad_request')
        assert.match(error.warnings.join(), /^key 0 symptom onset is too large/)
        return true
      },
    )
})

test('one bad key is dropped with a sentence, and the others stay', () => {
  const keys = [makeKey({ key: 'A!' }), makeKey({ rollingStart: MIDNIGHT - 288 }), makeKey()]
  const { valid, outcomes } = validateKeys(keys, ONSET, NOW)
  assert.equal(valid.length, 2)
  assert.match(describeDropped(outcomes), /^key \d cannot be imported: it is not base64$/)
})

test('without any valid key the request fails; with keys too far from the onset alone it only warns', () => {
  assert.throws(() => validateKeys([makeKey({ transmissionRisk: 9 })], ONSET, NOW), {
    code: 'bad_request',
    message: 'No key was valid: key 0 cannot be imported: transmissionRisk must be 0 to 8',
  })
  const far: Onset = { interval: MIDNIGHT - 20 * 144, source: 'certificate' }
  const { valid, outcomes } = validateKeys([makeKey()], far, NOW)
  assert.deepEqual([valid.length, describeDropped(outcomes)], [0, ''])
  assert.match(describeWarnings(outcomes)[0] ?? '', /^key 0 symptom onset is too large/)
  assert.throws(() => validateKeys([makeKey(), makeKey({ key: '' })], far, NOW), {
    code: 'bad_request',
  })
})

test('the same keys get the same verdict in any order', () => {
  const some = fc.record(
    {
      key: fc.constantFrom('AAECAwQFBgcICQoLDA0ODw==', '//////////////////////w', 'AA', '*'),
      rollingStart: fc.integer({ min: CURRENT - 5, max: CURRENT + 1 }),
      rollingPeriod: fc.integer({ min: 0, max: 3 }),
      transmissionRisk: fc.integer({ min: 0, max: 9 }),
    },
    { noNullPrototype: true },
  )
  const ordered = fc
    .array(some, { minLength: 1, maxLength: 6 })
    .chain((keys) =>
      fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: keys.length })),
    )
  const verdict = (keys: readonly SubmittedKey[]) => {
    try {
      return validateKeys(keys, ONSET, NOW)
    } catch (error) {
      return String(error)
    }
  }
  fc.assert(
    fc.property(ordered, ([keys, shuffled]) => {
      assert.deepEqual(verdict(shuffled), verdict(keys))
    }),
    { numRuns: 500 },
  )
})

test('an onset is believed from 28 days before midnight until the interval before now', () => {
  const earliest = MIDNIGHT - 28 * 144
  const chosen = (requested: number, certified = 0) => chooseOnset(requested, certified, NOW)
  assert.deepEqual(chosen(earliest), { interval: earliest, source: 'request' })
  assert.deepEqual(chosen(CURRENT - 1), { interval: CURRENT - 1, source: 'request' })
  const assumed = { interval: CURRENT - 4 * 144, source: 'default' }
  for (const unbelievable of [earliest - 1, CURRENT, CURRENT + 1, 0, -1, 2147483647]) {
    assert.deepEqual(chosen(unbelievable), assumed)
    assert.deepEqual(chosen(0, unbelievable), assumed)
    assert.deepEqual(chosen(unbelievable, earliest), { interval: earliest, source: 'certificate' })
  }
  assert.deepEqual(chosen(earliest, CURRENT - 1).source, 'request', 'the app knows best')
})
