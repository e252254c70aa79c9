// Test helper: rows of the corpus about the body's JSON, its fields and their types; promises one meaning for a body, or none.

import { accepted, refused, type Row } from './row.ts'

const NO_OBJECT = refused(/^The body must be one JSON object in UTF-8\.$|must be a JSON object/)
const TWICE = refused(/^A field is given twice\.$/)
const UNKNOWN_APP = { status: 401, code: 'unknown_health_authority_id' }

/** A body of other bytes altogether. */
const as = (what: string, body: string | Uint8Array, expect = NO_OBJECT): Row => ({
  what: `the body is ${what}`,
  when: { body: () => body },
  expect,
})

/** The good body's text with one place changed. */
const replaced = (what: string, from: string | RegExp, to: string, expect: Row['expect']): Row => ({
  what,
  when: { body: (good) => good.replace(from, to) },
  expect,
})

const bytes = (hex: string) => Buffer.from(hex, 'hex')

/** A good body in whose padding stand these bytes. */
const padded = (hex: string) => (good: string) => {
  const [before = '', after = ''] = good.split('"padding":"')
  return Buffer.concat([Buffer.from(`${before}"padding":"`), bytes(hex), Buffer.from(after)])
}

const BODY_ROWS: readonly Row[] = [
  as('empty', ''),
  as('a blank', ' '),
  as('null', 'null'),
  as('true', 'true'),
  as('a number', '1'),
  as('a text', '"{}"'),
  as('a list', '[]'),
  as('a list of requests', '[{}]'),
  as('cut off', '{"healthAuthorityID":"x"'),
  as('only a brace', '{'),
  as('in single quotes', "{'healthAuthorityID':'x'}"),
  as('without quotes', '{healthAuthorityID:"x"}'),
  as('with a comment', '{/* none */}'),
  as('with a comma too many', '{"padding":"x",}'),
  as('with a line break in a text', '{"padding":"a\nb"}'),
  as('with NaN', '{"symptomOnsetInterval":NaN}'),
  as('with a number that begins with 0', '{"symptomOnsetInterval":01}'),
  as('with a hexadecimal number', '{"symptomOnsetInterval":0x10}'),
  as('with a plus sign', '{"symptomOnsetInterval":+1}'),
  as('an empty object', '{}', UNKNOWN_APP),
  as('UTF-16', Buffer.from('{}', 'utf16le')),
  as('bytes', bytes('0001feff')),
  as(
    'nested 10,000 deep',
    `{"padding":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    refused(/padding must be a string/),
  ),
  as('nested 30,000 deep and cut off', '['.repeat(30_000)),
  {
    what: 'blanks and line breaks around the object',
    when: { body: (good) => `\r\n\t ${good} \n` },
    expect: accepted(2),
  },
  {
    what: 'a second object behind the first',
    when: { body: (good) => `${good}{}` },
    expect: NO_OBJECT,
  },
  { what: 'the same object again', when: { body: (good) => good + good }, expect: NO_OBJECT },
  {
    what: 'a second value on a line of its own',
    when: { body: (good) => `${good}\n1` },
    expect: NO_OBJECT,
  },
  { what: 'a brace too many', when: { body: (good) => `${good}}` }, expect: NO_OBJECT },
  { what: 'a bracket too many', when: { body: (good) => `${good}]` }, expect: NO_OBJECT },
  { what: 'a NUL behind the object', when: { body: (good) => `${good}\0` }, expect: NO_OBJECT },
  {
    what: 'a byte order mark before the object',
    when: { body: (good) => `\ufeff${good}` },
    expect: NO_OBJECT,
  },
  { what: 'a byte that is no UTF-8', when: { body: padded('ff') }, expect: NO_OBJECT },
  { what: 'half a character', when: { body: padded('c3') }, expect: NO_OBJECT },
  { what: 'a character spelt too long', when: { body: padded('c0af') }, expect: NO_OBJECT },
  {
    what: 'half of a surrogate pair, as bytes',
    when: { body: padded('eda080') },
    expect: NO_OBJECT,
  },
  {
    what: 'half of a surrogate pair, escaped',
    when: { body: padded('5c7564383030') },
    expect: accepted(2),
  },
  {
    what: 'letters of other scripts',
    when: { fields: { padding: 'Ωμέγα 😀 ﷽' } },
    expect: accepted(2),
  },
  {
    what: 'an escaped NUL in the padding',
    when: { fields: { padding: '\0' } },
    expect: accepted(2),
  },
]

const NAME_ROWS: readonly Row[] = [
  replaced('hmackey in lower case, as some apps spell it', '"hmacKey"', '"hmackey"', accepted(2)),
  replaced('HMACKEY in upper case', '"hmacKey"', '"HMACKEY"', accepted(2)),
  replaced('healthAuthorityId', '"healthAuthorityID"', '"healthAuthorityId"', accepted(2)),
  replaced(
    'TEMPORARYEXPOSUREKEYS',
    '"temporaryExposureKeys"',
    '"TEMPORARYEXPOSUREKEYS"',
    accepted(2),
  ),
  replaced('VerificationPayload', '"verificationPayload"', '"VerificationPayload"', accepted(2)),
  replaced(
    "a key's rollingstartnumber and KEY",
    /"key"(.*?)"rollingStartNumber"/,
    '"KEY"$1"rollingstartnumber"',
    accepted(2),
  ),
  replaced(
    'a field name with a long s',
    '"temporaryExposureKeys"',
    '"temporaryExpo\u017fureKeys"',
    accepted(2),
  ),
  replaced('a field name with the sign of Kelvin', '"hmacKey"', '"hmac\u212aey"', accepted(2)),
  {
    what: 'a field given twice, once with a long s',
    when: { body: (good) => good.replace('{', '{"temporaryExpo\u017fureKeys":[],') },
    expect: TWICE,
  },
  replaced('a field name with an escape', '"hmacKey"', '"hmac\\u004bey"', accepted(2)),
  replaced(
    'a field name with an underscore',
    '"hmacKey"',
    '"hmac_key"',
    refused(/^unknown field "hmac_key"$/),
  ),
  replaced(
    'a field name with a blank',
    '"padding"',
    '" padding"',
    refused(/^unknown field " padding"$/),
  ),
  { what: 'an unknown field', when: { fields: { x: 1 } }, expect: refused(/^unknown field "x"$/) },
  {
    what: 'an unknown field that is null',
    when: { fields: { x: null } },
    expect: refused(/^unknown field "x"$/),
  },
  {
    what: 'an unknown field with an empty name',
    when: { fields: { '': 1 } },
    expect: refused(/^unknown field ""$/),
  },
  {
    what: 'an unknown field of a key',
    when: { keys: [{ x: 1 }] },
    expect: refused(/^unknown field "x"$/),
  },
  {
    what: 'a field of the request in a key',
    when: { keys: [{ traveler: true }] },
    expect: refused(/^unknown field "traveler"$/),
  },
  replaced(
    '__proto__ as a field',
    '"padding"',
    '"__proto__"',
    refused(/^unknown field "__proto__"$/),
  ),
  ...['appPackageName', 'regions', 'platform', 'deviceVerificationPayload'].map((name): Row => ({
    what: `${name}, a field of the earlier API`,
    when: { fields: { [name]: 'x' } },
    expect: refused(new RegExp(`^unknown field "${name}"$`)),
  })),
  {
    what: 'an unknown field with a name of 10,000 letters, of which the answer repeats 40',
    when: { fields: { ['x'.repeat(10_000)]: 1 } },
    expect: refused(/^unknown field "x{40}"$/),
  },

  {
    what: 'padding given twice',
    when: { body: (good) => good.replace('{', '{"padding":"a",') },
    expect: TWICE,
  },
  {
    what: 'a field given twice in other letter case',
    when: { body: (good) => good.replace('{', '{"PADDING":"a",') },
    expect: TWICE,
  },
  {
    what: 'a field given twice, once escaped',
    when: { body: (good) => good.replace('{', '{"paddin\\u0067":"a",') },
    expect: TWICE,
  },
  {
    what: 'a field given twice, once as null',
    when: { body: (good) => good.replace('{', '{"padding":null,') },
    expect: TWICE,
  },
  {
    what: 'the keys given twice',
    when: { body: (good) => good.replace('{', '{"temporaryExposureKeys":[],') },
    expect: TWICE,
  },
  {
    what: "a key's period given twice",
    when: { body: (good) => good.replace('"rollingPeriod"', '"rollingPeriod":1,"rollingPeriod"') },
    expect: TWICE,
  },
  {
    what: "a key's period given twice in other letter case",
    when: { body: (good) => good.replace('"rollingPeriod"', '"rollingperiod":1,"rollingPeriod"') },
    expect: TWICE,
  },
]

export const JSON_ROWS: readonly Row[] = [...BODY_ROWS, ...NAME_ROWS]
