// Test helper: rows about what a code is swapped for, in every state and with every list of types; promises the reference's order of refusals.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  differs,
  named,
  same,
  STATES,
  type Address,
  type Outcome,
  type Row,
  type State,
} from './row.ts'

const TYPES = ['confirmed', 'likely', 'negative', 'user-report'] as const
type Type = (typeof TYPES)[number]

const TAKEN: Readonly<Record<Type, readonly Type[]>> = {
  confirmed: ['confirmed'],
  likely: ['confirmed', 'likely'],
  negative: ['confirmed', 'likely', 'negative'],
  'user-report': ['confirmed', 'user-report'],
}

/** Every list that can be made of the types, in order. */
const LISTS: readonly (readonly Type[])[] = Array.from({ length: 2 ** TYPES.length }, (_, bits) =>
  TYPES.filter((_type, index) => (bits >> index) % 2 === 1),
)

function acceptRow(type: Type, accept: readonly string[], isTaken: boolean): Row {
  const isSelfReport = type === 'user-report'
  return {
    what: `verify: a code of ${type} where ${named(accept)} is accepted`,
    to: 'verify',
    given: isSelfReport ? { selfReport: true } : { issue: { testType: type } },
    body: ({ code, nonce }) => ({ code, accept, ...(isSelfReport ? { nonce } : {}) }),
    ...same(isTaken ? '200' : '412 unsupported_test_type'),
    check: (body) => assert.equal(body['testtype'], isTaken ? type : undefined),
  }
}

const ACCEPT_ROWS: readonly Row[] = TYPES.flatMap((type) =>
  LISTS.map((accept) =>
    acceptRow(
      type,
      accept,
      accept.length === 0 || accept.some((each) => TAKEN[each].includes(type)),
    ),
  ),
)

const ODD_ACCEPT_ROWS: readonly Row[] = [
  ...[['CONFIRMED'], ['Likely', 'Likely'], Array.from({ length: 500 }, () => 'confirmed')].map(
    (accept) => acceptRow('confirmed', accept, true),
  ),
  ...[
    '',
    ' confirmed',
    'confirmed ',
    'positive',
    'user_report',
    'confirmed,likely',
    'k',
    'conﬁrmed',
  ].map((accept): Row => ({
    what: `verify: accepts ${named(accept)}`,
    to: 'verify',
    given: { state: 'issued' },
    body: ({ code }) => ({ code, accept: ['confirmed', accept] }),
    ...same('400 invalid_test_type'),
  })),
  {
    what: 'verify: accepts nothing by its name',
    to: 'verify',
    given: { state: 'issued' },
    body: ({ code }) => ({ code, accept: [null] }),
    ...same('400 invalid_test_type'),
  },
]

const FORGIVEN = 'a code counts as it was issued'

