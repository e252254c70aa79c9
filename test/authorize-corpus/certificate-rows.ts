// Test helper: rows about tokens that were changed and HMACs in every form; promises that nothing but a token of ours counts.

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { claimsIn } from '../authority-zone.ts'
import { differs, same, type Outcome, type Row, type Subject } from './row.ts'

const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')

const parts = (token: string) => token.split('.') as [string, string, string]
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string) =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>

const withHeader = (change: Record<string, unknown>) => (token: string) => {
  const [header, payload, signature] = parts(token)
  return [encode({ ...decode(header), ...change }), payload, signature].join('.')
}
const withClaims = (change: Record<string, unknown>) => (token: string) => {
  const [header, payload, signature] = parts(token)
  return [header, encode({ ...decode(payload), ...change }), signature].join('.')
}
/** As a stranger would sign it, under our kid. */
const bySomebody = (token: string) => {
  const [header, payload] = parts(token)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signature = sign('sha256', Buffer.from(`${header}.${payload}`), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return `${header}.${payload}.${signature.toString('base64url')}`
}
const mirrored = (token: string) => {
  const [header, payload, signature] = parts(token)
  const bytes = Buffer.from(signature, 'base64url')
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.from(s.toString(16).padStart(64, '0'), 'hex')
  return `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), other]).toString('base64url')}`
}

const WHOLE = 'a token with a line end'

const TOKENS: readonly (readonly [
  what: string,
  change: (token: string) => string,
  answer: Pick<Row, 'there' | 'here' | 'why'>,
])[] = [
  ['as it is', (token) => token, same('200')],
  ...(
    [
      ['without its last character', (token) => token.slice(0, -1)],
      ['without its first character', (token) => token.slice(1)],
      ['without its signature', (token) => token.replace(/\.[^.]*$/, '.')],
      ['of two parts', (token) => token.replace(/\.[^.]*$/, '')],
      ['of four parts', (token) => `${token}.x`],
      ['without its claims', (token) => token.replace(/\..*\./, '..')],
      ['without its header', (token) => token.replace(/^[^.]*/, '')],
      ['of dots', () => '..'],
      ['that is a word', () => 'token'],
      ['that is a number', () => '12345678'],
      ['of 50,000 characters', () => 'A'.repeat(50_000)],
      ['in capitals', (token) => token.toUpperCase()],
      ['with a blank in front', (token) => ` ${token}`],
      ['with Bearer in front', (token) => `Bearer ${token}`],
      ['with a NUL behind', (token) => `${token}\0`],
      ['with another kid', withHeader({ kid: 'v1' })],
      ['without kid', withHeader({ kid: undefined })],
      ['with a number as kid', withHeader({ kid: 1 })],
      ['with a path as kid', withHeader({ kid: '../../x' })],
      ['with alg none', withHeader({ alg: 'none' })],
      [
        'with alg none and no signature',
        (token) => withHeader({ alg: 'none' })(token).replace(/[^.]*$/, ''),
      ],
      ['with alg HS256', withHeader({ alg: 'HS256' })],
      ['with alg ES384', withHeader({ alg: 'ES384' })],
      ['with alg RS256', withHeader({ alg: 'RS256' })],
      ['with another jti', withClaims({ jti: randomBytes(16).toString('base64url') })],
      ['with another sub', withClaims({ sub: 'negative..' })],
      ['with a later exp', withClaims({ exp: 4_000_000_000 })],
      ['with another iss', withClaims({ iss: 'x' })],
      ['signed by somebody', bySomebody],
      [
        'with its signature reversed',
        (token) => token.replace(/[^.]*$/, (end) => end.split('').reverse().join('')),
      ],
      ['with a signature of zeros', (token) => token.replace(/[^.]*$/, 'A'.repeat(86))],
    ] as const satisfies readonly (readonly [string, (token: string) => string])[]
  ).map(([what, change]) => [what, change, same('400 token_invalid')] as const),
  ['with the mirrored signature', mirrored, same('200')],
  ['with a line end behind', (token) => `${token}\n`, differs('200', '400 token_invalid', WHOLE)],
  [
    'with a carriage return and a line end behind',
    (token) => `${token}\r\n`,
    differs('200', '400 token_invalid', WHOLE),
  ],
  ['with a padded signature', (token) => `${token}==`, differs('200', '400 token_invalid', WHOLE)],
]

const TOKEN_ROWS: readonly Row[] = TOKENS.map(([what, change, answer]): Row => ({
  what: `certificate: a token ${what}`,
  to: 'certificate',
  given: { state: 'claimed' },
  body: ({ token, ekeyhmac }) => ({ token: change(token), ekeyhmac }),
  ...answer,
}))

const mac = () => createHmac('sha256', randomBytes(16)).update('keys').digest()
/** One whose base64 has both signs that differ between the alphabets. */
const signs = () => Buffer.concat([Buffer.from([0xfb, 0xef, 0xff, 0xfe]), randomBytes(28)])

const HMACS: readonly (readonly [what: string, hmac: string, answer: Outcome])[] = [
  ['in base64', mac().toString('base64'), '200'],
  ['in base64 without padding', mac().toString('base64').replace('=', ''), '200'],
  ['in base64url', mac().toString('base64url'), '200'],
  ['in base64url with padding', `${mac().toString('base64url')}=`, '200'],
  ['with + and /', signs().toString('base64'), '200'],
  ['with - and _', signs().toString('base64url'), '200'],
  ['with - and _ and padding', `${signs().toString('base64url')}=`, '200'],
  ['of zeros', Buffer.alloc(32).toString('base64'), '200'],
  ['of 31 bytes', randomBytes(31).toString('base64'), '400 hmac_invalid'],
  ['of 33 bytes', randomBytes(33).toString('base64'), '400 hmac_invalid'],
  ['of 64 bytes', randomBytes(64).toString('base64'), '400 hmac_invalid'],
  ['of no bytes', '', '400 hmac_invalid'],
  ['of one byte', 'AA==', '400 hmac_invalid'],
  ['in hex', mac().toString('hex'), '400 hmac_invalid'],
  ['that is no base64', '!'.repeat(44), '400 hmac_invalid'],
  ['with a blank in front', ` ${mac().toString('base64')}`, '400 hmac_invalid'],
  [
    'with a blank in the middle',
    mac().toString('base64').replace(/^.{8}/, '$& '),
    '400 hmac_invalid',
  ],
  ['with a NUL', `${mac().toString('base64')}\0`, '400 hmac_invalid'],
  ['of 40,000 characters', 'A'.repeat(40_000), '400 hmac_invalid'],
]

const HMAC_ROWS: readonly Row[] = HMACS.map(([what, ekeyhmac, answer]): Row => ({
  what: `certificate: an ekeyhmac ${what}`,
  to: 'certificate',
  given: { state: 'claimed' },
  body: ({ token }) => ({ token, ekeyhmac }),
  ...same(answer),
  ...(answer === '200'
    ? { check: (body) => assert.equal(claimsIn(body['certificate'])['tekmac'], ekeyhmac) }
    : {}),
}))

const other = ({ token }: Subject) => ({ token, ekeyhmac: mac().toString('base64') })

export const CERTIFICATE_ROWS: readonly Row[] = [
  ...TOKEN_ROWS,
  ...HMAC_ROWS,
  {
    what: 'certificate: a token that was used, for other keys',
    to: 'certificate',
    given: { state: 'certified' },
    body: other,
    ...same('400 token_expired'),
  },
  {
    what: 'certificate: a wrong token and a wrong ekeyhmac',
    to: 'certificate',
    body: { token: 'x', ekeyhmac: 'x' },
    ...same('400 token_invalid'),
  },
  {
    what: "certificate: another realm's token",
    to: 'certificate',
    realm: 'plain',
    given: { state: 'claimed' },
    codeOf: 'main',
    body: other,
    ...same('400 token_expired'),
  },
  ...(['confirmed', 'likely', 'negative'] as const).map((testType): Row => ({
    what: `certificate: the claims of ${testType}`,
    to: 'certificate',
    given: {
      state: 'claimed',
      issue: { testType },
      dates: (day) => ({ symptomDate: day(3), testDate: day(1) }),
    },
    body: other,
    ...same('200'),
    check(body, { day }) {
      const claims = claimsIn(body['certificate'])
      assert.equal(claims['reportType'], testType)
      assert.equal(claims['symptomOnsetInterval'], Date.parse(day(3)) / 600_000)
      assert.equal(claims['nbf'], claims['iat'])
      assert.equal(Number(claims['exp']) - Number(claims['iat']), 905)
      for (const name of ['sub', 'jti', 'testDate']) assert.ok(!(name in claims), name)
    },
  })),
  {
    what: 'certificate: a code with a date of the test alone has no onset',
    to: 'certificate',
    given: { state: 'claimed', dates: (day) => ({ symptomDate: '', testDate: day(1) }) },
    body: other,
    ...same('200'),
    check: (body) => assert.ok(!('symptomOnsetInterval' in claimsIn(body['certificate']))),
  },
]
