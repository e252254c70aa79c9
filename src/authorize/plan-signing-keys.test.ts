// Test: when signing keys are made, used, retired and destroyed, over any history.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  isPublished,
  keyInUse,
  keyToFollow,
  planRotation,
  planSigningKeys,
  SIGNING_KEY_RULES,
  type Step,
} from './plan-signing-keys.ts'
import type { SigningKey } from './signing-keys.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const START = Date.parse('2026-11-25T10:07:30Z') / 1000
const at = (seconds: number) => new Date(seconds * 1000)

/** What the steps make of the keys. */
function carryOut(keys: readonly SigningKey[], steps: readonly Step[], now: number): SigningKey[] {
  let after = [...keys]
  const change = (kid: string, fields: Partial<SigningKey>) => {
    assert.ok(after.some((key) => key.kid === kid))
    after = after.map((key) => (key.kid === kid ? { ...key, ...fields } : key))
  }
  for (const step of steps)
    if (step.do === 'retire') change(step.kid, { usedUntil: step.usedUntil })
    else if (step.do === 'destroy') change(step.kid, { destroyedAt: now })
    else {
      const kid = `r-v${step.number}`
      assert.ok(!after.some((key) => key.kid === kid), 'no number is given twice')
      const names = { kid, realm: 'r', purpose: 'certificate', publicKey: '' } as const
      const { usedFrom } = step
      // In front: the order in which keys are handed in means nothing.
      after.unshift({ ...names, madeAt: now, usedFrom, usedUntil: null, destroyedAt: null })
    }
  return after
}

/** The keys after the schedule ran at each of these times. */
function runAt(times: readonly number[], rotationDays = 30, keys: SigningKey[] = []): SigningKey[] {
  let after = keys
  for (const now of times) {
    const steps = planSigningKeys(after, { now: at(now), rotationDays })
    after = carryOut(after, steps, now)
    const again = planSigningKeys(after, { now: at(now), rotationDays })
    assert.deepEqual(again, [], 'done once is done')
  }
  return after
}

const usedAt = (keys: readonly SigningKey[], now: number) => keyInUse(keys, at(now))?.kid
const publishedAt = (keys: readonly SigningKey[], now: number) =>
  keys
    .filter((key) => isPublished(key, at(now)))
    .map(({ kid }) => kid)
    .toSorted()

test('the first key is used at once, the next one an hour after it is published', () => {
  const first = runAt([START])
  assert.equal(usedAt(first, START), 'r-v1')
  const due = START + 30 * DAY
  assert.deepEqual(runAt([START, due - 1]), first)
  const both = runAt([START, due])
  assert.deepEqual(publishedAt(both, due), ['r-v1', 'r-v2'])
  assert.equal(keyToFollow(both, at(due))?.kid, 'r-v2')
  assert.equal(usedAt(both, due + HOUR - 1), 'r-v1')
  assert.equal(usedAt(both, due + HOUR), 'r-v2')
  assert.equal(keyToFollow(both, at(due + HOUR)), undefined)
})

test('a retired key loses its private half after an hour, and is published for two days', () => {
  const over = START + 30 * DAY + HOUR
  const before = runAt([START, over - HOUR, over + HOUR - 1])
  assert.equal(before.find(({ kid }) => kid === 'r-v1')?.destroyedAt, null)
  const after = runAt([over + HOUR], 30, before)
  assert.equal(after.find(({ kid }) => kid === 'r-v1')?.destroyedAt, over + HOUR)
  assert.deepEqual(publishedAt(after, over + 48 * HOUR - 1), ['r-v1', 'r-v2'])
  assert.deepEqual(publishedAt(after, over + 48 * HOUR), ['r-v2'])
})

test('with 0 days a key stays; what was retired before goes all the same', () => {
  const first = runAt([START, START + 4000 * DAY], 0)
  assert.deepEqual([first.length, first[0]?.usedUntil], [1, null])
  const rotated = runAt([START, START + 30 * DAY])
  const later = runAt([START + 90 * DAY], 0, rotated)
  assert.equal(later.find(({ kid }) => kid === 'r-v1')?.destroyedAt, START + 90 * DAY)
  assert.equal(usedAt(later, START + 90 * DAY), 'r-v2')
})

test('after months in which nothing ran, the old key signs until the new one is known', () => {
  const late = START + 200 * DAY
  const keys = runAt([START, late])
  assert.deepEqual([usedAt(keys, late), usedAt(keys, late + HOUR)], ['r-v1', 'r-v2'])
})

