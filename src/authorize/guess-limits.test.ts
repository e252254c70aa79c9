// Test: how often a prefix and a realm may try codes, what forgives, and what is remembered.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainedByTyping } from './guess-brake.ts'
import { createGuessLimits } from './guess-limits.ts'
import { createGuessMemory } from './guess-memory.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const REALM = 'de'

function setUp() {
  const clock = { now: 5 * HOUR }
  const alarms: string[] = []
  const limits = createGuessLimits({
    now: () => clock.now,
    key: 'of a test',
    alarm: (realm, isBraked) => alarms.push(`${realm} ${isBraked ? 'on' : 'off'}`),
  })
  /** Tries once, with a wrong code. @returns the seconds to wait, 0 when it was allowed */
  const wrong = (prefix: string, realm = REALM) => {
    const leave = limits.mayTry(realm, prefix)
    if (leave.allowed) limits.countWrong(realm, prefix)
    return leave.allowed ? 0 : leave.retryAfterSeconds
  }
  const right = (prefix: string) => {
    const leave = limits.mayTry(REALM, prefix)
    if (leave.allowed) limits.countRight(REALM, prefix)
    return leave.allowed ? 0 : leave.retryAfterSeconds
  }
  const wrongs = (count: number, prefix: string) =>
    Array.from({ length: count }, () => wrong(prefix))
  /** Guesses from many prefixes until the brake comes on. */
  const provoke = () => {
    for (let index = 0; limits.brakes().length === 0; index++) {
      assert.ok(index < 200)
      wrong(`bot ${index}`)
    }
  }
  return { clock, alarms, limits, wrong, wrongs, right, provoke }
}