/** Codes as they are typed. */
const TYPED: readonly (readonly [
  what: string,
  type: (code: string) => string,
  isThere: boolean,
  isHere: boolean,
])[] = [
  ['as it is', (code) => code, true, true],
  ['with a blank in front', (code) => ` ${code}`, false, true],
  ['with a blank behind', (code) => `${code} `, false, true],
  ['with a line end behind', (code) => `${code}\n`, false, true],
  ['with a hyphen in the middle', (code) => `${code.slice(0, 4)}-${code.slice(4)}`, false, true],
  ['in groups', (code) => code.replaceAll(/../g, '$& '), false, true],
  [
    'in other digits',
    (code) => code.replaceAll(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
    false,
    true,
  ],
  ['with a NUL behind', (code) => `${code}\0`, false, false],
  ['with a digit more', (code) => `${code}0`, false, false],
  ['with a digit less', (code) => code.slice(1), false, false],
  ['twice', (code) => code + code, false, false],
  ['backwards in words', () => 'one two three', false, false],
  ['as a fake of decoys', () => 'FAKE-VALIDATION-CODE', false, false],
  ['with 10,000 characters', (code) => code.padEnd(10_000, '0'), false, false],
  ['with a wildcard', (code) => `${code.slice(0, 7)}%`, false, false],
  ['with a quote', (code) => `${code}' or '1'='1`, false, false],
  ['as a face', () => '😀', false, false],
  ['as half a face', () => '\ud83d', false, false],
]

const typedRows = (form: 'code' | 'longCode'): Row[] =>
  TYPED.map(([what, type, isThere, isHere]): Row => {
    const there = isThere ? '200' : '400 code_invalid'
    return {
      what: `verify: the ${form === 'code' ? 'short' : 'long'} code ${what}`,
      to: 'verify',
      given: { state: 'issued', issue: { onlyGenerateSMS: true, phone: '+12025550123' } },
      body: (subject) => ({
        code: type(subject[form]),
      }),
      ...(isThere === isHere ? same(there) : differs(there, '200', FORGIVEN)),
    }
  })

const NONCES: readonly (readonly [what: string, nonce: string, answer: Outcome])[] = [
  ['of 256 bytes', randomBytes(256).toString('base64'), '200'],
  ['of 256 bytes in base64url', randomBytes(256).toString('base64url'), '200'],
  ['of 256 bytes without padding', randomBytes(256).toString('base64').replace(/=+$/, ''), '200'],
  ['of one byte', 'AA==', '200'],
  ['of 1,000 bytes', randomBytes(1_000).toString('base64'), '200'],
  ['that is no base64', '!', '400 unparsable_request'],
  ['of one character', 'A', '400 unparsable_request'],
  ['with a blank', 'AA AA', '400 unparsable_request'],
]

const NONCE_ROWS: readonly Row[] = [
  ...NONCES.map(([what, nonce, answer]): Row => ({
    what: `verify: a nonce ${what} for a code that needs none`,
    to: 'verify',
    given: { state: 'issued' },
    body: ({ code }) => ({ code, nonce }),
    ...same(answer),
  })),
  ...(
    [
      ['its own', (nonce: string) => nonce, '200'],
      [
        'its own in base64url',
        (nonce: string) => Buffer.from(nonce, 'base64').toString('base64url'),
        '200',
      ],
      ['none', () => undefined, '400 code_invalid'],
      ['an empty one', () => '', '400 code_invalid'],
      ['another', () => randomBytes(256).toString('base64'), '400 code_invalid'],
      [
        'a shorter one',
        (nonce: string) => Buffer.from(nonce, 'base64').subarray(1).toString('base64'),
        '400 code_invalid',
      ],
      ['one that is no base64', () => '?', '400 unparsable_request'],
    ] as const
  ).map(([what, change, answer]): Row => ({
    what: `verify: the nonce of a self-report is ${what}`,
    to: 'verify',
    given: { selfReport: true },
    body: ({ code, nonce }) => ({ code, nonce: change(nonce) }),
    ...same(answer),
  })),
  {
    what: 'verify: a self-report without its nonce, of a type that is not accepted',
    to: 'verify',
    given: { selfReport: true },
    body: ({ code }) => ({ code, accept: ['negative'] }),
    ...same('412 unsupported_test_type'),
  },
]

const DATES: readonly (readonly [
  what: string,
  issue: (day: (before: number) => string) => Record<string, unknown>,
  told: readonly string[],
])[] = [
  ['a date of symptoms', (day) => ({ symptomDate: day(3), testDate: '' }), ['symptomDate']],
  ['a date of the test', (day) => ({ symptomDate: '', testDate: day(2) }), ['testDate']],
  ['both dates', (day) => ({ symptomDate: day(3), testDate: day(2) }), ['symptomDate', 'testDate']],
]

const DATE_ROWS: readonly Row[] = DATES.map(([what, issue, told]): Row => ({
  what: `verify: a code with ${what}`,
  to: 'verify',
  given: { state: 'issued', dates: issue },
  body: ({ code }) => ({ code }),
  ...same('200'),
  check(body, { day }) {
    const given = issue(day)
    for (const name of ['symptomDate', 'testDate'])
      assert.equal(body[name], told.includes(name) ? given[name] : undefined)
  },
}))

const AGAIN = 'a code that was claimed: `code_invalid`'
const CERTIFICATE_AGAIN = 'a token that was used: `token_expired`'

/** What each address says in each state of a code. */
const TABLE: Readonly<
  Record<
    'verify' | 'certificate' | 'checkcodestatus' | 'expirecode',
    Readonly<Record<State, Pick<Row, 'there' | 'here' | 'why'>>>
  >
> = {
  verify: {
    none: same('400 code_invalid'),
    issued: same('200'),
    claimed: differs('400 code_invalid', '200', AGAIN),
    certified: same('400 code_invalid'),
    ended: same('400 code_expired'),
    over: same('400 code_expired'),
    'over, claimed': same('400 code_expired'),
    'over, certified': same('400 code_expired'),
  },
  certificate: {
    none: same('400 token_invalid'),
    issued: same('400 token_invalid'),
    claimed: same('200'),
    certified: differs('400 token_expired', '200', CERTIFICATE_AGAIN),
    ended: same('400 token_invalid'),
    over: same('400 token_invalid'),
    'over, claimed': same('200'),
    'over, certified': differs('400 token_expired', '200', CERTIFICATE_AGAIN),
  },
  checkcodestatus: {
    none: same('404 code_not_found'),
    issued: same('200'),
    claimed: same('200'),
    certified: same('200'),
    ended: same('200'),
    over: same('200'),
    'over, claimed': same('200'),
    'over, certified': same('200'),
  },
  expirecode: {
    none: same('404 code_not_found'),
    issued: same('200'),
    claimed: same('400'),
    certified: same('400'),
    ended: same('200'),
    over: same('200'),
    'over, claimed': same('200'),
    'over, certified': same('200'),
  },
}

const STATE_ROWS: readonly Row[] = (Object.keys(TABLE) as (keyof typeof TABLE)[]).flatMap(
  (to: keyof typeof TABLE & Address) =>
    STATES.map((state): Row => ({
      what: `${to}: a code that is ${state === 'none' ? 'none' : state}`,
      to,
      given: { state },
      body: ({ code, token, ekeyhmac, uuid }) =>
        to === 'verify' ? { code } : to === 'certificate' ? { token, ekeyhmac } : { uuid },
      ...TABLE[to][state],
      ...(to === 'checkcodestatus' && state !== 'none'
        ? { check: (body) => assert.equal(body['claimed'], /claimed|certified/.test(state)) }
        : {}),
    })),
)

export const VERIFY_ROWS: readonly Row[] = [
  ...ACCEPT_ROWS,
  ...ODD_ACCEPT_ROWS,
  ...typedRows('code'),
  ...typedRows('longCode'),
  ...NONCE_ROWS,
  ...DATE_ROWS,
]
export { STATE_ROWS }
