// Test helper: rows of the corpus about the certificate; promises that nothing of it is believed that its authority did not sign for these keys.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { base64url, signJws } from '../certificate.ts'
import { CLAIM_ROWS } from './claim-rows.ts'
import { accepted, partly, untrusted, type Change, type Members, type Row } from './row.ts'

const STRANGER = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const P384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey

const parts = (certificate: string) => certificate.split('.') as [string, string, string]
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Members
/** Another header before the same claims, with a signature of its own. */
const withHeader = (header: Members, signer: (signed: string) => Uint8Array) => (good: string) => {
  const [old, payload] = parts(good)
  const signed = `${base64url({ ...decode(old), ...header })}.${payload}`
  return `${signed}.${Buffer.from(signer(signed)).toString('base64url')}`
}
const none = () => new Uint8Array()
const es384 = (signed: string) =>
  sign('sha384', Buffer.from(signed), { key: P384, dsaEncoding: 'ieee-p1363' })
const hs256 = (signed: string) => createHmac('sha256', 'secret').update(signed).digest()

const certificate = (what: string, change: (good: string) => string, subCode: string): Row => ({
  what: `the certificate ${what}`,
  when: { certificate: change },
  expect: untrusted(subCode),
})
const header = (what: string, members: Members, subCode: string | undefined): Row => ({
  what: `the certificate's header ${what}`,
  when: { header: members },
  expect: subCode === undefined ? accepted(2) : untrusted(subCode),
})

const SIGNATURE_ROWS: readonly Row[] = [
  certificate('is empty', () => '', 'malformed'),
  certificate('is no JWT', () => 'x', 'malformed'),
  certificate('has two parts', (good) => parts(good).slice(0, 2).join('.'), 'malformed'),
  certificate('has four parts', (good) => `${good}.x`, 'malformed'),
  certificate('has a blank before it', (good) => ` ${good}`, 'malformed'),
  certificate('has a line break behind it', (good) => `${good}\n`, 'malformed'),
  certificate('is padded', (good) => `${good}==`, 'malformed'),
  certificate(
    'is in the standard alphabet of base64',
    (good) =>
      parts(good)
        .map((part, n) => (n === 2 ? `${part.slice(0, 84)}+/` : part))
        .join('.'),
    'malformed',
  ),
  certificate(
    'has a header that is no JSON',
    (good) => `e30x.${parts(good)[1]}.${parts(good)[2]}`,
    'malformed',
  ),
  certificate(
    'has a header that is a list',
    (good) => `${base64url([])}.${parts(good)[1]}.${parts(good)[2]}`,
    'malformed',
  ),
  certificate('has alg none and no signature', withHeader({ alg: 'none' }, none), 'malformed'),
  certificate('has alg HS256', withHeader({ alg: 'HS256' }, hs256), 'malformed'),
  certificate('has alg ES384', withHeader({ alg: 'ES384' }, es384), 'malformed'),
  header('has no alg', { alg: undefined }, 'malformed'),
  header('has alg es256 in lower case', { alg: 'es256' }, 'malformed'),
  header('has a crit that nobody knows', { crit: ['x'], x: 1 }, 'malformed'),
  header('has a crit of exp', { crit: ['exp'], exp: 1 }, 'malformed'),
  header('has an empty crit', { crit: [] }, 'malformed'),
  header('has b64: false', { b64: false }, 'malformed'),
  header('has no kid', { kid: undefined }, 'unknown_key'),
  header('has a kid of null', { kid: null }, 'unknown_key'),
  header('has a number as kid', { kid: 1 }, 'unknown_key'),
  header('has an empty kid', { kid: '' }, 'unknown_key'),
  header('has an unknown kid', { kid: 'v9' }, 'unknown_key'),
  header('has its kid in upper case', { kid: 'V1' }, 'unknown_key'),
  header("has the kid of another authority's key", { kid: 'other-v1' }, 'unknown_key'),
  header('has the kid of a key that has ended', { kid: 'ended' }, 'unknown_key'),
  header('has the kid of a key that has not begun', { kid: 'not-begun' }, 'unknown_key'),
  header('has __proto__ as kid', { kid: '__proto__' }, 'unknown_key'),
  header('has no typ', { typ: undefined }, undefined),
  header('has another typ', { typ: 'JOSE' }, undefined),
  header('has a member that nobody knows', { cty: 'x', y: 1 }, undefined),
  header('brings a key of its own', { jwk: { kty: 'EC' }, jku: 'https://example.org/' }, undefined),
  certificate(
    'is signed by a stranger',
    (good) => signJws(decode(parts(good)[0]), decode(parts(good)[1]), STRANGER),
    'wrong_signature',
  ),
  certificate(
    'has no signature',
    (good) => `${parts(good)[0]}.${parts(good)[1]}.`,
    'wrong_signature',
  ),
  certificate(
    'has a signature of zeros',
    (good) => `${parts(good)[0]}.${parts(good)[1]}.${base64url(new Uint8Array(64))}`,
    'wrong_signature',
  ),
  certificate('has a signature that is cut', (good) => good.slice(0, -2), 'wrong_signature'),
  certificate('has a signature with bytes behind it', (good) => `${good}AAAA`, 'wrong_signature'),
  certificate(
    'has other claims than were signed',
    (good) =>
      `${parts(good)[0]}.${base64url({ ...decode(parts(good)[1]), x: 1 })}.${parts(good)[2]}`,
    'wrong_signature',
  ),
  certificate(
    'has another header than was signed',
    (good) =>
      `${base64url({ ...decode(parts(good)[0]), x: 1 })}.${parts(good)[1]}.${parts(good)[2]}`,
    'wrong_signature',
  ),
  {
    what: 'a certificate that another authority signed with a key of the same kid',
    when: { app: 'org.example.other', fields: { healthAuthorityID: 'org.example.health' } },
    expect: untrusted('wrong_signature'),
  },
]

