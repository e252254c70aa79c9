// Test: phone numbers as people write them, and what is refused without being quoted.

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { parsePhone } from './phone-number.ts'

test('a number is read as people of the default country dial it, or with its own country', async () => {
  const cases: readonly (readonly [text: string, country: string, e164: string])[] = [
    ['+12025550123', '', '+12025550123'],
    ['2025550123', 'US', '+12025550123'],
    ['(202) 555-0123', 'US', '+12025550123'],
    ['1 202.555.0123', 'US', '+12025550123'],
    ['+1 (202) 555‑0123', 'DE', '+12025550123'],
    ['0151 23456789', 'DE', '+4915123456789'],
    ['0049 151 23456789', 'DE', '+4915123456789'],
    ['011 44 20 7946 0958', 'US', '+442079460958'],
    ['+44 20 7946 0958', 'US', '+442079460958'],
    // A country that the tables don't know must not spoil a number that names its own.
    ['+44 20 7946 0958', 'XX', '+442079460958'],
    ['٢٠٢٥٥٥٠١٢٣', 'US', '+12025550123'],
    ['＋１２０２５５５０１２３', 'US', '+12025550123'],
    ['  +12025550123 ', '', '+12025550123'],
    ['tel:+1-202-555-0123', 'US', '+12025550123'],
    ['2025550123 ext 5', 'US', '+12025550123'],
  ]
  for (const [text, country, e164] of cases)
    assert.equal(await parsePhone(text, country), e164, `${text} in ${country}`)
})

test('only the form is checked: a number that nobody can have is taken', async () => {
  assert.equal(await parsePhone('123', 'US'), '+1123')
})

test('what is no number is refused, and not quoted', async () => {
  const cases: readonly (readonly [text: string, country: string])[] = [
    ['', 'US'],
    ['1', 'US'],
    ['+1', 'US'],
    ['abc', 'US'],
    ['2025550123', ''],
    ['2025550123', 'XX'],
    ['2025550123', 'us'],
    ['+999202555012', 'US'],
    // One zero too many: the form without it is another text.
    ['+4300123456', ''],
    ['my number is 2025550123', 'US'],
    ['2025550123 or 2025550124', 'US'],
    ['+1234567890123456', 'US'],
    ['+12025550123456789012', 'US'],
    ['2025550123'.repeat(1000), 'US'],
    ['+1202555\u00000123', 'US'],
  ]
  for (const [text, country] of cases)
    await assert.rejects(parsePhone(text, country), (error) => {
      assert.ok(error instanceof TocsinError, text)
      assert.equal(error.code, 'phone_number_invalid')
      assert.equal(error.cause, undefined)
      assert.ok(text.length < 4 || !inspect(error, { depth: 9 }).includes(text.slice(0, 4)), text)
      return true
    })
})
