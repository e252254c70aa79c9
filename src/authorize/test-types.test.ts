// Test: which results an app can deal with.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptedTypes, parseTestType } from './test-types.ts'

const accepted = (...accept: string[]) => [...acceptedTypes(accept)].sort()

test('an app that accepts a weaker result accepts the stronger ones', () => {
  assert.deepEqual(accepted('confirmed'), ['confirmed'])
  assert.deepEqual(accepted('likely'), ['confirmed', 'likely'])
  assert.deepEqual(accepted('negative'), ['confirmed', 'likely', 'negative'])
  assert.deepEqual(accepted('user-report'), ['confirmed', 'user-report'])
  assert.deepEqual(accepted('user-report', 'likely'), ['confirmed', 'likely', 'user-report'])
})

test('an app that names no type accepts every one', () => {
  assert.deepEqual(accepted(), ['confirmed', 'likely', 'negative', 'user-report'])
})

test('types are taken in any letter case, and unknown ones are refused', () => {
  assert.deepEqual(accepted('CONFIRMED'), ['confirmed'])
  assert.equal(parseTestType('User-Report'), 'user-report')
  for (const name of ['', 'positive', 'confirmed ', 'constructor', '__proto__'])
    assert.throws(() => parseTestType(name), { code: 'invalid_test_type' }, name)
  assert.throws(() => accepted('confirmed', 'maybe'), { code: 'invalid_test_type' })
})
