// Test: what a health system may ask for, and which mistake it is told of first.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJsonObject } from '../operate/read-json.ts'
import { ISSUE_FIELDS, judgeTestType, readIssueRequest } from './issue-request.ts'
import { REALM_DEFAULTS, type RealmSettings } from './realm-settings.ts'
import { parseTestType } from './test-types.ts'

const NOW = new Date('2026-11-25T12:00:00Z')
const GOOD = { testType: 'confirmed', symptomDate: '2026-11-20' }
const NUMBER = '+1 202 555 0123'
const UUID = '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a'

const fieldsOf = (body: unknown) =>
  parseJsonObject(new TextEncoder().encode(JSON.stringify(body)), ISSUE_FIELDS, 'bad_request')

const parse = async (body: unknown, settings: Partial<RealmSettings> = {}) =>
  readIssueRequest(fieldsOf(body), { ...REALM_DEFAULTS, ...settings }, NOW)

const refuses = (
  body: unknown,
  code: string,
  message: RegExp,
  settings: Partial<RealmSettings> = {},
) => assert.rejects(parse(body, settings), { code, message }, JSON.stringify(body))

test('a request with every field that counts', async () => {
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
  assert.deepEqual(await parse(body), {
    testType: 'Likely',
    symptomDate: '2026-11-20',
    testDate: '2026-11-22',
    uuid: '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a',
    externalIssuer: 'ward 7, bed 3',
    text: undefined,
  })
})

test('one date is enough, and names of fields count in any letter case', async () => {
  const expected = { uuid: undefined, externalIssuer: null, text: undefined }
  assert.deepEqual(
    await parse({ TESTTYPE: 'negative', TestDate: '2026-11-22', symptomDate: null }),
    { ...expected, testType: 'negative', symptomDate: null, testDate: '2026-11-22' },
  )
  assert.deepEqual(await parse({ testtype: 'negative', symptomdate: '2026-11-22' }), {
    ...expected,
    testType: 'negative',
    symptomDate: '2026-11-22',
    testDate: null,
  })
})

test('a request without a date is refused, unless the realm needs none', async () => {
  const none = { testType: 'confirmed' }
  await refuses(none, 'missing_date', /symptomDate or testDate/)
  await refuses({ ...GOOD, symptomDate: '', testDate: null }, 'missing_date', /symptomDate or/)
  const { symptomDate, testDate } = await parse(none, { requireDate: false })
  assert.deepEqual([symptomDate, testDate], [null, null])
})

test('both dates are judged', async () => {
  await refuses({ ...GOOD, symptomDate: '2026-11-26' }, 'invalid_date', /symptomDate/)
  await refuses({ ...GOOD, testDate: '2026-10-01' }, 'invalid_date', /testDate/)
  await refuses({ ...GOOD, testDate: 'yesterday' }, 'unparsable_request', /testDate/)
  await refuses({ ...GOOD, testDate: '2026-10-27' }, 'invalid_date', /testDate/)
  await assert.doesNotReject(parse({ ...GOOD, testDate: '2026-10-27', tzOffset: -60 }))
})

test('a text that the realm can not send or write is refused, and no number is repeated in the answer', async () => {
  const NO_NUMBER = /^[^0-9]*$/
  const written = { generateTexts: true }
  await refuses({ ...GOOD, phone: NUMBER }, 'texts_not_offered', NO_NUMBER)
  await refuses({ ...GOOD, phone: NUMBER, onlyGenerateSMS: true }, 'unparsable_request', NO_NUMBER)
  await refuses({ ...GOOD, onlyGenerateSMS: true }, 'unparsable_request', /onlyGenerateSMS/)
  await refuses({ ...GOOD, onlyGenerateSMS: true }, 'unparsable_request', /needs phone/, written)
  for (const phone of ['1', 'x', '202 555 0123', `call ${NUMBER}`])
    await refuses({ ...GOOD, phone }, 'phone_number_invalid', NO_NUMBER, written)
  const label = { phone: NUMBER, onlyGenerateSMS: true, smsTemplateLabel: 'toString' }
  await refuses({ ...GOOD, ...label }, 'unparsable_request', /smsTemplateLabel/, written)
})

