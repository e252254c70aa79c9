// Test: the clock: it follows small corrections and lasting changes, and bridges a leap that is undone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyClock } from './clock.ts'

const START = Date.UTC(2026, 10, 25)
const MINUTE = 60_000

/** A clock whose wall and whose steady time the test moves apart. */
function twoClocks() {
  const time = { wall: START, monotonic: 5_000 }
  const clock = steadyClock(
    () => time.wall,
    () => time.monotonic,
  )
  clock.now()
  return {
    /** Time passes on both. */
    pass: (ms: number) => ((time.wall += ms), (time.monotonic += ms)),
    /** Somebody sets the clock on the wall. */
    set: (ms: number) => (time.wall += ms),
    read: () => clock.now().getTime() - START,
  }
}

test('time passes, and corrections of minutes are followed at once', () => {
  const clocks = twoClocks()
  clocks.pass(30 * MINUTE)
  assert.equal(clocks.read(), 30 * MINUTE)
  clocks.set(-9 * MINUTE)
  assert.equal(clocks.read(), 21 * MINUTE)
  clocks.set(9 * MINUTE)
  assert.equal(clocks.read(), 30 * MINUTE)
})

test('a leap that is undone is never seen, whichever way it went', () => {
  for (const years of [10, -10]) {
    const clocks = twoClocks()
    const leap = years * 365 * 24 * 60 * MINUTE
    clocks.set(leap)
    assert.equal(clocks.read(), 0)
    clocks.pass(1.9 * MINUTE)
    assert.equal(clocks.read(), 1.9 * MINUTE)
    clocks.set(-leap)
    clocks.pass(MINUTE)
    assert.equal(clocks.read(), 2.9 * MINUTE)
    // A second leap is a new one.
    clocks.set(leap)
    clocks.pass(MINUTE)
    assert.equal(clocks.read(), 3.9 * MINUTE)
  }
})

test('a change that lasts, as after a machine slept, is believed after two minutes', () => {
  const clocks = twoClocks()
  clocks.set(60 * MINUTE)
  assert.equal(clocks.read(), 0)
  clocks.pass(2 * MINUTE)
  assert.equal(clocks.read(), 62 * MINUTE)
  clocks.pass(MINUTE)
  assert.equal(clocks.read(), 63 * MINUTE)
})
