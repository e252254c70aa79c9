// Test: which dates of symptoms and tests are taken, and when each begins for a phone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { checkDate, intervalOfDate } from './dates.ts'

// A machine of the far east and one of the far west must agree.
const ZONES = ['Pacific/Kiritimati', 'UTC', 'Pacific/Pago_Pago']

const codeOf = (name: string, text: string, tzOffset: number, now: string) => {
  try {
    return checkDate(name, text, tzOffset, new Date(now))
  } catch (error) {
    assert.ok(error instanceof TocsinError)
    return error.code
  }
}

test('a date counts from 28 days ago to today, by the calendar of UTC', () => {
  for (const zone of ZONES) {
    process.env['TZ'] = zone
    for (const time of ['00:00:00.000', '12:34:56.789', '23:59:59.999']) {
      const now = `2026-11-25T${time}Z`
      assert.equal(codeOf('testDate', '2026-11-25', 0, now), '2026-11-25')
      assert.equal(codeOf('testDate', '2026-11-26', 0, now), 'invalid_date')
      assert.equal(codeOf('testDate', '2026-10-28', 0, now), '2026-10-28')
      assert.equal(codeOf('testDate', '2026-10-27', 0, now), 'invalid_date')
    }
  }
  delete process.env['TZ']
})

test('where a negative offset says that it is still yesterday, one day more of the past counts', () => {
  const now = '2026-11-25T00:30:00Z'
  assert.equal(codeOf('symptomDate', '2026-10-27', -1, now), '2026-10-27')
  assert.equal(codeOf('symptomDate', '2026-10-27', 1, now), 'invalid_date')
  assert.equal(codeOf('symptomDate', '2026-10-26', -720, now), 'invalid_date')
  assert.equal(codeOf('symptomDate', '2026-11-26', -720, now), 'invalid_date')
  assert.equal(codeOf('symptomDate', '2026-11-26', 720, now), 'invalid_date')
})

test('the day counts as it is where the person is, whichever sign the offset has', () => {
  // Before and after midnight of UTC: an hour to the west it is still yesterday, an hour to the east already tomorrow.
  for (const offset of [60, -60]) {
    assert.equal(codeOf('testDate', '2026-11-26', offset, '2026-11-25T23:30:00Z'), '2026-11-26')
    assert.equal(codeOf('testDate', '2026-11-26', offset, '2026-11-25T22:59:59Z'), 'invalid_date')
    assert.equal(codeOf('testDate', '2026-10-27', offset, '2026-11-25T00:30:00Z'), '2026-10-27')
  }
  assert.equal(codeOf('testDate', '2026-10-27', 60, '2026-11-25T01:00:00Z'), 'invalid_date')
  // Nowhere is it further: what is sent instead buys no more days.
  for (const offset of [841, 100_000, -100_000, 1e300]) {
    assert.equal(codeOf('testDate', '2026-11-26', offset, '2026-11-25T09:59:59Z'), 'invalid_date')
    assert.equal(codeOf('testDate', '2026-11-26', offset, '2026-11-25T10:00:00Z'), '2026-11-26')
  }
})

test('a date that was not given is none', () => {
  assert.equal(checkDate('testDate', '', 0, new Date('2026-11-25T12:00:00Z')), null)
})

test('what is no day of the calendar in the form YYYY-MM-DD is refused', () => {
  const now = '2024-03-01T12:00:00Z'
  assert.equal(codeOf('testDate', '2024-02-29', 0, now), '2024-02-29')
  for (const text of [
    '2024-02-30',
    '2024-02-00',
    '2024-13-01',
    '2024-2-29',
    '24-02-29',
    '2024/02/29',
    '20240229',
    ' 2024-02-29',
    '2024-02-29\n',
    '2024-02-29T00:00:00Z',
    '29.02.2024',
    '+002024-02-29',
    '２０２４-02-29',
    'today',
  ])
    assert.equal(codeOf('testDate', text, 0, now), 'unparsable_request', text)
  assert.equal(codeOf('testDate', '2023-02-29', 0, '2023-03-01T12:00:00Z'), 'unparsable_request')
})

test('the refusal says which date, and from when to when', () => {
  assert.throws(
    () => checkDate('symptomDate', '2026-11-26', 0, new Date('2026-11-25T12:00:00Z')),
    /symptomDate must be from 2026-10-28 to 2026-11-25\./,
  )
})

test('a date begins with an interval of 10 minutes, whatever the time zone of the machine', () => {
  for (const zone of ZONES) {
    process.env['TZ'] = zone
    assert.equal(intervalOfDate('1970-01-01'), 0)
    assert.equal(intervalOfDate('1970-01-02'), 144)
    assert.equal(intervalOfDate('2026-11-25'), 1_795_564_800 / 600)
  }
  delete process.env['TZ']
})