test('a text that is wanted has a number in one form, and the label of its template', async () => {
  const sends = { textSender: 'gateway', country: 'US' } as const
  const { text } = await parse({ ...GOOD, phone: '(202) 555-0123' }, sends)
  assert.deepEqual(text, { phone: '+12025550123', label: 'default', onlyGenerate: false })
  const textTemplates = { default: 'a', Kurz: 'b' }
  const asked = { ...GOOD, phone: NUMBER, onlyGenerateSMS: true, smsTemplateLabel: 'Kurz' }
  const written = await parse(asked, { generateTexts: true, textTemplates })
  assert.deepEqual(written.text, { phone: '+12025550123', label: 'Kurz', onlyGenerate: true })
})

test('self-reports of health systems have a switch, and unknown types are none', () => {
  const judge = (type: string, settings: Partial<RealmSettings>, isSelfReport = false) =>
    judgeTestType(parseTestType(type), { ...REALM_DEFAULTS, ...settings }, isSelfReport)
  const all = { testTypes: ['confirmed', 'likely', 'negative', 'user-report'] } as const
  assert.equal(judge('Likely', {}), 'likely')
  assert.throws(() => judge('User-Report', {}), { code: 'unsupported_test_type' })
  assert.throws(() => judge('user-report', {}, true), { code: 'unsupported_test_type' })
  assert.throws(() => judge('user-report', all), { code: 'unsupported_test_type' })
  assert.equal(judge('user-report', all, true), 'user-report')
  assert.equal(judge('user-report', { ...all, adminUserReport: true }), 'user-report')
  assert.throws(() => judge('likely', { testTypes: ['confirmed'] }), {
    code: 'unsupported_test_type',
  })
  for (const type of ['positive', ''])
    assert.throws(() => judge(type, {}), {
      code: 'invalid_test_type',
      message: /confirmed, likely/,
    })
})

test('a uuid has one form, and the issuer of the caller is a text that can be kept', async () => {
  const bare = UUID.replaceAll('-', '')
  const others = [
    bare,
    `{${UUID.toUpperCase()}}`,
    ` ${UUID}\u0000`,
    bare.replace(/.{4}(?=.)/g, '$&-'),
  ]
  for (const uuid of [UUID, ...others])
    assert.equal((await parse({ ...GOOD, uuid })).uuid, UUID, JSON.stringify(uuid))
  for (const uuid of ['', ' \u0000']) assert.equal((await parse({ ...GOOD, uuid })).uuid, undefined)
  for (const uuid of ['1', `urn:uuid:${UUID}`, bare.slice(1), `${bare}0`, `{${UUID}`, `${UUID}-`])
    await refuses({ ...GOOD, uuid }, 'unparsable_request', /uuid must have the form/)
  const longest = await parse({ ...GOOD, externalIssuerID: 'x'.repeat(255) })
  assert.equal(longest.externalIssuer?.length, 255)
  for (const externalIssuerID of ['x'.repeat(256), 'a\u0000b', 'a\nb', '\ud800'])
    await refuses({ ...GOOD, externalIssuerID }, 'unparsable_request', /externalIssuerID/)
})

test('fields of a wrong type and unknown fields are named', async () => {
  const refused = (body: unknown, message: RegExp) => refuses(body, 'bad_request', message)
  for (const name of ['testType', 'symptomDate', 'testDate', 'phone', 'smsTemplateLabel', 'uuid'])
    for (const value of [1, true, [], {}])
      await refused({ ...GOOD, [name]: value }, new RegExp(`^${name} must be`))
  for (const name of ['externalIssuerID', 'padding'])
    await refused({ ...GOOD, [name]: 7 }, new RegExp(`^${name} must be a string`))
  for (const value of ['60', true, {}])
    await refused({ ...GOOD, tzOffset: value }, /^tzOffset must be a number/)
  await refused({ ...GOOD, onlyGenerateSMS: 'no' }, /must be true or false/)
  await refused({ ...GOOD, patient: 'x' }, /unknown field "patient"/)
})
