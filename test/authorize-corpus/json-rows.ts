// Test helper: rows about JSON and the types of fields, for every field of every address; promises that each is asked in every way.

import {
  ADDRESSES,
  good,
  GOOD,
  named,
  STATE_FOR,
  UNREADABLE,
  differs,
  same,
  type Address,
  type Outcome,
  type Row,
  type Subject,
} from './row.ts'

type Kind = 'text' | 'number' | 'boolean' | 'list of texts' | 'list of objects' | 'padding'

interface Field {
  readonly kind: Kind
  /** What leaving it out gives; that of null and, for texts, of an empty one. */
  readonly absent: Outcome
}

const text = (absent: Outcome): Field => ({ kind: 'text', absent })
const PADDING: Field = { kind: 'padding', absent: '200' }
const UUID: Field = text('404 code_not_found')

const FIELDS: Readonly<Record<Address, Readonly<Record<string, Field>>>> = {
  verify: {
    code: text('400 code_invalid'),
    accept: { kind: 'list of texts', absent: '200' },
    nonce: text('200'),
    padding: PADDING,
  },
  certificate: {
    token: text('400 token_invalid'),
    ekeyhmac: text('400 hmac_invalid'),
    padding: PADDING,
  },
  'user-report': {
    symptomDate: text('200'),
    testDate: text('400 missing_date'),
    tzOffset: { kind: 'number', absent: '200' },
    phone: text('400 missing_phone'),
    nonce: text('400 missing_nonce'),
    padding: PADDING,
  },
  issue: {
    testType: text('400 invalid_test_type'),
    symptomDate: text('400 missing_date'),
    testDate: text('200'),
    tzOffset: { kind: 'number', absent: '200' },
    phone: text('200'),
    smsTemplateLabel: text('200'),
    uuid: text('200'),
    externalIssuerID: text('200'),
    onlyGenerateSMS: { kind: 'boolean', absent: '200' },
    padding: PADDING,
  },
  'batch-issue': { codes: { kind: 'list of objects', absent: '200' }, padding: PADDING },
  checkcodestatus: { uuid: UUID, padding: PADDING },
  expirecode: { uuid: UUID, padding: PADDING },
}

const VALUES: readonly unknown[] = [
  1,
  0,
  -1.5,
  1e300,
  true,
  false,
  [],
  ['x'],
  [1],
  [null],
  {},
  { x: 1 },
  'x',
]

const IS_RIGHT: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  padding: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  'list of texts': (value) =>
    Array.isArray(value) && value.every((each) => typeof each !== 'number'),
  'list of objects': (value) =>
    Array.isArray(value) && value.every((each) => typeof each === 'object'),
}

const PADDING_WHY = '`padding` must be base64'

function fieldRows(to: Address, name: string, { kind, absent }: Field): Row[] {
  const row = (what: string, value: unknown, answer: Pick<Row, 'there' | 'here' | 'why'>): Row => ({
    what: `${to}: ${name} ${what}`,
    to,
    given: { state: STATE_FOR[to] },
    body: good(to, { [name]: value }),
    ...answer,
  })
  const wrong = VALUES.filter((value) => !IS_RIGHT[kind](value)).map((value) =>
    row(`is ${named(value)}`, value, wrongType(to, kind, value)),
  )
  return [
    row('is left out', undefined, same(absent)),
    row('is null', null, same(absent)),
    ...(kind === 'text' || kind === 'padding' ? [row('is empty', '', same(absent))] : []),
    ...wrong,
    ...caseRows(to, name),
  ]
}

function wrongType(to: Address, kind: Kind, value: unknown): Pick<Row, 'there' | 'here' | 'why'> {
  const refused = UNREADABLE[to]
  // A list of bytes is a value there; null among them is 0.
  const isBytes =
    Array.isArray(value) &&
    value.every((each) => each === null || (Number.isInteger(each) && each >= 0))
  return kind === 'padding' && isBytes ? differs('200', refused, PADDING_WHY) : same(refused)
}

