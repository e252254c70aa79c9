// Test: the body of POST /v1/publish; promises that what isn't exactly one request is refused with a sentence.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { parsePublishRequest, type PublishRequest } from './parse-publish.ts'

const KEY = {
  key: 'AAECAwQFBgcICQoLDA0ODw==',
  rollingStartNumber: 2_956_000,
  rollingPeriod: 144,
  transmissionRisk: 3,
}
const REQUEST = {
  temporaryExposureKeys: [KEY],
  healthAuthorityID: 'org.example.health',
  verificationPayload: 'a.b.c',
  hmacKey: 'c2VjcmV0',
  symptomOnsetInterval: 2_955_800,
  traveler: true,
  revisionToken: 'dG9rZW4=',
  padding: 'cGFkZGluZw==',
}
const READ: PublishRequest = {
  keys: [{ key: KEY.key, rollingStart: 2_956_000, rollingPeriod: 144, transmissionRisk: 3 }],
  healthAuthorityId: 'org.example.health',
  verificationPayload: 'a.b.c',
  hmacKey: 'c2VjcmV0',
  symptomOnsetInterval: 2_955_800,
  traveler: true,
  revisionToken: 'dG9rZW4=',
}

const parse = (body: string | Uint8Array) =>
  parsePublishRequest(typeof body === 'string' ? Buffer.from(body) : body)
const parseFields = (fields: object) => parse(JSON.stringify({ ...REQUEST, ...fields }))
const parseKey = (fields: object) =>
  parseFields({ temporaryExposureKeys: [{ ...KEY, ...fields }] }).keys[0]

/** Asserts that a body is refused, and gives the sentence. */
function refused(body: string | Uint8Array, what: string): string {
  let sentence = ''
  assert.throws(
    () => parse(body),
    (error) => {
      assert.ok(error instanceof TocsinError, what)
      assert.equal(error.code, 'bad_request', what)
      sentence = error.message
      return true
    },
    what,
  )
  return sentence
}

test('a request with every field is read as it was sent', () => {
  assert.deepEqual(parseFields({}), READ)
})

test('fields may be spelt in any letter case, as existing apps do', () => {
  assert.equal(parseFields({ hmacKey: undefined, hmackey: 'eA==' }).hmacKey, 'eA==')
  assert.equal(parseFields({ traveler: undefined, TRAVELER: true }).traveler, true)
  const key = { KEY: KEY.key, rollingstartnumber: 7, ROLLINGPERIOD: 8, Transmissionrisk: 1 }
  assert.deepEqual(parseFields({ temporaryExposureKeys: [key] }).keys, [
    { key: KEY.key, rollingStart: 7, rollingPeriod: 8, transmissionRisk: 1 },
  ])
})

test('what is left out or null means what its absence means', () => {
  const absent: PublishRequest = {
    keys: [],
    healthAuthorityId: '',
    verificationPayload: '',
    hmacKey: '',
    symptomOnsetInterval: 0,
    traveler: false,
    revisionToken: '',
  }
  assert.deepEqual(parse('{}'), absent)
  const nulls = Object.fromEntries(Object.keys(REQUEST).map((name) => [name, null]))
  assert.deepEqual(parse(JSON.stringify(nulls)), absent)
  const bare = { key: '', rollingStart: 0, rollingPeriod: 144, transmissionRisk: 0 }
  assert.deepEqual(parse('{"temporaryExposureKeys":[{}]}').keys, [bare])
  assert.deepEqual(parseKey({ rollingPeriod: null })?.rollingPeriod, 144)
})

test('a field that nobody knows is refused by its name, in the request and in a key', () => {
  assert.match(refused(JSON.stringify({ ...REQUEST, regions: ['US'] }), 'regions'), /"regions"/)
  const key = { ...KEY, reportType: 'confirmed' }
  assert.match(refused(JSON.stringify({ temporaryExposureKeys: [key] }), 'key'), /"reportType"/)
  refused('{"__proto__":{"traveler":true}}', 'a prototype')
  refused('{"":1}', 'an empty name')
  const long = refused(JSON.stringify({ ['x'.repeat(5_000)]: 1 }), 'a long name')
  assert.ok(long.length < 100, 'the sentence does not give a long name back')
})

