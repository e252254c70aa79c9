// Test helper: rows of the corpus about the types of fields; promises each field with each wrong type, and its borders.

import { accepted, daysAgo, partly, refused, type Row } from './row.ts'

const UNKNOWN_APP = { status: 401, code: 'unknown_health_authority_id' }
const NO_CERTIFICATE = {
  status: 401,
  code: 'health_authority_verification_certificate_invalid',
  subCode: 'malformed',
}

/** The good body's text with one place changed. */
const replaced = (what: string, from: string | RegExp, to: string, expect: Row['expect']): Row => ({
  what,
  when: { body: (good) => good.replace(from, to) },
  expect,
})

/** Fields of the request that may be null, and what follows. */
const NULLS: Readonly<Record<string, Row['expect']>> = {
  padding: accepted(2),
  symptomOnsetInterval: accepted(2),
  traveler: accepted(2),
  revisionToken: accepted(2),
  hmacKey: { ...NO_CERTIFICATE, subCode: 'wrong_tekmac' },
  verificationPayload: NO_CERTIFICATE,
  healthAuthorityID: UNKNOWN_APP,
  temporaryExposureKeys: { ...NO_CERTIFICATE, subCode: 'wrong_tekmac' },
}

const TYPES: Readonly<
  Record<string, { readonly wrong: readonly unknown[]; readonly says: string }>
> = {
  temporaryExposureKeys: { wrong: ['x', 1, true, {}], says: 'an array' },
  healthAuthorityID: { wrong: [1, true, {}, ['x']], says: 'a string' },
  verificationPayload: { wrong: [1, false, {}, []], says: 'a string' },
  hmacKey: { wrong: [1, true, {}, []], says: 'a string' },
  symptomOnsetInterval: {
    wrong: ['1', true, {}, [1], 1.5, 2 ** 31, -(2 ** 31) - 1, 1e300],
    says: 'a whole number of 32 bits',
  },
  traveler: { wrong: ['true', 1, 0, {}, []], says: 'true or false' },
  revisionToken: { wrong: [1, true, {}, []], says: 'a string' },
  padding: { wrong: [1, true, {}, []], says: 'a string' },
}

const KEY_TYPES: typeof TYPES = {
  key: { wrong: [1, true, {}, []], says: 'a string' },
  rollingStartNumber: {
    wrong: ['1', true, {}, [], 1.5, 2 ** 31],
    says: 'a whole number of 32 bits',
  },
  rollingPeriod: {
    wrong: ['144', true, {}, [], 0.5, 2 ** 31, -(2 ** 31) - 1],
    says: 'a whole number of 32 bits',
  },
  transmissionRisk: { wrong: ['1', true, {}, [], 1.5, 1e300], says: 'a whole number of 64 bits' },
}

const sentence = (name: string, says: string) => refused(new RegExp(`^${name} must be ${says}\\.$`))

const WRONG_TEKMAC = { ...NO_CERTIFICATE, subCode: 'wrong_tekmac' }

/** A risk of so many digits, under an HMAC over these very digits. */
const risk = (digits: string, expect: Row['expect']): Row => ({
  what: `a transmission risk of ${digits}`,
  when: {
    maced: (four) => four.replace('.0,', `.${digits},`),
    body: (good) => good.replace('"transmissionRisk":0', `"transmissionRisk":${digits}`),
  },
  expect,
})

