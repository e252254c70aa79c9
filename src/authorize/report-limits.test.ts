// Test: the limits of self-reports.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReportLimits } from './report-limits.ts'

test('a network sends ten reports at once, then one every three minutes', () => {
  let time = 1_000_000
  const limits = createReportLimits(() => time, 'key')
  const report = (prefix = '192.0.2.0/24', realm = 'north') => limits.mayReport(realm, prefix)
  for (let index = 0; index < 10; index++) assert.equal(report(), 0, `report ${index}`)
  assert.equal(report(), 180)
  assert.equal(report('198.51.100.0/24'), 0, 'another network')
  assert.equal(report('192.0.2.0/24', 'south'), 0, 'another realm')
  time += 179_000
  assert.equal(report(), 1)
  time += 1_000
  assert.equal(report(), 0)
  assert.equal(report(), 180)
  time += 86_400_000
  for (let index = 0; index < 10; index++) assert.equal(report(), 0)
  assert.ok(report() > 0, 'no more is saved up than ten')
})

test('what was refused costs nothing', () => {
  let time = 0
  const limits = createReportLimits(() => time, 'key')
  for (let index = 0; index < 1_000; index++) limits.mayReport('north', 'prefix')
  time += 180_000
  assert.equal(limits.mayReport('north', 'prefix'), 0)
})
