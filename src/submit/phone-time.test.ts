// Test: times as phones write them are taken in the forms that a database took from them, whenever they are; others are not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPhoneTime } from './phone-time.ts'

test('times are taken in every form in which apps write them, and from whatever clock', () => {
  for (const text of [
    '2020-04-07',
    '2020/04/07 12:34',
    '20200407',
    '20200407T123456Z',
    '2020-04-07T12:34:56Z',
    '2020-04-07t12:34:56z',
    '2020-04-07 12:34:56.789012',
    '2020-04-07T12:34:56.1234567890123+05:30',
    '2020-04-07 12:34:56 +0000',
    '2020-04-07 12:34:56-03',
    '2020-04-07 12:34:56 UTC',
    '2020-02-29T24:00:00',
    '2016-12-31T23:59:60Z',
    '1970-01-01T00:00:00Z',
    '9999-12-31',
    'Tue, 07 Apr 2020 12:34:56 GMT',
    '7 Apr 2020 12:34',
    'Tuesday, 07-Apr-2020 12:34:56 GMT',
    'Tue Apr  7 12:34:56 2020',
    'Tue Apr 07 12:34:56 CEST 2020',
  ])
    assert.equal(isPhoneTime(text), true, text)
})

test('what is no time, or a day that there is not, is refused, and costs nobody time', () => {
  for (const text of [
    '',
    ' ',
    'yesterday',
    '1773057600',
    '2020-01-01 BC',
    '2021-02-29',
    '2020-13-01',
    '2020-00-10',
    '2020-04-31T00:00',
    '2020-04/07',
    '2020-04-07T25:00',
    '2020-04-07T12:60',
    '2020-04-07T12:34:61Z',
    '2020-04-07T12',
    'Tue, 07 Foo 2020 12:34:56 GMT',
    'Tue, 31 Apr 2020 12:34:56 GMT',
    '2020-04-07\n',
    `2020-04-07T12:34:56.${'1'.repeat(100_000)}`,
    `${' '.repeat(100_000)}2020`,
  ])
    assert.equal(isPhoneTime(text), false, text.slice(0, 60))
})