export const TYPE_ROWS: readonly Row[] = [
  ...Object.entries(NULLS).map(([name, expect]): Row => ({
    what: `${name} is null: as good as left out`,
    when: { fields: { [name]: null } },
    expect,
  })),
  ...Object.entries(NULLS).map(([name, expect]): Row => ({
    what: `${name} is left out`,
    when: { fields: { [name]: undefined } },
    expect,
  })),
  ...Object.entries(TYPES).flatMap(([name, { wrong, says }]) =>
    wrong.map((value): Row => ({
      what: `${name} is ${JSON.stringify(value)}`,
      when: { fields: { [name]: value } },
      expect: sentence(name, says),
    })),
  ),
  ...Object.entries(KEY_TYPES).flatMap(([name, { wrong, says }]) =>
    wrong.map((value): Row => ({
      what: `a key's ${name} is ${JSON.stringify(value)}`,
      when: { keys: [{ [name]: value }, {}] },
      expect: sentence(name, says),
    })),
  ),
  ...[null, 1, 'x', []].map((value): Row => ({
    what: `a key is ${JSON.stringify(value)}`,
    when: { fields: { temporaryExposureKeys: [value] } },
    expect: refused(/^a key must be a JSON object\.$/),
  })),
  replaced(
    'a whole number with a fraction of 0',
    '"rollingPeriod":144',
    '"rollingPeriod":144.0',
    accepted(2),
  ),
  replaced(
    'a whole number with an exponent',
    '"rollingPeriod":144',
    '"rollingPeriod":1.44e2',
    accepted(2),
  ),
  replaced(
    'a transmission risk of -0',
    '"transmissionRisk":0',
    '"transmissionRisk":-0',
    accepted(2),
  ),
  replaced(
    'a whole number that differs from 144 by less than a double can say',
    '"rollingPeriod":144',
    '"rollingPeriod":144.00000000000000001',
    accepted(2),
  ),
  replaced(
    'a transmission risk so small that a double holds 0',
    '"transmissionRisk":0',
    '"transmissionRisk":1e-400',
    accepted(2),
  ),
  risk('9007199254740992', partly(1, /^key 0 .*transmissionRisk must be 0 to 8$/)),
  risk('9007199254740993', WRONG_TEKMAC),
  risk('-9223372036854775808', WRONG_TEKMAC),
  risk('9223372036854775807', sentence('transmissionRisk', 'a whole number of 64 bits')),
  replaced(
    'a number beyond all bounds',
    '"rollingPeriod":144',
    '"rollingPeriod":1e999',
    sentence('rollingPeriod', 'a whole number of 32 bits'),
  ),
  {
    what: 'an onset of -1: not believed',
    when: { fields: { symptomOnsetInterval: -1 } },
    expect: accepted(2),
  },
  {
    what: 'an onset of 2,147,483,647: not believed',
    when: { fields: { symptomOnsetInterval: 2 ** 31 - 1 } },
    expect: accepted(2),
  },
  {
    what: 'a start of 2,147,483,647',
    when: { keys: [{ rollingStartNumber: 2 ** 31 - 1 }, {}] },
    expect: partly(1, /^key 0 .*starts in the future$/),
  },
  {
    what: 'a start of -2,147,483,647',
    when: { keys: [{ rollingStartNumber: 1 - 2 ** 31 }, {}] },
    expect: partly(1, /^key 0 .*more than 15 days ago$/),
  },
  {
    what: 'a period of 2,147,483,647',
    when: { keys: [{ rollingPeriod: 2 ** 31 - 1 }, {}] },
    expect: partly(1, /^key 0 .*rollingPeriod must be 1 to 144$/),
  },
  {
    what: 'a transmission risk of 2,147,483,648',
    when: { keys: [{ transmissionRisk: 2 ** 31 }, {}] },
    expect: partly(1, /^key 0 .*transmissionRisk must be 0 to 8$/),
  },
  {
    what: 'a key without a start, which is that of 1970',
    when: { keys: [{ rollingStartNumber: undefined }, {}] },
    expect: partly(1, /^key 0 .*more than 15 days ago$/),
  },
  {
    what: 'a key without its text',
    when: { keys: [{ key: () => undefined }, {}] },
    expect: partly(1, /^key 0 .*must have 16 bytes$/),
  },
  {
    what: 'a key without a risk',
    when: { keys: [{ transmissionRisk: undefined }] },
    expect: accepted(1),
  },
  {
    what: 'a key whose fields are null where they may be left out',
    when: { keys: [{ transmissionRisk: null, rollingPeriod: null }] },
    expect: { ...accepted(1), stored: [{ risk: 2, period: 144, start: daysAgo(1) }] },
  },
]
