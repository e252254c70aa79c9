// Test: what a health system may ask for, and which mistake it is told of first.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIssueRequest } from './issue-request.ts'

const NOW = new Date('2026-11-25T12:00:00Z')
const GOOD = { testType: 'confirmed', symptomDate: '2026-11-20' }

const parse = (body: unknown) =>
  parseIssueRequest(new TextEncoder().encode(JSON.stringify(body)), NOW)

const refuses = (body: unknown, code: string, message: RegExp) =>
  assert.throws(() => parse(body), { code, message }, JSON.stringify(body))

test('a request with every field that counts', () => {
  const body = {
    testType: 'Likely',
    symptomDate: '2026-11-20',
    testDate: '2026-11-22',
    tzOffset: -330.5,
    phone: '',
    smsTemplateLabel: 'short',
    uuid: '5148C75C-2BC5-4874-9D1C-F9185F0A1B8A',
    externalIssuerID: 'ward 7, bed 3',
    onlyGenerateSMS: false,
    padding: 'AAAA',
  }
  assert.deepEqual(parse(body), {
    testType: 'likely',
    symptomDate: '2026-11-20',
    testDate: '2026-11-22',
    uuid: '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a',
    externalIssuer: 'ward 7, bed 3',
  })
})

test('one date is enough, and names of fields count in any letter case', () => {
  const expected = { testType: 'negative', uuid: undefined, externalIssuer: null }
  assert.deepEqual(parse({ TESTTYPE: 'negative', TestDate: '2026-11-22', symptomDate: null }), {
    ...expected,
    symptomDate: null,
    testDate: '2026-11-22',
  })
  assert.deepEqual(parse({ testtype: 'negative', symptomdate: '2026-11-22' }), {
    ...expected,
    symptomDate: '2026-11-22',
    testDate: null,
  })
})

test('a request without a date is refused', () => {
  refuses({ testType: 'confirmed' }, 'missing_date', /symptomDate or testDate/)
  refuses({ ...GOOD, symptomDate: '', testDate: null }, 'missing_date', /symptomDate or testDate/)
})

test('both dates are judged', () => {
  refuses({ ...GOOD, symptomDate: '2026-11-26' }, 'invalid_date', /symptomDate/)
  refuses({ ...GOOD, testDate: '2026-10-01' }, 'invalid_date', /testDate/)
  refuses({ ...GOOD, testDate: 'yesterday' }, 'unparsable_request', /testDate/)
  assert.throws(() => parse({ ...GOOD, testDate: '2026-10-27' }), { code: 'invalid_date' })
  assert.doesNotThrow(() => parse({ ...GOOD, testDate: '2026-10-27', tzOffset: -60 }))
})

test('text messages are not offered: a phone number is refused, and not repeated in the answer', () => {
  refuses({ ...GOOD, phone: '+15551234567' }, 'texts_not_offered', /^[^0-9]*$/)
  refuses({ ...GOOD, onlyGenerateSMS: true }, 'unparsable_request', /onlyGenerateSMS/)
})

test('self-reports are not enabled, and unknown types are none', () => {
  refuses({ ...GOOD, testType: 'user-report' }, 'unsupported_test_type', /not enabled/)
  refuses({ ...GOOD, testType: 'User-Report' }, 'unsupported_test_type', /not enabled/)
  refuses({ ...GOOD, testType: 'positive' }, 'invalid_test_type', /confirmed, likely/)
  refuses({ symptomDate: '2026-11-20' }, 'invalid_test_type', /confirmed, likely/)
})

test('a uuid has one form, and the issuer of the caller is a text that can be kept', () => {
  for (const uuid of ['1', 'urn:uuid:5148c75c-2bc5-4874-9d1c-f9185f0a1b8a', 'a'.repeat(32)])
    refuses({ ...GOOD, uuid }, 'unparsable_request', /uuid must have the form/)
  assert.equal(parse({ ...GOOD, externalIssuerID: 'x'.repeat(255) }).externalIssuer?.length, 255)
  for (const externalIssuerID of ['x'.repeat(256), 'a\u0000b', 'a\nb', '\ud800'])
    refuses({ ...GOOD, externalIssuerID }, 'unparsable_request', /externalIssuerID/)
})

test('fields of a wrong type and unknown fields are named', () => {
  for (const name of ['testType', 'symptomDate', 'testDate', 'phone', 'smsTemplateLabel', 'uuid'])
    for (const value of [1, true, [], {}])
      refuses({ ...GOOD, [name]: value }, 'unparsable_request', new RegExp(`^${name} must be`))
  for (const name of ['externalIssuerID', 'padding'])
    refuses({ ...GOOD, [name]: 7 }, 'unparsable_request', new RegExp(`^${name} must be a string`))
  for (const value of ['60', true, {}])
    refuses({ ...GOOD, tzOffset: value }, 'unparsable_request', /^tzOffset must be a number/)
  refuses({ ...GOOD, onlyGenerateSMS: 'no' }, 'unparsable_request', /must be true or false/)
  refuses({ ...GOOD, patient: 'x' }, 'unparsable_request', /unknown field "patient"/)
})

test('the first mistake in the order of the rules is told', () => {
  refuses({ testType: 'positive', phone: '+1' }, 'missing_date', /./)
  refuses({ testType: 'positive', symptomDate: '2020-01-01', phone: '+1' }, 'invalid_date', /./)
  refuses({ ...GOOD, testType: 'positive', phone: '+1' }, 'texts_not_offered', /./)
})
