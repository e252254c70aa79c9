// Test helper: rows about keys, methods, content types, sizes and decoys of every address; promises the request's frame before anything of its content.

import {
  ADDRESSES,
  differs,
  good,
  same,
  STATE_FOR,
  UNREADABLE,
  type Address,
  type KeyKind,
  type Row,
} from './row.ts'

const BAD_KEYS: readonly KeyKind[] = [
  'none',
  'empty',
  'malformed',
  'unknown',
  'wrong secret',
  'wrong type',
  'stats',
  'revoked',
]

const DECOYS: readonly Address[] = ['verify', 'certificate', 'user-report']

function keyRows(to: Address): Row[] {
  const body = good(to)
  const given = { state: STATE_FOR[to] }
  return [
    ...BAD_KEYS.map((key): Row => ({
      what: `${to}: the key is ${key}`,
      to,
      key,
      given,
      body,
      ...same('401'),
    })),
    {
      what: `${to}: no key, from a browser`,
      to,
      key: 'none',
      headers: { accept: 'text/html' },
      body,
      ...differs('500', '401', '401 to a request that accepts'),
    },
    { what: `${to}: no key and no JSON`, to, key: 'none', body: '{', ...same('401') },
    {
      what: `${to}: no key and another content type`,
      to,
      key: 'none',
      body,
      contentType: 'text/plain',
      ...differs('401', UNREADABLE[to], 'the API key is judged before'),
    },
    {
      what: `${to}: accepts only texts`,
      to,
      given,
      headers: { accept: 'text/plain' },
      body,
      ...same('200'),
    },
  ]
}

const TYPES: readonly (readonly [type: string | null, isTaken: boolean])[] = [
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['application/json;charset=UTF-8', true],
  ['application/json;', true],
  ['application/jsonp', true],
  ['application/json-patch+json', true],
  ['Application/JSON', false],
  ['application/JSON', false],
  ['text/json', false],
  ['text/plain', false],
  ['application/x-www-form-urlencoded', false],
  ['multipart/form-data; boundary=x', false],
  ['application/x-protobuf', false],
  ['application/jso', false],
  ['json', false],
  [null, false],
]

function frameRows(to: Address): Row[] {
  const body = good(to)
  const given = { state: STATE_FOR[to] }
  const refused = UNREADABLE[to]
  const wrongMethod = differs('405', '405 method_not_allowed', 'another method: 405')
  return [
    ...TYPES.map(([contentType, isTaken]): Row => ({
      what: `${to}: content type ${contentType ?? 'left out'}`,
      to,
      given,
      body,
      contentType,
      ...same(isTaken ? '200' : refused),
    })),
    ...['application/json charset=utf-8', 'application/json, text/plain'].map(
      (contentType): Row => ({
        what: `${to}: content type ${contentType}`,
        to,
        given,
        body,
        contentType,
        ...differs('200', refused, '`application/json charset=utf-8`'),
      }),
    ),
    ...[63_999, 64_000].map((size): Row => ({
      what: `${to}: ${size} bytes`,
      to,
      given,
      body,
      size,
      ...same('200'),
    })),
    ...[64_001, 100_000, 300_000].map((size): Row => ({
      what: `${to}: ${size} bytes`,
      to,
      given,
      body,
      size,
      ...same(refused),
    })),
    ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method): Row => ({
      what: `${to}: ${method}`,
      to,
      method,
      body: method === 'GET' ? undefined : body,
      ...wrongMethod,
    })),
    {
      what: `${to}: GET that says it were a POST`,
      to,
      method: 'GET',
      query: '?_method=POST',
      body: undefined,
      ...differs('200', '405 method_not_allowed', '`GET /api/verify?_method=POST`'),
    },
    { what: `${to}: a query`, to, given, query: '?x=1', body, ...same('200') },
    {
      what: `${to}: wants to debug`,
      to,
      given,
      headers: { 'x-debug': '1' },
      body,
      ...same('200'),
    },
  ]
}

function decoyRows(to: Address): Row[] {
  const headers = { 'x-chaff': '1' }
  if (!DECOYS.includes(to))
    return [
      {
        what: `${to}: X-Chaff means nothing`,
        to,
        given: { state: STATE_FOR[to] },
        headers,
        body: good(to),
        ...same('200'),
      },
    ]
  const why = 'decoys (`X-Chaff`) need an API key'
  return [
    { what: `${to}: a decoy`, to, headers, body: { padding: 'AAAA' }, ...same('200') },
    {
      what: `${to}: a decoy of another word`,
      to,
      headers: { 'x-chaff': 'daily' },
      body: {},
      ...same('200'),
    },
    { what: `${to}: a decoy that is no JSON`, to, headers, body: 'x', ...same('200') },
    { what: `${to}: a decoy without a body`, to, headers, body: '', ...same('200') },
    {
      what: `${to}: a decoy with a code`,
      to,
      headers,
      body: { code: 'FAKE-VALIDATION-CODE' },
      ...same('200'),
    },
    {
      what: `${to}: an empty X-Chaff`,
      to,
      given: { state: STATE_FOR[to] },
      headers: { 'x-chaff': '' },
      body: good(to),
      ...same('200'),
    },
    {
      what: `${to}: a decoy without a key`,
      to,
      key: 'none',
      headers,
      body: {},
      ...differs('401', '200', why),
    },
    {
      what: `${to}: a decoy with an unknown key`,
      to,
      key: 'unknown',
      headers,
      body: {},
      ...differs('401', '200', why),
    },
    {
      what: `${to}: a decoy of another content type`,
      to,
      headers,
      body: 'x',
      contentType: 'text/plain',
      ...differs('200', UNREADABLE[to], 'decoys are answered whatever their size and content type'),
    },
    {
      what: `${to}: a decoy of 64,001 bytes`,
      to,
      headers,
      body: {},
      size: 64_001,
      ...differs('200', UNREADABLE[to], 'decoys are answered whatever their size and content type'),
    },
  ]
}

/** While the realm is closed. */
function closedRows(to: Address): Row[] {
  const row = (answer: Pick<Row, 'there' | 'here' | 'why'>): Row => ({
    what: `${to}: a closed realm`,
    to,
    realm: 'closed',
    body: good(to),
    ...answer,
  })
  const closed = '429 maintenance_mode'
  if (to === 'issue') return [row(same(closed))]
  if (to === 'checkcodestatus' || to === 'expirecode') return [row(same('404 code_not_found'))]
  const there = {
    verify: '400 code_invalid',
    certificate: '400 token_invalid',
    'user-report': '400 unsupported_test_type',
    'batch-issue': '400',
  }
  return [row(differs(there[to], closed, "a realm's maintenance"))]
}

export const TRANSPORT_ROWS: readonly Row[] = ADDRESSES.flatMap((to) => [
  ...keyRows(to),
  ...frameRows(to),
  ...decoyRows(to),
  ...closedRows(to),
])
