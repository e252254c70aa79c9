// Test helper: rows about what a health system asks for: dates and types; promises every edge of each.

import assert from 'node:assert/strict'
import { issue, type Answer } from './issue-row.ts'
import { differs, named, same, type Row } from './row.ts'

const LOCAL = 'no date after today, UTC'
const PAST = 'one day more of the past'

/** Days before today (UTC), at 10:07, where each time zone may have another day than UTC. */
const OFFSETS = [
  0, 0.9, -0.9, 1, -1, 60, -60, 300, -300, 607, 608, -607, -608, 833, -833, 840, -840, 10_000,
  -10_000,
] as const

function dateAnswer(before: number, tzOffset: number): Answer {
  const minutes = Math.trunc(tzOffset)
  const there = before >= 0 && before <= (minutes < 0 ? 29 : 28) ? '200' : '400 invalid_date'
  const shift = Math.min(Math.abs(minutes), 840)
  const isHere = (before === -1 && shift >= 833) || (before === 29 && shift >= 608)
  if (there !== '200' && isHere) return differs(there, '200', before < 0 ? LOCAL : PAST)
  return same(there)
}

const DATE_ROWS: readonly Row[] = (['symptomDate', 'testDate'] as const).flatMap((name) =>
  [-2, -1, 0, 1, 27, 28, 29, 30].flatMap((before) =>
    OFFSETS.map((tzOffset) =>
      issue(
        `${name} is ${before} days ago at tzOffset ${tzOffset}`,
        ({ day }) => ({ symptomDate: '', [name]: day(before), tzOffset }),
        dateAnswer(before, tzOffset),
      ),
    ),
  ),
)

const NO_DATES = [
  'yesterday',
  '2026',
  '2026-11',
  '2026-11-31',
  '2026-02-30',
  '2026-13-01',
  '2026-00-10',
  '2026-11-00',
  '26-11-20',
  '2026/11/20',
  '2026-11-20T00:00:00Z',
  ' 2026-11-20',
  '2026-11-20 ',
  '2026-1-2',
  '20261120',
  '+002026-11-20',
  '-2026-11-20',
  '２０２６-11-20',
  '2026-11-2\0',
  '0',
  'x'.repeat(10_000),
]

const DATE_FORM_ROWS: readonly Row[] = (['symptomDate', 'testDate'] as const).flatMap((name) => [
  ...NO_DATES.map((text) =>
    issue(`${name} is ${named(text)}`, { [name]: text }, same('400 unparsable_request')),
  ),
  ...['0001-01-01', '1970-01-01', '2000-02-29', '9999-12-31'].map((text) =>
    issue(`${name} is ${text}`, { [name]: text }, same('400 invalid_date')),
  ),
])

const ORDER_ROWS: readonly Row[] = [
  issue('no date and a wrong type', { symptomDate: '', testType: 'x' }, same('400 missing_date')),
  issue(
    'no date, no type, no phone number',
    { symptomDate: '', testType: '', phone: 'x' },
    same('400 missing_date'),
  ),
  issue(
    'a bad date and a wrong type',
    { symptomDate: 'x', testType: 'x' },
    same('400 unparsable_request'),
  ),
  issue(
    'a bad date of symptoms and an old one of the test',
    { symptomDate: '2020-01-01', testDate: 'x' },
    same('400 invalid_date'),
  ),
  issue(
    'a wrong phone and a wrong type',
    { phone: 'x', testType: 'x' },
    same('400 phone_number_invalid'),
  ),
  issue(
    'a uuid that is used and a wrong type',
    ({ uuid }) => ({ uuid, testType: 'x' }),
    same('409 uuid_already_exists'),
    { given: { state: 'issued' } },
  ),
  issue('no date where none is needed', { symptomDate: '' }, same('200'), { realm: 'dateless' }),
  issue(
    'no date where none is needed, of a type that is not issued',
    { symptomDate: '', testType: 'user-report' },
    same('400 unsupported_test_type'),
    { realm: 'dateless' },
  ),
  issue(
    'a date of the test before that of symptoms',
    ({ day }) => ({ symptomDate: day(1), testDate: day(5) }),
    same('200'),
  ),
]

const TYPES: readonly (readonly [testType: string, answer: Answer])[] = [
  ...['confirmed', 'likely', 'negative', 'CONFIRMED', 'Likely', 'NEGATIVE'].map(
    (type) => [type, same('200')] as const,
  ),
  ...[
    '',
    'positive',
    ' confirmed',
    'confirmed ',
    'user_report',
    'userreport',
    'confirmed\0',
    'x'.repeat(9_000),
  ].map((type) => [type, same('400 invalid_test_type')] as const),
  ['user-report', same('400 missing_phone')],
]

const TYPE_ROWS: readonly Row[] = [
  ...TYPES.map(([testType, answer]) => issue(`the type ${named(testType)}`, { testType }, answer)),
  issue(
    'a self-report where none is issued',
    { testType: 'user-report' },
    same('400 unsupported_test_type'),
    { realm: 'plain' },
  ),
  issue(
    'a self-report in capitals where none is issued',
    { testType: 'User-Report' },
    differs('200', '400 unsupported_test_type', '`user-report` in capitals'),
    { realm: 'plain' },
  ),
  issue(
    'a self-report with a phone',
    ({ phone }) => ({ testType: 'user-report', phone, onlyGenerateSMS: true }),
    same('200'),
    {
      check: (body) => assert.equal(body['longExpiresAtTimestamp'], body['expiresAtTimestamp']),
    },
  ),
  issue(
    'a self-report of a phone that reported itself',
    ({ phone }) => ({ testType: 'user-report', phone, onlyGenerateSMS: true }),
    differs('200', '200', 'a phone that reported itself, in an issue'),
    { given: { selfReport: true }, check: (body) => assert.match(String(body['code']), /^\d{8}$/) },
  ),
]

export { DATE_ROWS as ISSUE_DATE_ROWS }
export const ISSUE_ROWS: readonly Row[] = [...DATE_FORM_ROWS, ...ORDER_ROWS, ...TYPE_ROWS]
