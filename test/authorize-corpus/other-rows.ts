// Test helper: rows about batches, the status and end of codes, and people who report themselves; promises what each tells and what it keeps to itself.

import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { differs, same, type Outcome, type Row, type Subject } from './row.ts'

type Answer = Pick<Row, 'there' | 'here' | 'why'>
type Item = (subject: Subject) => unknown

const GOOD_ITEM: Item = ({ day }) => ({ testType: 'confirmed', symptomDate: day(2) })
const item =
  (fields: Record<string, unknown>): Item =>
  ({ day }) => ({ testType: 'confirmed', symptomDate: day(2), ...fields })
const NO_DATE = item({ symptomDate: '' })
const NO_TYPE = item({ testType: 'x' })
const USED: Item = ({ uuid, day }) => ({ testType: 'confirmed', symptomDate: day(2), uuid })

const batch = (
  what: string,
  items: readonly Item[],
  answer: Answer,
  issued: readonly boolean[] | undefined,
  more: Partial<Row> = {},
): Row => ({
  what: `batch-issue: ${what}`,
  to: 'batch-issue',
  body: (subject: Subject) => ({ codes: items.map((each) => each(subject)) }),
  ...answer,
  check(body) {
    const codes = body['codes'] as readonly Readonly<Record<string, unknown>>[] | undefined
    assert.deepEqual(
      codes?.map((each) => !('error' in each)),
      issued,
    )
    for (const code of codes ?? [])
      assert.ok('error' in code || /^\d{8}$/.test(String(code['code'])))
    for (const code of codes ?? []) assert.ok(!('padding' in code))
  },
  ...more,
})

const times = (count: number, each: Item) => Array.from({ length: count }, () => each)
const unreadable = same('400 unparsable_request')

const BATCH_ROWS: readonly Row[] = [
  ...[0, 1, 2, 9, 10].map((count) =>
    batch(`${count} codes`, times(count, GOOD_ITEM), same('200'), Array<boolean>(count).fill(true)),
  ),
  ...[11, 50].map((count) =>
    batch(`${count} codes`, times(count, GOOD_ITEM), same('400'), undefined),
  ),
  batch('where none is offered', [GOOD_ITEM], same('400'), undefined, { realm: 'plain' }),
  {
    what: 'batch-issue: no JSON where none is offered',
    to: 'batch-issue',
    realm: 'plain',
    body: '{',
    ...same('400'),
  },
  batch('a second one without a date', [GOOD_ITEM, NO_DATE, GOOD_ITEM], same('400 missing_date'), [
    true,
    false,
    true,
  ]),
  batch('all without a date', times(3, NO_DATE), same('400 missing_date'), [false, false, false]),
  batch(
    'first without a type, then without a date',
    [NO_TYPE, NO_DATE],
    same('400 invalid_test_type'),
    [false, false],
  ),
  batch('first without a date, then without a type', [NO_DATE, NO_TYPE], same('400 missing_date'), [
    false,
    false,
  ]),
  batch('a uuid that is used', [GOOD_ITEM, USED], same('409 uuid_already_exists'), [true, false], {
    given: { state: 'issued' },
  }),
  batch(
    'a uuid that is used, then one without a date',
    [USED, NO_DATE],
    same('409 uuid_already_exists'),
    [false, false],
    { given: { state: 'issued' } },
  ),
  batch(
    'one without a date, then a uuid that is used',
    [NO_DATE, USED],
    same('400 missing_date'),
    [false, false],
    { given: { state: 'issued' } },
  ),
  batch(
    'a type that is not issued',
    [GOOD_ITEM, item({ testType: 'user-report' })],
    same('400 missing_phone'),
    [true, false],
  ),
  batch('a wrong phone', [item({ phone: 'x' }), GOOD_ITEM], same('400 phone_number_invalid'), [
    false,
    true,
  ]),
  batch('an empty one', [() => ({}), GOOD_ITEM], same('400 missing_date'), [false, true]),
  ...(
    [
      ['null among them', null, differs('500', '400 unparsable_request', '`null` among the codes')],
      ['a number among them', 1, unreadable],
      ['a text among them', 'x', unreadable],
      ['a list among them', [], unreadable],
      ['a field of the wrong type in one', { testType: 1 }, unreadable],
      ['a tzOffset as text in one', { tzOffset: '0' }, unreadable],
      ['an unknown field in one', { patient: 'x' }, unreadable],
    ] as const
  ).map(([what, odd, answer]) => batch(what, [GOOD_ITEM, () => odd, GOOD_ITEM], answer, undefined)),
  {
    ...batch(
      'the same uuid twice',
      [],
      differs('500 internal_server_error', '409 uuid_already_exists', 'the same new `uuid`'),
      undefined,
    ),
    body: ({ day }) => {
      const code = { testType: 'confirmed', symptomDate: day(1), uuid: randomUUID() }
      return { codes: [code, code] }
    },
    check: (body) =>
      assert.equal(
        (body['codes'] as readonly object[]).filter((code) => 'error' in code).length,
        1,
      ),
  },
  {
    what: 'batch-issue: one code instead of a list',
    to: 'batch-issue',
    body: { codes: { testType: 'confirmed' } },
    ...unreadable,
  },
]