test('a key whose age is not known is replaced, as if it were old', () => {
  const known = runAt([START]).map((key) => ({ ...key, madeAt: 0, usedFrom: 0 }))
  const keys = runAt([START], 30, known)
  assert.deepEqual([usedAt(keys, START), usedAt(keys, START + HOUR)], ['r-v1', 'r-v2'])
})

test('by a clock that went back nothing is old, and what is left signs', () => {
  const over = START + 30 * DAY + HOUR
  const keys = runAt([START, over - HOUR, over + HOUR])
  for (const now of [over - 1, START, START - 400 * DAY, 0]) {
    assert.equal(usedAt(keys, now), 'r-v2', String(now))
    assert.deepEqual(runAt([now], 30, keys), keys)
    assert.ok(publishedAt(keys, now).includes('r-v2'))
  }
})

test('a key that a wrong clock planned for later does not keep the old one in use until then', () => {
  // The clock stands a year ahead when the second key is made, and is set right.
  const keys = runAt([START, START + 365 * DAY])
  const due = START + 30 * DAY
  assert.deepEqual(runAt([due - 1], 30, keys), keys)
  const after = runAt([due], 30, keys)
  assert.deepEqual([usedAt(after, due), usedAt(after, due + HOUR)], ['r-v1', 'r-v3'])
  for (const now of [START + 365 * DAY + HOUR, START + 400 * DAY])
    assert.equal(usedAt(after, now), 'r-v3')
  // Neither is there for longer than any other that was replaced.
  const later = runAt([due + 2 * HOUR], 30, after)
  const left = later.filter(({ destroyedAt }) => destroyedAt === null)
  assert.deepEqual(
    left.map(({ kid }) => kid),
    ['r-v3'],
  )
})

test('who asks for a new key twice gets one; the sixth is refused', () => {
  let keys = runAt([START])
  let now = START
  for (let count = 2; count <= SIGNING_KEY_RULES.most; count++) {
    keys = carryOut(keys, planRotation(keys, at(now)) ?? [], now)
    assert.equal(keys.length, count)
    assert.deepEqual(planRotation(keys, at(now)), [])
    keys = runAt([now + HOUR], 30, keys)
    now += 2 * HOUR
  }
  assert.equal(planRotation(keys, at(now)), undefined)
  // The schedule has to wait as well, until the first has been published for two days more.
  const age = { now: at(now), rotationDays: 1 }
  const makes = (by: { now: Date; rotationDays: number }) =>
    planSigningKeys(keys, by).some((step) => step.do === 'make')
  assert.equal(makes(age), false)
  assert.equal(makes({ ...age, now: at(START + HOUR + 48 * HOUR - 1) }), false)
  assert.equal(makes({ ...age, now: at(START + HOUR + 48 * HOUR) }), true)
})

test('in place of one that leaked the next one is used at once, also when another was to follow', () => {
  const waiting = carryOut(runAt([START]), planRotation(runAt([START]), at(START)) ?? [], START)
  const now = START + 60
  const after = carryOut(waiting, planRotation(waiting, at(now), true) ?? [], now)
  assert.deepEqual([usedAt(after, now), usedAt(after, now + HOUR)], ['r-v3', 'r-v3'])
  for (const kid of ['r-v1', 'r-v2'])
    assert.equal(after.find((key) => key.kid === kid)?.usedUntil, now)
})

test('keys whose time was over while nothing ran make room for the next one at once', () => {
  let keys = runAt([START])
  for (let count = 2; count <= SIGNING_KEY_RULES.most; count++) {
    const now = START + count * 2 * HOUR
    keys = carryOut(keys, planRotation(keys, at(now)) ?? [], now)
  }
  const late = START + 100 * DAY
  const after = runAt([late], 30, keys)
  assert.deepEqual([usedAt(after, late), usedAt(after, late + HOUR)], ['r-v5', 'r-v6'])
  assert.equal(after.filter(({ destroyedAt }) => destroyedAt === null).length, 2)
})

type Act =
  | { readonly act: 'pass' | 'sleep' | 'back'; readonly seconds: number }
  | { readonly act: 'rotate' }
  | { readonly act: 'withdraw'; readonly which: number }
  | { readonly act: 'days'; readonly days: number }

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: passing('pass', 1, 2 * DAY) },
  { weight: 4, arbitrary: passing('pass', 1, 2 * HOUR) },
  { weight: 2, arbitrary: passing('sleep', 1, 120 * DAY) },
  { weight: 1, arbitrary: passing('back', 1, 100 * DAY) },
  { weight: 1, arbitrary: passing('back', 1, 3 * HOUR) },
  { weight: 3, arbitrary: fc.constant<Act>({ act: 'rotate' }) },
  { weight: 1, arbitrary: fc.nat(5).map((which): Act => ({ act: 'withdraw', which })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1, 2, 30).map((days): Act => ({ act: 'days', days })),
  },
)

