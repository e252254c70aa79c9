// Test: when a day's share of used codes is unusual.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimAnomaly } from './claim-anomaly.ts'

const day = (claimed: number, issued: number) => ({ issued, claimed })
const days = (count: number, claimed: number, issued: number) =>
  Array.from({ length: count }, () => day(claimed, issued))
const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-12, `${actual}`)

test('14 active days are needed before the one that is judged', () => {
  assert.equal(claimAnomaly([]), undefined)
  assert.equal(claimAnomaly(days(14, 1, 2)), undefined)
  assert.notEqual(claimAnomaly(days(15, 1, 2)), undefined)
  assert.equal(claimAnomaly([...days(13, 1, 2), ...days(20, 0, 0), day(1, 2)]), undefined)
})

test('mean and deviation are those of the population, without the judged day', () => {
  // Half the days 0.6, half 0.8: mean 0.7, deviation 0.1, so the border is 0.5.
  const usual = [...days(7, 60, 100), ...days(7, 8, 10)]
  const on = claimAnomaly([...usual, day(50, 100)])
  near(on?.mean, 0.7)
  near(on?.deviation, 0.1)
  assert.equal(on?.last, 0.5)
  assert.equal(on.isUnusual, false)
  assert.equal(claimAnomaly([...usual, day(49, 100)])?.isUnusual, true)
  assert.equal(claimAnomaly([...usual, day(100, 100)])?.isUnusual, false)
})

test('only the last 30 active days count', () => {
  const result = claimAnomaly([
    ...days(40, 1, 10),
    ...days(5, 0, 0),
    ...days(30, 9, 10),
    day(9, 10),
  ])
  near(result?.mean, 0.9)
  assert.equal(claimAnomaly([...days(40, 1, 10), ...days(29, 9, 10), day(9, 10)])?.isUnusual, false)
  near(
    claimAnomaly([...days(40, 1, 10), ...days(29, 9, 10), day(9, 10)])?.mean,
    (29 * 0.9 + 0.1) / 30,
  )
})

test('a day without codes is never unusual, and a share is at most 1', () => {
  const idle = claimAnomaly([...days(20, 9, 10), day(0, 0)])
  assert.equal(idle?.last, 1)
  assert.equal(idle.isUnusual, false)
  assert.equal(claimAnomaly([...days(20, 9, 10), day(3, 0)])?.last, 1)
  const late = claimAnomaly([...days(20, 30, 10), day(30, 10)])
  assert.equal(late?.mean, 1)
  assert.equal(late.last, 1)
})

test('days that are all alike raise no alarm by rounding', () => {
  for (let issued = 1; issued < 60; issued++)
    for (let claimed = 0; claimed <= issued; claimed++)
      assert.equal(claimAnomaly(days(30, claimed, issued))?.isUnusual, false)
  assert.equal(claimAnomaly([...days(30, 700, 1000), day(699, 1000)])?.isUnusual, true)
})