const UUIDS: readonly (readonly [
  what: string,
  change: (uuid: string) => string,
  answer: Outcome,
])[] = [
  ['in capitals', (uuid) => uuid.toUpperCase(), '200'],
  ['in braces', (uuid) => `{${uuid}}`, '200'],
  ['without hyphens', (uuid) => uuid.replaceAll('-', ''), '200'],
  ['of nobody', () => randomUUID(), '404 code_not_found'],
  ['as urn', (uuid) => `urn:uuid:${uuid}`, '404 code_not_found'],
  ['with a digit more', (uuid) => `${uuid}0`, '404 code_not_found'],
  ['with a digit less', (uuid) => uuid.slice(1), '404 code_not_found'],
  ['of zeros', () => '00000000-0000-4000-8000-000000000000', '404 code_not_found'],
  ['as a word', () => 'x', '404 code_not_found'],
  ['of 10,000 characters', () => 'x'.repeat(10_000), '404 code_not_found'],
  ['with a NUL', (uuid) => `${uuid}\0`, '404 code_not_found'],
  ['with a blank', (uuid) => ` ${uuid}`, '404 code_not_found'],
]

const STATUS_ROWS: readonly Row[] = (['checkcodestatus', 'expirecode'] as const).flatMap(
  (to): Row[] => [
    ...UUIDS.map(([what, change, answer]): Row => ({
      what: `${to}: a uuid ${what}`,
      to,
      given: { state: 'issued' },
      body: ({ uuid }) => ({ uuid: change(uuid) }),
      ...same(answer),
    })),
    {
      what: `${to}: another realm's code`,
      to,
      realm: 'plain',
      codeOf: 'main',
      given: { state: 'issued' },
      body: ({ uuid }) => ({ uuid }),
      ...same('404 code_not_found'),
    },
    {
      what: `${to}: a self-report's code is known by its uuid alone`,
      to,
      body: ({ phone }) => ({ uuid: phone }),
      ...same('404 code_not_found'),
    },
    {
      what: `${to}: the times of a code that was sent`,
      to,
      given: { state: 'issued', issue: { phone: '+12025550123', onlyGenerateSMS: true } },
      body: ({ uuid }) => ({ uuid }),
      ...same('200'),
      check(body) {
        const between = Number(body['longExpiresAtTimestamp']) - Number(body['expiresAtTimestamp'])
        assert.equal(between, to === 'expirecode' ? 0 : 24 * 3600 - 900)
      },
    },
  ],
)

const report = (
  what: string,
  fields: Record<string, unknown> | ((subject: Subject) => Record<string, unknown>),
  answer: Answer,
  more: Partial<Row> = {},
): Row => ({
  what: `user-report: ${what}`,
  to: 'user-report',
  body: (subject: Subject) => ({
    phone: subject.phone,
    nonce: subject.nonce,
    testDate: subject.day(1),
    ...(typeof fields === 'function' ? fields(subject) : fields),
  }),
  ...answer,
  ...more,
})

const told = (body: Readonly<Record<string, unknown>>) => {
  assert.deepEqual(Object.keys(body).sort(), ['expiresAt', 'expiresAtTimestamp', 'padding'])
  assert.equal(Date.parse(String(body['expiresAt'])) / 1000, body['expiresAtTimestamp'])
}
const LENGTH = 'a nonce of another length than 256 bytes'

const REPORT_ROWS: readonly Row[] = [
  report('a good one', {}, same('200'), { check: told }),
  report(
    'with a date of symptoms alone',
    ({ day }) => ({ testDate: '', symptomDate: day(2) }),
    same('200'),
    { check: told },
  ),
  report(
    'the same phone again',
    {},
    differs('200', '200', 'a phone that reported itself, reporting again'),
    { given: { selfReport: true }, check: told },
  ),
  report(
    'the same phone again, written otherwise',
    ({ phone }) => ({ phone: phone.replace(/^\+1(\d{3})/, '($1) ') }),
    differs('200', '200', 'a phone that reported itself, reporting again'),
    { given: { selfReport: true }, check: told },
  ),
  report('where nobody may', {}, same('400 unsupported_test_type'), { realm: 'plain' }),
  report(
    'where nobody may, and nothing is right',
    { nonce: '!', phone: '', testDate: 'x' },
    same('400 unsupported_test_type'),
    { realm: 'plain' },
  ),
  ...['!', 'A', 'AA AA'].map((nonce) =>
    report(`the nonce ${nonce}`, { nonce }, same('400 unparsable_request')),
  ),
  report('no nonce and no phone', { nonce: '', phone: '' }, same('400 missing_nonce')),
  report('no phone and no date', { phone: '', testDate: '' }, same('400 missing_phone')),
  report('no date and a wrong phone', { phone: 'x', testDate: '' }, same('400 missing_date')),
  report('a wrong phone', { phone: 'x' }, same('400 phone_number_invalid')),
  ...['2026-02-30', 'x', '20261120'].map((testDate) =>
    report(`the date ${testDate}`, { testDate }, same('400 unparsable_request')),
  ),
  ...[28, 0].map((before) =>
    report(`a test ${before} days ago`, ({ day }) => ({ testDate: day(before) }), same('200')),
  ),
  ...[29, 30, -1, -2].map((before) =>
    report(
      `a test ${before} days ago`,
      ({ day }) => ({ testDate: day(before) }),
      same('400 invalid_date'),
    ),
  ),
  report(
    'a test 29 days ago, where tzOffset is -60',
    ({ day }) => ({ testDate: day(29), tzOffset: -60 }),
    differs('400 invalid_date', '200', 'the `tzOffset` of a self-report'),
  ),
  ...[1, 16, 255, 257, 512].map((length) =>
    report(
      `a nonce of ${length} bytes`,
      () => ({ nonce: randomBytes(length).toString('base64') }),
      differs('200', '400 unparsable_request', LENGTH),
    ),
  ),
  report(
    'a nonce in base64url',
    () => ({ nonce: randomBytes(256).toString('base64url') }),
    same('200'),
    { check: told },
  ),
]

export const OTHER_ROWS: readonly Row[] = [...BATCH_ROWS, ...STATUS_ROWS, ...REPORT_ROWS]