const RISKS: Change = { keys: [{ transmissionRisk: 3 }, { transmissionRisk: 0 }] }
const mac = (what: string, change: Change, expect: Row['expect']): Row => ({
  what: `the HMAC ${what}`,
  when: change,
  expect,
})
const WRONG = untrusted('wrong_tekmac')

const HMAC_ROWS: readonly Row[] = [
  mac('covers key.start.period.risk', RISKS, accepted(2)),
  mac('covers key.start.period.risk where all risks are 0', { maced: (four) => four }, accepted(2)),
  mac('leaves the risks out where all are 0', { maced: (_, three) => three }, accepted(2)),
  mac('leaves the risks out where one is not 0', { ...RISKS, maced: (_, three) => three }, WRONG),
  mac('leaves one of the risks out', { maced: (four) => four.slice(0, -2) }, WRONG),
  mac(
    'covers the keys in another order',
    { maced: (four) => four.split(',').toReversed().join(',') },
    WRONG,
  ),
  mac(
    'covers keys that were sent in another order',
    { keys: [{ of: 2 }, { of: 0 }, { of: 1 }] },
    accepted(3),
  ),
  mac('covers a key less', { maced: (four) => four.split(',')[0] ?? '' }, WRONG),
  mac('covers a key more', { maced: (four) => `${four},${four.split(',')[0] ?? ''}` }, WRONG),
  mac('covers another period', { maced: (four) => four.replace('.144.', '.143.') }, WRONG),
  mac('covers another risk', { ...RISKS, maced: (four) => four.replace('.3', '.4') }, WRONG),
  mac('has other separators', { maced: (four) => four.replace(',', ';') }, WRONG),
  mac('has a comma at the end', { maced: (four) => `${four},` }, WRONG),
  mac('covers no text', { maced: () => '' }, WRONG),
  mac(
    'covers keys without padding as they were sent',
    { keys: [{ key: (good) => good.slice(0, 22) }, {}] },
    accepted(2),
  ),
  mac(
    'covers keys with padding, sent without',
    { keys: [{ key: (good) => good.slice(0, 22) }], maced: (four) => four.replace('.', '==.') },
    WRONG,
  ),
  mac('is missing', { claims: { tekmac: undefined } }, WRONG),
  mac('is null', { claims: { tekmac: null } }, WRONG),
  mac('is empty', { claims: { tekmac: '' } }, WRONG),
  mac('is a number', { claims: { tekmac: 1 } }, WRONG),
  mac('is no base64', { claims: { tekmac: '*' } }, WRONG),
  mac('is 31 bytes', { claims: { tekmac: Buffer.alloc(31).toString('base64') } }, WRONG),
  mac('is 33 bytes', { claims: { tekmac: Buffer.alloc(33).toString('base64') } }, WRONG),
  mac('is of other keys', { claims: { tekmac: Buffer.alloc(32, 1).toString('base64') } }, WRONG),
  mac('key is missing', { fields: { hmacKey: undefined } }, WRONG),
  mac('key is empty, and the HMAC under an empty key', { secret: new Uint8Array() }, WRONG),
  mac(
    'key is missing, and the HMAC under an empty key',
    { secret: new Uint8Array(), fields: { hmacKey: undefined } },
    WRONG,
  ),
  mac('key is a zero', { secret: new Uint8Array(1) }, WRONG),
  mac('key is 16 zeros, as good as empty', { secret: new Uint8Array(16) }, WRONG),
  mac('key is 64 zeros', { secret: new Uint8Array(64) }, WRONG),
  mac(
    'key is 15 zeros and a one',
    { secret: Uint8Array.from({ length: 16 }, (_, n) => (n === 15 ? 1 : 0)) },
    accepted(2),
  ),
  mac('key is one byte', { secret: Uint8Array.of(7) }, accepted(2)),
  mac('key is 1,000 bytes', { secret: new Uint8Array(1000).fill(7) }, accepted(2)),
  mac('key is another', { fields: { hmacKey: Buffer.alloc(16, 9).toString('base64') } }, WRONG),
  mac('key is no base64', { fields: { hmacKey: '*' } }, WRONG),
  mac(
    'key is in the URL alphabet without padding',
    {
      secret: Buffer.alloc(16, 0xff),
      fields: { hmacKey: Buffer.alloc(16, 0xff).toString('base64url') },
    },
    accepted(2),
  ),
  mac(
    'is in the URL alphabet',
    {
      claims: {
        tekmac: (good: string) => good.replaceAll('+', '-').replaceAll('/', '_').replace('=', ''),
      },
    },
    accepted(2),
  ),
  mac(
    'covers the keys in the order of their bytes, though one of them is no base64',
    { keys: [{ key: () => '\u{1f600}' }, { key: () => '\uffff' }, {}] },
    partly(1, /^key 1 .*not base64; key 2 .*not base64$/),
  ),
  mac('covers no key, and none was sent', { keys: [], maced: () => 'x' }, WRONG),
]

export const CERTIFICATE_ROWS: readonly Row[] = [...SIGNATURE_ROWS, ...CLAIM_ROWS, ...HMAC_ROWS]