function passing(act: 'pass' | 'sleep' | 'back', min: number, max: number): fc.Arbitrary<Act> {
  return fc.integer({ min, max }).map((seconds): Act => ({ act, seconds }))
}

/** Lives through a history and checks at each moment what must hold. Time goes on by the second hand; the clock may be set back. */
class History {
  keys: SigningKey[] = []
  real = 0
  clock = START
  rotationDays = 1
  wasBack = false
  readonly publishedSince = new Map<string, number>()
  readonly signedLast = new Map<string, number>()
  readonly withdrawn = new Set<string>()

  /** Everybody looks, and somebody signs. */
  look(): void {
    const now = at(this.clock)
    const published = this.keys.filter((key) => isPublished(key, now)).map(({ kid }) => kid)
    for (const kid of this.publishedSince.keys())
      if (!published.includes(kid)) this.publishedSince.delete(kid)
    for (const kid of published)
      if (!this.publishedSince.has(kid)) this.publishedSince.set(kid, this.real)
    const signs = keyInUse(this.keys, now)
    assert.ok(signs && signs.destroyedAt === null, 'there is one that signs')
    const since = this.publishedSince.get(signs.kid) ?? Infinity
    const isKnown = this.real - since >= SIGNING_KEY_RULES.publishedBefore
    assert.ok(isKnown || signs.kid === 'r-v1', `${signs.kid} was not published for long enough`)
    this.signedLast.set(signs.kid, this.real)
    for (const [kid, last] of this.signedLast)
      if (this.real - last < 48 * HOUR && !this.withdrawn.has(kid))
        assert.ok(published.includes(kid), `${kid} signed, and is not published`)
    for (const kid of this.withdrawn) assert.ok(!published.includes(kid))
    const withPrivate = this.keys.filter((key) => key.destroyedAt === null).length
    assert.ok(withPrivate <= SIGNING_KEY_RULES.most)
    // A clock that is set back publishes again what had been published before.
    if (!this.wasBack) assert.ok(published.length <= SIGNING_KEY_RULES.most)
  }

  schedule(): void {
    const how = { now: at(this.clock), rotationDays: this.rotationDays }
    this.keys = carryOut(this.keys, planSigningKeys(this.keys, how), this.clock)
    assert.deepEqual(planSigningKeys(this.keys, how), [])
  }

  live(act: Act): void {
    if (act.act === 'days') this.rotationDays = act.days
    else if (act.act === 'back') {
      this.clock -= act.seconds
      this.wasBack = true
    } else if (act.act === 'rotate')
      this.keys = carryOut(this.keys, planRotation(this.keys, at(this.clock)) ?? [], this.clock)
    else if (act.act === 'withdraw') this.withdraw(act.which)
    else {
      let left = act.seconds
      // Somebody signs all the time; while nothing runs, nobody does.
      for (; act.act === 'pass' && left > HOUR / 2; left -= HOUR / 2) this.pass(HOUR / 2)
      this.pass(left)
    }
    this.look()
  }

  pass(seconds: number): void {
    this.real += seconds
    this.clock += seconds
    this.look()
    this.schedule()
    this.look()
  }

  withdraw(which: number): void {
    const over = this.keys.filter(({ usedUntil }) => (usedUntil ?? Infinity) <= this.clock)
    const kid = over[which % Math.max(1, over.length)]?.kid
    if (kid === undefined) return
    this.withdrawn.add(kid)
    const { clock } = this
    this.keys = this.keys.map((key) =>
      key.kid === kid ? { ...key, usedUntil: 0, destroyedAt: key.destroyedAt ?? clock } : key,
    )
  }
}

test('over any history one key signs, known for an hour before and for two days after', () => {
  let rotations = 0
  fc.assert(
    fc.property(fc.array(acts, { minLength: 5, maxLength: 60 }), (history) => {
      const life = new History()
      life.schedule()
      life.look()
      for (const act of history) life.live(act)
      rotations += life.keys.length - 1
    }),
    { numRuns: 500 },
  )
  assert.ok(rotations > 2000, `${rotations} rotations`)
})
