// Test: the daily quota against values computed by hand, and what holds for any history.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dailyQuota } from './quota-model.ts'

const line = (days: number, start: number, slope: number) =>
  Array.from({ length: days }, (_, day) => start + slope * day)
/** The newest day, which must not matter. */
const TODAY = 123_456

test('13 days are too few, 14 are enough, the newest counted', () => {
  assert.equal(dailyQuota([], 50, 200), 50)
  assert.equal(dailyQuota([...line(12, 100, 0), TODAY], 50, 200), 50)
  assert.equal(dailyQuota([...line(13, 100, 0), TODAY], 50, 200), 200)
})

test('a straight line is continued by one day, from the last 20 full days', () => {
  assert.equal(dailyQuota([...line(20, 100, 5), TODAY], 1, 100), 200)
  assert.equal(dailyQuota([...line(13, 100, 5), TODAY], 1, 100), 165)
  assert.equal(dailyQuota([...line(20, 300, -5), TODAY], 1, 100), 200)
  assert.equal(dailyQuota([9_999, 0, 7_777, ...line(20, 100, 5), TODAY], 1, 100), 200)
})

test('values computed by hand', () => {
  // Squares 0, 1, 4 ... 144: mean 50, slope 12, so 50 + 12 x 7 = 134.
  const squares = Array.from({ length: 13 }, (_, day) => day * day)
  assert.equal(dailyQuota([...squares, TODAY], 1, 100), 134)
  // One of 20 days had 1,000 codes, the others 100: mean 145; the last: slope 900 x 9.5 / 665 = 12.857, x 10.5 = 135; the first: -135.
  assert.equal(dailyQuota([...line(19, 100, 0), 1_000, TODAY], 1, 100), 280)
  assert.equal(dailyQuota([1_000, ...line(19, 100, 0), TODAY], 1, 100), 10)
  // 13 days, a single code on the last but two (4 days after the middle): 1/13 + 4/182 x 7 = 0.23.
  assert.equal(dailyQuota([...line(10, 0, 0), 1, 0, 0, TODAY], 1, 1000), 100)
  // Mean 20.5, slope 0.5 x 10 / 665, x 10.5: 20.579; rounds to 21.
  const alternating = Array.from({ length: 20 }, (_, day) => 20 + (day % 2))
  assert.equal(dailyQuota([...alternating, TODAY], 1, 100), 21)
})

test('the expected count is kept from 10 to 20,000, then the percent counts, rounded up', () => {
  assert.equal(dailyQuota([...line(20, 0, 0), TODAY], 1, 100), 10)
  assert.equal(dailyQuota([...line(20, 0, 0), TODAY], 1, 10), 1)
  assert.equal(dailyQuota([...line(20, 0, 0), TODAY], 1, 101), 11)
  assert.equal(dailyQuota([...line(20, 2_000, -100), TODAY], 1, 100), 10)
  assert.equal(dailyQuota([...line(20, 50_000, 0), TODAY], 1, 100), 20_000)
  assert.equal(dailyQuota([...line(20, 1e6, 1e6), TODAY], 1, 150), 30_000)
  assert.equal(dailyQuota([...line(20, 100, 0), TODAY], 1, 110), 110)
  assert.equal(dailyQuota([...line(20, 33, 0), TODAY], 1, 110), 37)
})

test('for any history: whole, within the limits, and untouched by the newest day', () => {
  const random = seeded(7)
  for (let round = 0; round < 2_000; round++) {
    const most = 10 ** (1 + 4 * random())
    const counts = Array.from({ length: 14 + Math.floor(random() * 40) }, () =>
      random() < 0.3 ? 0 : Math.floor(random() * most),
    )
    const percent = 10 + Math.floor(random() * 990)
    const quota = dailyQuota(counts, 1, percent)
    assert.ok(Number.isSafeInteger(quota))
    assert.ok(quota >= Math.ceil(percent / 10) && quota <= 200 * percent, `${quota}`)
    assert.equal(dailyQuota([...counts.slice(0, -1), TODAY], 1, percent), quota)
    assert.equal(dailyQuota([5, ...counts], 1, percent) === quota || counts.length < 21, true)
    // A later day weighs more, so one that had more codes never lowers the quota.
    const raised = counts.with(counts.length - 2, (counts.at(-2) ?? 0) + 500)
    assert.ok(dailyQuota(raised, 1, percent) >= quota)
  }
})

test('one day of a spike raises the quota by less than a fifth of the spike', () => {
  const usual = line(20, 100, 0)
  for (let day = 0; day < 20; day++) {
    const quota = dailyQuota([...usual.with(day, 10_100), TODAY], 1, 100)
    assert.ok(quota <= 100 + 10_000 / 5, `${day}: ${quota}`)
  }
})

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