test('every field has one type', () => {
  const wrong: Record<string, unknown[]> = {
    temporaryExposureKeys: ['', {}, 1, true, [1], ['key'], [null], [[KEY]]],
    healthAuthorityID: [1, true, [], {}, ['org.example.health']],
    verificationPayload: [1, {}],
    hmacKey: [1, []],
    symptomOnsetInterval: ['2955800', true, [], 1.5, {}],
    traveler: ['true', 1, 0, ''],
    revisionToken: [1, {}],
    padding: [1, []],
  }
  for (const [name, values] of Object.entries(wrong))
    for (const value of values) {
      const sentence = refused(
        JSON.stringify({ ...REQUEST, [name]: value }),
        `${name}: ${String(value)}`,
      )
      assert.match(sentence, name === 'temporaryExposureKeys' ? /must be/ : new RegExp(name))
    }
  const wrongInKey = { key: 1, rollingStartNumber: '1', rollingPeriod: 1.5, transmissionRisk: true }
  for (const [name, value] of Object.entries(wrongInKey))
    assert.throws(() => parseKey({ [name]: value }), { code: 'bad_request' }, name)
})

test('numbers have 32 bits', () => {
  assert.equal(parseKey({ rollingStartNumber: 2_147_483_647 })?.rollingStart, 2_147_483_647)
  for (const number of ['2147483648', '-2147483649', '1e10', '1e999', '-1e999', '0.5', '1e-5'])
    refused(`{"symptomOnsetInterval":${number}}`, number)
  refused(`{"symptomOnsetInterval":${'9'.repeat(10_000)}}`, 'ten thousand digits')
})

test('a body that is no JSON object in UTF-8 is refused, and the sentence quotes nothing of it', () => {
  const secret = 'c2VjcmV0'
  const bodies: Record<string, string | Uint8Array> = {
    nothing: '',
    'white space': ' \n',
    null: 'null',
    'an array': '[{}]',
    'a text': '"{}"',
    'a number': '1',
    'cut off': JSON.stringify(REQUEST).slice(0, -1),
    'two objects': '{}{}',
    'two objects on two lines': '{}\n{}',
    'something behind it': `${JSON.stringify(REQUEST)}x`,
    'a byte order mark': Buffer.concat([Buffer.from('efbbbf', 'hex'), Buffer.from('{}')]),
    'UTF-16': Buffer.from('{}', 'utf16le'),
    'a byte that is no UTF-8': Buffer.from('{"padding":"\xff"}', 'latin1'),
    'half a surrogate pair in UTF-8': Buffer.from('{"padding":"\xed\xa0\x80"}', 'latin1'),
    'a NUL': '{}\0',
    'a comment': '{/* c2VjcmV0 */}',
    'a comma too many': '{"hmacKey":"c2VjcmV0",}',
    'single quotes': "{'hmacKey':'c2VjcmV0'}",
    NaN: '{"symptomOnsetInterval":NaN}',
    'deep nesting': '['.repeat(60_000),
    'deep nesting that closes': `{"temporaryExposureKeys":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
  }
  for (const [what, body] of Object.entries(bodies))
    assert.ok(!refused(body, what).includes(secret), what)
})

test('a field that is given twice is refused, in whatever letter case: readers differ on which counts', () => {
  const twice = [
    '{"traveler":true,"traveler":true}',
    '{"traveler":true,"Traveler":false}',
    '{"traveler":true,"Traveler":null}',
    '{"traveler":null,"traveler":null}',
    '{"hmacKey":"a","hmackey":"a"}',
    '{"hmacKey":"a","hmac\\u004bey":"a"}',
    '{"temporaryExposureKeys":[{"key":"a"}],"temporaryExposureKeys":[{"rollingPeriod":1}]}',
    '{"temporaryExposureKeys":[{"key":"a","key":"b"}]}',
    '{"temporaryExposureKeys":[{"key":"a","KEY":"b"}]}',
  ]
  for (const body of twice) assert.match(refused(body, body), /given twice/)
})

test('colons, quotes and backslashes in a text are only text', () => {
  const odd = ['a:b', '"', '\\', '\\\\"', '":{"', '\\":', '\u2028:']
  for (const text of odd)
    assert.equal(parse(JSON.stringify({ padding: text, hmacKey: text })).hmacKey, text)
})
