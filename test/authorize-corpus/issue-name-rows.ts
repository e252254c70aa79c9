// Test helper: rows about the uuid, the issuer and the phone of a code that is asked for; promises every form of each.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { issue, type Make } from './issue-row.ts'
import { differs, named, same, type Outcome, type Row } from './row.ts'

const U = '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a'
const fresh =
  (form: (uuid: string) => string): Make =>
  () => ({ uuid: form(randomUUID()) })
const usual = (body: Readonly<Record<string, unknown>>) =>
  assert.match(String(body['uuid']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const NO_UUID = 'a uuid that is none'

const UUID_ROWS: readonly Row[] = [
  ...(
    [
      ['as usual', (uuid) => uuid],
      ['in capitals', (uuid) => uuid.toUpperCase()],
      ['in braces', (uuid) => `{${uuid}}`],
      ['without hyphens', (uuid) => uuid.replaceAll('-', '')],
      [
        'with a hyphen behind each four',
        (uuid) => uuid.replaceAll('-', '').replaceAll(/.{4}(?!$)/g, '$&-'),
      ],
      ['with blanks around', (uuid) => ` \t${uuid}\n`],
      ['with a NUL behind', (uuid) => `${uuid}\0`],
      ['of version 1', (uuid) => uuid.replace(/-4/, '-1')],
    ] as const satisfies readonly (readonly [string, (uuid: string) => string])[]
  ).map(([what, form]) => issue(`a uuid ${what}`, fresh(form), same('200'), { check: usual })),
  issue('a uuid of blanks', { uuid: '  \t' }, same('200'), { check: usual }),
  issue('a uuid of zeros', { uuid: '00000000-0000-0000-0000-000000000000' }, same('200'), {
    check: usual,
  }),
  ...[
    `urn:uuid:${U}`,
    '1',
    U.slice(1),
    `${U}0`,
    U.replace('5', 'g'),
    `{${U}`,
    `${U}}`,
    U.replaceAll('-', ' '),
    U.replaceAll('-', '--'),
    "' or 1=1",
    '😀',
    'x'.repeat(9_000),
  ].map((uuid) =>
    issue(
      `a uuid ${named(uuid)}`,
      { uuid },
      differs('500 internal_server_error', '400 unparsable_request', NO_UUID),
    ),
  ),
  ...(['issued', 'claimed', 'certified', 'ended', 'over'] as const).map((state) =>
    issue(
      `the uuid of a code that is ${state}`,
      ({ uuid }) => ({ uuid }),
      differs('200', '409 uuid_already_exists', 'a `uuid` that was used'),
      { given: { state } },
    ),
  ),
  issue(
    'a used uuid in capitals',
    ({ uuid }) => ({ uuid: uuid.toUpperCase() }),
    differs('200', '409 uuid_already_exists', 'a `uuid` that was used'),
    { given: { state: 'issued' } },
  ),
  issue(
    "another realm's uuid",
    ({ uuid, day }) => ({ uuid, symptomDate: day(1) }),
    differs('500 internal_server_error', '200', "another realm's `uuid`"),
    { realm: 'plain', codeOf: 'main', given: { state: 'issued' } },
  ),
]

const ISSUER = '`externalIssuerID`'
const LONG_ISSUER = differs(
  '500 internal_server_error',
  '400 unparsable_request',
  `${ISSUER} of more than 255`,
)
const ODD_ISSUER = differs('200', '400 unparsable_request', `${ISSUER} with a control character`)

const ISSUER_ROWS: readonly Row[] = [
  ...[
    'ward 7',
    'a@example.org',
    'é'.repeat(100),
    '😀',
    ' ',
    'x'.repeat(254),
    'x'.repeat(255),
    '" \' ; --',
    '<b>',
  ].map((id) => issue(`externalIssuerID ${named(id)}`, { externalIssuerID: id }, same('200'))),
  ...['x'.repeat(256), 'x'.repeat(10_000)].map((id) =>
    issue(`externalIssuerID ${named(id)}`, { externalIssuerID: id }, LONG_ISSUER),
  ),
  issue('externalIssuerID with a NUL', { externalIssuerID: 'a\0b' }, LONG_ISSUER),
  ...['a\nb', 'a\tb', '\u0085'].map((id) =>
    issue(`externalIssuerID ${named(id)}`, { externalIssuerID: id }, ODD_ISSUER),
  ),
  issue('externalIssuerID with half a face', () => ({ externalIssuerID: '\ud83d' }), ODD_ISSUER),
]

const PHONE_FORM = 'letters in a phone number'
const PHONES: readonly (readonly [phone: string, answer: Outcome, e164?: string])[] = [
  ['+12025550123', '200', '+12025550123'],
  ['2025550123', '200', '+12025550123'],
  ['(202) 555-0123', '200', '+12025550123'],
  ['202.555.0123', '200', '+12025550123'],
  ['+1 202 555 0123', '200', '+12025550123'],
  ['tel:+1-202-555-0123', '200', '+12025550123'],
  ['+1 202 555 0123 ext. 5', '200', '+12025550123'],
  ['+31 6 12345678', '200', '+31612345678'],
  ['+49 (0) 151 23456789', '200'],
  [' +12025550123 ', '200', '+12025550123'],
  ['＋１２０２５５５０１２３', '200', '+12025550123'],
  ['+', '400 phone_number_invalid'],
  ['1', '400 phone_number_invalid'],
  ['x', '400 phone_number_invalid'],
  ['   ', '400 phone_number_invalid'],
  ['+999123456789', '400 phone_number_invalid'],
  ['+1', '400 phone_number_invalid'],
  ['patient@example.org', '400 phone_number_invalid'],
  ['+1202555012345678901234', '400 phone_number_invalid'],
  ['\0', '400 phone_number_invalid'],
]

const PHONE_ROWS: readonly Row[] = [
  ...PHONES.map(([phone, answer, e164]) =>
    issue(`the phone ${named(phone)}`, { phone, onlyGenerateSMS: true }, same(answer), {
      check(body) {
        if (e164 !== undefined) assert.equal(body['phone'], e164)
        if (answer === '200')
          assert.match(String(body['generatedSMS']), /long code is [a-z0-9]{16}\./)
      },
    }),
  ),
  ...['1-800-FLOWERS', 'call me at 202 555 0123 please', '+1202555012345678'].map((phone) =>
    issue(
      `the phone ${named(phone)}`,
      { phone, onlyGenerateSMS: true },
      differs('200', '400 phone_number_invalid', PHONE_FORM),
    ),
  ),
  issue(
    'a number without a country where none is known',
    { phone: '2025550123' },
    same('400 phone_number_invalid'),
    { realm: 'plain' },
  ),
  issue('a phone where no texts are sent', { phone: '+12025550123' }, same('400'), {
    realm: 'plain',
  }),
  issue(
    'a text to take where none is given',
    { phone: '+12025550123', onlyGenerateSMS: true },
    same('400 unparsable_request'),
    { realm: 'plain' },
  ),
  issue(
    'a text to take, without a phone',
    { onlyGenerateSMS: true },
    same('400 unparsable_request'),
  ),
  issue('a text that is sent', { phone: '+12025550123' }, same('200'), {
    check(body) {
      assert.equal(
        Number(body['longExpiresAtTimestamp']) - Number(body['expiresAtTimestamp']),
        24 * 3600 - 900,
      )
      assert.ok(!('generatedSMS' in body) && !('phone' in body))
    },
  }),
  issue(
    'a text to take lives as long as one that is sent',
    { phone: '+12025550123', onlyGenerateSMS: true },
    same('200'),
    {
      check: (body) =>
        assert.equal(
          Number(body['longExpiresAtTimestamp']) - Number(body['expiresAtTimestamp']),
          24 * 3600 - 900,
        ),
    },
  ),
  issue(
    'a text that another label has',
    { phone: '+12025550123', onlyGenerateSMS: true, smsTemplateLabel: 'other' },
    same('200'),
  ),
  issue('a label that there is not, without a phone', { smsTemplateLabel: 'missing' }, same('200')),
  ...['missing', 'Other', 'toString', '__proto__'].map((smsTemplateLabel) =>
    issue(
      `a text to take with the label ${smsTemplateLabel}`,
      { phone: '+12025550123', onlyGenerateSMS: true, smsTemplateLabel },
      differs(
        '500 internal_server_error',
        '400 unparsable_request',
        'an unknown `smsTemplateLabel`',
      ),
    ),
  ),
  issue('no text: both forms live as long', {}, same('200'), {
    check(body) {
      assert.equal(body['longExpiresAtTimestamp'], body['expiresAtTimestamp'])
      assert.match(
        String(body['expiresAt']),
        /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d UTC$/,
      )
      assert.equal(Date.parse(String(body['expiresAt'])) / 1000, body['expiresAtTimestamp'])
      assert.match(String(body['code']), /^\d{8}$/)
    },
  }),
]

export const ISSUE_NAME_ROWS: readonly Row[] = [...UUID_ROWS, ...ISSUER_ROWS, ...PHONE_ROWS]