test('10 wrong codes are free, then waits double from a second to 15 minutes', () => {
  const { clock, wrong, wrongs } = setUp()
  assert.deepEqual(
    wrongs(11, 'a'),
    Array.from({ length: 11 }, () => 0),
  )
  const waits = []
  for (let index = 0; index < 14; index++) {
    const wait = wrong('a')
    waits.push(wait)
    clock.now += wait * SECOND - 1
    assert.equal(wrong('a'), 1, 'not a moment earlier')
    clock.now += 1
    assert.equal(wrong('a'), 0)
  }
  assert.deepEqual(waits.slice(0, 10), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
  assert.equal(Math.max(...waits), 900)
  assert.equal(wrong('b'), 0, 'another prefix')
  assert.equal(wrong('a', 'at'), 0, 'another realm')
})

test('a try that is refused makes the wait no longer', () => {
  const { clock, wrong, wrongs } = setUp()
  wrongs(11, 'a')
  for (let index = 0; index < 1_000; index++) assert.equal(wrong('a'), 1)
  clock.now += SECOND
  assert.equal(wrong('a'), 0)
})

test('one wrong code is forgiven every 15 minutes: 96 a day in the long run', () => {
  const { clock, wrong, wrongs } = setUp()
  wrongs(11, 'a')
  clock.now += 5 * 15 * MINUTE
  assert.deepEqual(wrongs(5, 'a'), [0, 0, 0, 0, 0])
  let through = 0
  for (let second = 0; second < 86_400; second++) {
    clock.now += SECOND
    if (wrong('a') === 0) through += 1
  }
  assert.ok(through >= 96 && through <= 110, `${through}`)
  clock.now += 6 * HOUR
  assert.deepEqual(
    wrongs(10, 'a').concat(wrong('a')),
    Array.from({ length: 11 }, () => 0),
  )
  assert.equal(wrong('a'), 1)
})

test('a right code forgives half a wrong one: neither one nor ten make an attacker free again', () => {
  const { clock, wrong, wrongs, right } = setUp()
  wrongs(9, 'a')
  right('a')
  assert.deepEqual(wrongs(3, 'a'), [0, 0, 1])
  clock.now += SECOND
  for (let index = 0; index < 10; index++) assert.equal(right('a'), 0)
  assert.deepEqual(wrongs(7, 'a'), [0, 0, 0, 0, 0, 1, 1])
  assert.equal(wrong('a'), 1)
})

test('a network that many share is not slowed by typing errors', () => {
  const { clock, wrong, right } = setUp()
  for (let index = 0; index < 10_000; index++) {
    clock.now += 100
    assert.equal(index % 10 === 0 ? wrong('a') : right('a'), 0)
  }
})

test('guesses sent at once are no way around, for a prefix or for a realm', () => {
  const { limits, alarms } = setUp()
  const leaves = (count: number, prefix: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => limits.mayTry(REALM, prefix(index))).filter(
      (leave) => leave.allowed,
    ).length
  assert.equal(
    leaves(1_000, () => 'a'),
    10,
  )
  assert.equal(
    leaves(1_000, (index) => `bot ${index}`),
    91,
  )
  assert.deepEqual(alarms, [])
})

test('a try without a result is forgotten after 30 seconds, and one that was no guess at once', () => {
  const { clock, limits } = setUp()
  const mayTry = () => limits.mayTry(REALM, 'a').allowed
  for (let index = 0; index < 10; index++) assert.equal(mayTry(), true)
  assert.equal(mayTry(), false)
  limits.countNeither(REALM, 'a')
  assert.equal(mayTry(), true)
  assert.equal(mayTry(), false)
  clock.now += 30 * SECOND
  assert.equal(mayTry(), true)
  for (let index = 0; index < 1_000; index++) {
    limits.countNeither(REALM, 'a')
    assert.equal(mayTry(), true)
  }
})

test('typing errors explain 100 wrong codes in 10 minutes, or what a binomial distribution reaches with six sigma', () => {
  assert.equal(explainedByTyping(0), 100)
  assert.equal(explainedByTyping(500), 100)
  assert.equal(explainedByTyping(10_000), 1_000 + 6 * 30)
})

test('the brake comes on with the 101st wrong code, alarms once, and goes off 10 minutes after the attack', () => {
  const { clock, alarms, limits, wrong } = setUp()
  for (let index = 0; index < 100; index++) assert.equal(wrong(`bot ${index}`), 0)
  assert.deepEqual(limits.brakes(), [])
  assert.equal(wrong('bot 100'), 0)
  assert.deepEqual(limits.brakes(), [{ realm: REALM, since: clock.now }])
  const since = clock.now
  for (let second = 0; second < 3_600; second++) {
    clock.now += SECOND
    for (let index = 0; index < 5; index++) wrong(`bot ${second} ${index}`)
  }
  assert.deepEqual(limits.brakes(), [{ realm: REALM, since }])
  assert.deepEqual(alarms, ['de on'])
  clock.now += 9 * MINUTE
  assert.equal(limits.brakes().length, 1)
  clock.now += 11 * MINUTE
  assert.deepEqual(limits.brakes(), [])
  assert.deepEqual(alarms, ['de on', 'de off'])
})

test('a large realm has more typing errors without an alarm', () => {
  const { clock, alarms, wrong, right } = setUp()
  for (let index = 0; index < 50_000; index++) {
    clock.now += 50
    if (index % 10 === 0) wrong(`net ${index % 977}`)
    else right(`net ${index % 977}`)
  }
  assert.deepEqual(alarms, [])
})

test('in a braked realm prefixes that had a right code go on, others share 30 and 6 tries a minute', () => {
  const { clock, wrong, right, provoke, limits } = setUp()
  right('home')
  provoke()
  clock.now += MINUTE
  const allowed = (count: number, prefix: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => wrong(prefix(index))).filter((wait) => wait === 0)
      .length
  assert.equal(
    allowed(500, (index) => `bot ${index % 100}`),
    6,
  )
  assert.equal(
    allowed(500, (index) => `new ${index}`),
    30,
  )
  assert.equal(right('newcomer'), 60)
  for (let index = 0; index < 20; index++) assert.equal(right('home'), 0)
  assert.equal(wrong('newcomer', 'at'), 0, 'another realm')
  clock.now += MINUTE
  assert.equal(
    allowed(20, () => 'alone'),
    3,
  )
  assert.equal(limits.brakes().length, 1)
})

test('newcomers push out newcomers, never those that are slowed or had a right code', () => {
  const memory = createGuessMemory(10)
  memory.put('slowed', record(11, false), 0)
  memory.put('proven', record(1, true), 0)
  memory.put('seen', record(1, false), 0)
  for (let index = 0; index < 150_000; index++) memory.put(`flood ${index}`, record(1, false), 1)
  assert.ok(memory.get('slowed', 1) && memory.get('proven', 1))
  assert.equal(memory.get('seen', 1), undefined)
  assert.ok(memory.size <= 40_002)
  for (let index = 0; index < 150_000; index++) {
    memory.put(`many ${index}`, record(11, false), 1)
    memory.put(`towns ${index}`, record(0, true), 1)
  }
  assert.ok(memory.size <= 100_000 && memory.size > 50_000, `${memory.size}`)
})

test('a prefix is forgotten a day after its last try, one with a right code after 60 days', () => {
  for (const [level, hadRight, days] of [
    [1, false, 1],
    [11, false, 1],
    [1, true, 60],
  ] as const)
    for (const isBusy of [true, false]) {
      const memory = createGuessMemory(10)
      const start = 5.5 * HOUR
      memory.put('a', record(level, hadRight), start)
      for (let hour = 0; hour < days * 24; hour++) {
        const time = start + hour * HOUR
        if (isBusy) memory.put('b', record(level, hadRight), time)
        if (isBusy && hour < days * 12) assert.ok(memory.get('a', time), `${hour}`)
      }
      assert.equal(memory.get('a', start + days * 24 * HOUR), undefined)
    }
})

function record(level: number, hadRight: boolean) {
  return {
    level,
    levelAt: 0,
    waitsUntil: 0,
    hadWrong: level > 0,
    hadRight,
    pending: [],
    minute: 0,
    triesInMinute: 0,
  }
}