/** Names in another letter case, and a field that is given twice. */
function caseRows(to: Address, name: string): Row[] {
  const given = { state: STATE_FOR[to] }
  const renamed = (change: (name: string) => string) => (subject: Subject) => {
    const { [name]: value, ...rest } = GOOD[to](subject)
    return { ...rest, [change(name)]: value ?? null }
  }
  const twice = (subject: Subject) => {
    const { [name]: value, ...rest } = GOOD[to](subject)
    const members = Object.entries({ ...rest, [name]: value ?? null })
    const all = [...members, [name, value ?? null] as const]
    return `{${all.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`).join(',')}}`
  }
  return [
    {
      what: `${to}: ${name} in capitals`,
      to,
      given,
      body: renamed((each) => each.toUpperCase()),
      ...same('200'),
    },
    {
      what: `${to}: ${name} in small letters`,
      to,
      given,
      body: renamed((each) => each.toLowerCase()),
      ...same('200'),
    },
    {
      what: `${to}: ${name} given twice`,
      to,
      given,
      body: twice,
      ...differs('200', UNREADABLE[to], 'a field that is given twice'),
    },
  ]
}

const TOLERANT: readonly Address[] = ['verify', 'certificate', 'user-report']

function bodyRows(to: Address): Row[] {
  const refused = UNREADABLE[to]
  const given = { state: STATE_FOR[to] }
  const json = (subject: Subject) => JSON.stringify(GOOD[to](subject))
  const unknown = TOLERANT.includes(to)
    ? differs(refused, '200', 'an unknown field is refused')
    : same(refused)
  const ofNull: Readonly<Record<Address, Outcome>> = {
    verify: '400 code_invalid',
    certificate: '400 token_invalid',
    'user-report': '400 missing_nonce',
    issue: '400 missing_date',
    'batch-issue': '200',
    checkcodestatus: '404 code_not_found',
    expirecode: '404 code_not_found',
  }
  const nullAnswer =
    ofNull[to] === refused ? same(refused) : differs(ofNull[to], refused, '`null` as the body')
  const row = (
    what: string,
    body: Row['body'],
    answer: Pick<Row, 'there' | 'here' | 'why'>,
  ): Row => ({
    what: `${to}: ${what}`,
    to,
    given,
    body,
    ...answer,
  })
  return [
    row('no body', '', same(refused)),
    row('null', 'null', nullAnswer),
    ...[
      '[]',
      '1',
      '"x"',
      'true',
      '{',
      '{}}}'.slice(0, 1),
      "{'code':1}",
      '{"a":1,}',
      'x',
      '{"":',
    ].map((body, index) => row(`${body} (${index})`, body, same(refused))),
    row('an unknown field', good(to, { unknown: 1 }), unknown),
    row('an unknown field with an object', good(to, { more: { deep: [{}] } }), unknown),
    row('a field with an empty name', good(to, { '': 1 }), unknown),
    row('__proto__', (subject) => json(subject).replace('{', '{"__proto__":{"x":1},'), unknown),
    row('blanks around', (subject) => ` \r\n\t${json(subject)} \r\n\t`, same('200')),
    row('a byte order mark', (subject) => `\ufeff${json(subject)}`, same(refused)),
    row('a second object', (subject) => `${json(subject)}{}`, same(refused)),
    row('a word behind', (subject) => `${json(subject)} x`, same(refused)),
    row('a comma behind', (subject) => `${json(subject)},`, same(refused)),
    row(
      '} behind',
      (subject) => `${json(subject)}}`,
      differs('200', refused, 'a body counts as far as it is read'),
    ),
    row(
      '] behind',
      (subject) => `${json(subject)}] and more`,
      differs('200', refused, 'a body counts as far as it is read'),
    ),
    row(
      'bytes that are no UTF-8',
      (subject) => {
        const before = Buffer.from(json(subject).replace('{', '{"padding":"'), 'utf8')
        const start = before.indexOf('"padding":"') + 11
        return Buffer.concat([
          before.subarray(0, start),
          Buffer.from([0xff]),
          Buffer.from('",'),
          before.subarray(start),
        ])
      },
      // There the replacement is no base64; in other fields it would be text.
      same(refused),
    ),
    row(
      'padding that is no base64',
      good(to, { padding: '!' }),
      differs(refused, '200', PADDING_WHY),
    ),
    row('padding of 30,000 characters', good(to, { padding: 'A'.repeat(30_000) }), same('200')),
  ]
}

export const JSON_ROWS: readonly Row[] = ADDRESSES.flatMap((to) => [
  ...Object.entries(FIELDS[to]).flatMap(([name, field]) => fieldRows(to, name, field)),
  ...bodyRows(to),
])
