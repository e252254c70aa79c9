// Test: which windows of a stream are due, whatever its history, its period and the clock.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { nextDue, planWindows, windowEnd, type Schedule, type Window } from './plan-windows.ts'

const HOUR = 3600
const NOON = Date.UTC(2026, 2, 10, 12) / 1000

/** Periods that divide a day, from a demo's to a day. */
const anyPeriod = fc.constantFrom(10, 60, 900, HOUR, 2 * HOUR, 4 * HOUR, 24 * HOUR)

/** A stream's settings and the times at which its publisher looked: anywhere within a few days, in any order. */
const anyHistory = anyPeriod.chain((period) =>
  fc.record({
    period: fc.constant(period),
    windowAge: fc.integer({ min: 0, max: 3 * period }),
    through: fc.constant(null),
    start: fc.integer({ min: NOON - 100 * period, max: NOON }),
    looks: fc.array(fc.integer({ min: NOON - 120 * period, max: NOON + 120 * period }), {
      minLength: 1,
      maxLength: 20,
    }),
    most: fc.integer({ min: 1, max: 50 }),
  }),
)

/** Everything that a publisher makes that looks at these times, one after the other. */
function publishAt(schedule: Schedule, looks: readonly number[], most: number): Window[] {
  const released: Window[] = []
  for (const now of looks)
    for (;;) {
      const due = planWindows(schedule, released.at(-1)?.end, now, most)
      released.push(...due)
      if (due.length < most) break
    }
  return released
}

test('windows follow each other without a gap or an overlap, oldest first, also when the clock is moved back', () => {
  fc.assert(
    fc.property(anyHistory, ({ looks, most, ...schedule }) => {
      let expected = schedule.start
      for (const { start, end } of publishAt(schedule, looks, most)) {
        assert.equal(start, expected)
        assert.ok(end > start)
        expected = end
      }
    }),
  )
})

test('every moment up to the last window lies in exactly one of them', () => {
  fc.assert(
    fc.property(anyHistory, fc.double({ min: 0, max: 1, noNaN: true }), (history, share) => {
      const { looks, most, ...schedule } = history
      const windows = publishAt(schedule, looks, most)
      const end = windows.at(-1)?.end ?? schedule.start
      fc.pre(end > schedule.start)
      const moment = schedule.start + Math.floor(share * (end - schedule.start - 1))
      assert.equal(windows.filter((each) => each.start <= moment && moment < each.end).length, 1)
    }),
  )
})

test('a window is never released before it is over and has settled, and never later than the next look', () => {
  fc.assert(
    fc.property(anyHistory, ({ looks, most, ...schedule }) => {
      const windows = publishAt(schedule, looks, most)
      const latest = Math.max(...looks)
      const end = windows.at(-1)?.end ?? schedule.start
      assert.ok(windows.every((each) => each.end + schedule.windowAge <= latest))
      assert.ok((nextDue(schedule, windows.at(-1)?.end) ?? 0) > latest)
      assert.ok((nextDue(schedule, end) ?? Infinity) - schedule.windowAge - end <= schedule.period)
    }),
  )
})

test('what is released does not depend on when and how often the publisher looks, nor on how much it makes at once', () => {
  fc.assert(
    fc.property(anyHistory, ({ looks, most, ...schedule }) => {
      assert.deepEqual(
        publishAt(schedule, looks, most),
        publishAt(schedule, [Math.max(...looks)], 1_000),
      )
    }),
  )
})

test('windows end at whole multiples of the period; after a change of the period the first is shorter', () => {
  const hourly = { period: HOUR, windowAge: 0, start: NOON, through: null }
  assert.deepEqual(planWindows(hourly, undefined, NOON + 2 * HOUR, 10), [
    { start: NOON, end: NOON + HOUR },
    { start: NOON + HOUR, end: NOON + 2 * HOUR },
  ])
  const fourHourly = { ...hourly, period: 4 * HOUR }
  assert.deepEqual(planWindows(fourHourly, NOON + HOUR, NOON + 8 * HOUR, 10), [
    { start: NOON + HOUR, end: NOON + 4 * HOUR },
    { start: NOON + 4 * HOUR, end: NOON + 8 * HOUR },
  ])
})

test('a window that ends this second is due, and one that has yet to settle is not', () => {
  const schedule = { period: HOUR, windowAge: 600, start: NOON, through: null }
  assert.deepEqual(planWindows(schedule, undefined, NOON + HOUR + 599, 10), [])
  assert.deepEqual(planWindows(schedule, undefined, NOON + HOUR + 600, 10), [
    { start: NOON, end: NOON + HOUR },
  ])
  assert.equal(nextDue(schedule, undefined), NOON + HOUR + 600)
})

test('a stream that ends has a last window that ends there, and none behind it', () => {
  const through = NOON + HOUR + 900
  const schedule = { period: HOUR, windowAge: 600, start: NOON, through }
  assert.deepEqual(planWindows(schedule, undefined, through + 600, 10), [
    { start: NOON, end: NOON + HOUR },
    { start: NOON + HOUR, end: through },
  ])
  assert.deepEqual(planWindows(schedule, NOON + HOUR, through + 599, 10), [], 'the last settles')
  assert.equal(nextDue(schedule, NOON + HOUR), through + 600)
  for (const lastEnd of [through, through + HOUR]) {
    assert.deepEqual(planWindows(schedule, lastEnd, NOON + 99 * HOUR, 10), [])
    assert.equal(nextDue(schedule, lastEnd), undefined)
  }
  const never = { ...schedule, through: NOON }
  assert.deepEqual(planWindows(never, undefined, NOON + 99 * HOUR, 10), [])
})

test('a stream that is taken up again goes on where it ended, oldest first', () => {
  const ended = { period: HOUR, windowAge: 0, start: NOON, through: NOON + 900 }
  const [last] = planWindows(ended, undefined, NOON + 5 * HOUR, 10)
  assert.deepEqual(last, { start: NOON, end: NOON + 900 })
  assert.deepEqual(planWindows({ ...ended, through: null }, last?.end, NOON + 3 * HOUR, 10), [
    { start: NOON + 900, end: NOON + HOUR },
    { start: NOON + HOUR, end: NOON + 2 * HOUR },
    { start: NOON + 2 * HOUR, end: NOON + 3 * HOUR },
  ])
})

test('the window that is open now ends at the next whole multiple of the period', () => {
  assert.equal(windowEnd(HOUR, NOON), NOON + HOUR)
  assert.equal(windowEnd(HOUR, NOON + HOUR - 1), NOON + HOUR)
  assert.equal(windowEnd(24 * HOUR, NOON), NOON + 12 * HOUR)
})
