// Fuzzing: what phones send, up to its certificate; promises that nothing is accepted that the health authority did not vouch for.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { decodeBase64 } from '../../src/format/bytes.ts'
import { parseCompactJws } from '../../src/submit/compact-jws.ts'
import { parsePublishRequest, type PublishRequest } from '../../src/submit/parse-publish.ts'
import type { RevisableKey } from '../../src/submit/revision-token.ts'
import { chooseOnset, intervalOf, LIMITS, validateKeys } from '../../src/submit/validate-keys.ts'
import { verifyCertificate } from '../../src/submit/verify-certificate.ts'
import {
  AUTHORITY,
  BODY,
  BODY_NAMES,
  CLAIMS,
  HEADER,
  KEYS,
  NOW,
  PUBLIC_KEY,
  REQUEST,
  SECRET,
  signAnew,
} from './certified-request.ts'
import { encodeTree, mutatedJson, mutatedTree } from './json.ts'
import { mutatedBytes, mutatedText, oneBitFlipped } from './mutate.ts'
import { tokensOf } from './some-tokens.ts'
import { hex, isClientError, target, valueOf } from './target.ts'

const verify = (request: PublishRequest) =>
  valueOf(() => verifyCertificate(request, AUTHORITY, NOW, 5), isClientError)

/** What a request means to its certificate: equal for two requests of which either both may be accepted or none. */
function meaningOf(request: PublishRequest): string {
  const [header, payload, signature = ''] = request.verificationPayload.split('.')
  const secret = hex(decodeBase64(request.hmacKey) ?? new Uint8Array())
  const keys = request.keys.map(
    (key) => `${key.key}.${key.rollingStart}.${key.rollingPeriod}.${key.transmissionRisk}`,
  )
  return JSON.stringify([
    [header, payload, Buffer.from(signature, 'base64url').toString('hex')],
    // HMAC pads its key with zeros (RFC 2104, section 2).
    secret.replace(/(00)+$/, ''),
    keys.sort(),
  ])
}

const MEANING = meaningOf(REQUEST)

const changedRequest: fc.Arbitrary<PublishRequest> = fc.oneof(
  mutatedText([REQUEST.verificationPayload]).map((verificationPayload) => ({
    ...REQUEST,
    verificationPayload,
  })),
  mutatedText([REQUEST.hmacKey]).map((hmacKey) => ({ ...REQUEST, hmacKey })),
  mutatedJson([BODY], BODY_NAMES).map(
    (body) => valueOf(() => parsePublishRequest(body), isClientError) ?? REQUEST,
  ),
  fc
    .tuple(
      fc.nat(3),
      fc.constantFrom('rollingStart', 'rollingPeriod', 'transmissionRisk'),
      oddNumber(),
    )
    .map(([index, name, value]) => ({
      ...REQUEST,
      keys: KEYS.map((key, place) => (place === index ? { ...key, [name]: value } : key)),
    })),
  fc.shuffledSubarray(KEYS).map((keys) => ({ ...REQUEST, keys })),
)

const [HEADER_PART = '', PAYLOAD_PART = '', SIGNATURE_PART = ''] =
  REQUEST.verificationPayload.split('.')
const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const decode = (part: string) => Uint8Array.from(Buffer.from(part, 'base64url'))

/** The request with one bit of its certificate, of a key or of the HMAC's secret changed. */
const oneBitOff: fc.Arbitrary<PublishRequest> = fc.oneof(
  ...[HEADER_PART, PAYLOAD_PART, SIGNATURE_PART].map((part, place, parts) =>
    oneBitFlipped(decode(part)).map((bytes) => ({
      ...REQUEST,
      verificationPayload: parts.with(place, encode(bytes)).join('.'),
    })),
  ),
  oneBitFlipped(SECRET).map((bytes) => ({
    ...REQUEST,
    hmacKey: Buffer.from(bytes).toString('base64'),
  })),
  fc.tuple(fc.nat(KEYS.length - 1), fc.nat(127)).map(([place, bit]) => ({
    ...REQUEST,
    keys: KEYS.map((key, at) => (at === place ? withBit(key, bit) : key)),
  })),
)

function withBit(key: (typeof KEYS)[number], bit: number) {
  const bytes = Buffer.from(key.key, 'base64')
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return { ...key, key: bytes.toString('base64') }
}

function oddNumber(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: -2, max: 300 }),
    fc.integer(),
    fc.constantFrom(...KEYS.map((key) => key.rollingStart)),
    fc.constantFrom(2 ** 31 - 1, -(2 ** 31), 2 ** 53, 2 ** 62, -0),
  )
}

const submittedKey = fc.record({
  key: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...KEYS.map((key) => key.key)) },
    { weight: 1, arbitrary: mutatedText(KEYS.map((key) => key.key)) },
    { weight: 2, arbitrary: fc.uint8Array({ minLength: 15, maxLength: 17 }).map(base64) },
  ),
  rollingStart: fc.oneof(
    oddNumber(),
    fc.nat(20).map((days) => (KEYS[0]?.rollingStart ?? 0) - 72 * days),
    fc.integer({ min: -3, max: 3 }).map((distance) => intervalOf(NOW) + distance),
    fc.integer({ min: -150, max: 3 }).map((distance) => intervalOf(NOW) - LIMITS.maxAge + distance),
  ),
  rollingPeriod: fc.oneof(fc.constantFrom(144, 72, 1), oddNumber()),
  transmissionRisk: fc.oneof(fc.nat(9), oddNumber()),
})

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Keys of a request: few or many, good and bad ones. */
export const keySets = fc.oneof(
  fc.array(submittedKey, { maxLength: 6 }),
  fc.array(submittedKey, { maxLength: 35, size: 'max' }),
)

const tokens = tokensOf(9)
const revisable = fc.record({
  keyData: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  rollingStart: fc.nat(0xffffffff),
  rollingPeriod: fc.nat(255),
})
const spellOut = ({ keyData, rollingStart, rollingPeriod }: RevisableKey) =>
  `${hex(keyData)} ${rollingStart} ${rollingPeriod}`
const someTokens = [0, 1, 60].map((count) =>
  tokens.seal(
    Array.from({ length: count }, (_, index) => ({
      keyData: new Uint8Array(16).fill(index),
      rollingStart: index,
      rollingPeriod: 144,
    })),
  ),
)
const tokenBytes = someTokens.map((token) => Uint8Array.from(Buffer.from(token, 'base64')))
const validTokens = new Set(tokenBytes.map(hex))

export const submitTargets = [
  target('publish request', mutatedJson([BODY], BODY_NAMES), (body) => {
    const request = valueOf(() => parsePublishRequest(body), isClientError)
    if (request === undefined) return
    const { keys, healthAuthorityId, ...rest } = request
    const again = {
      ...rest,
      healthAuthorityID: healthAuthorityId,
      temporaryExposureKeys: keys.map(({ rollingStart, ...key }) => ({
        ...key,
        rollingStartNumber: rollingStart,
      })),
    }
    const bytes = new TextEncoder().encode(JSON.stringify(again))
    assert.equal(JSON.stringify(parsePublishRequest(bytes)), JSON.stringify(request))
  }),
  target('compact JWS', mutatedText([REQUEST.verificationPayload]), (text) => {
    const jws = parseCompactJws(text)
    if (jws?.isSignedBy(PUBLIC_KEY) !== true) return
    assert.equal(jws.header['alg'], 'ES256')
    assert.equal(meaningOf({ ...REQUEST, verificationPayload: text }), MEANING)
  }),
  target('signature of a compact JWS', fc.uint8Array({ minLength: 62, maxLength: 66 }), (bytes) => {
    const text = `${HEADER_PART}.${PAYLOAD_PART}.${encode(bytes)}`
    const jws = parseCompactJws(text)
    assert.ok(jws)
    const isOurs = encode(bytes) === SIGNATURE_PART
    assert.equal(jws.isSignedBy(PUBLIC_KEY), isOurs)
  }),
  target('certificate with changes', changedRequest, (request) => {
    const claims = verify(request)
    if (claims === undefined) return
    assert.equal(meaningOf(request), MEANING)
    assert.equal(claims.outdated, undefined)
  }),
  target('certificate with one bit changed', oneBitOff, (request) => {
    assert.equal(verify(request), undefined)
    assert.ok(verify(REQUEST), 'and unchanged it is accepted')
  }),
  target(
    'claims of a certificate',
    fc.tuple(
      mutatedTree([CLAIMS], Object.keys(CLAIMS)),
      mutatedTree([HEADER], ['alg', 'kid', 'crit']),
    ),
    ([payload, header]) => {
      const verificationPayload = signAnew(encodeTree(header), encodeTree(payload))
      const claims = verify({ ...REQUEST, verificationPayload })
      if (claims === undefined) return
      const { header: read } = parseCompactJws(verificationPayload) ?? assert.fail()
      assert.ok(read['alg'] === 'ES256' && !('crit' in read) && !('b64' in read))
      assert.match(claims.reportType, /^(confirmed|likely|negative|user-report)$/)
      assert.ok(Number.isInteger(claims.symptomOnsetInterval) && claims.symptomOnsetInterval >= 0)
      assert.equal(claims.issuerHandle?.length ?? 16, 16)
    },
  ),
  target('rules for keys', fc.tuple(keySets, oddNumber(), oddNumber()), ([keys, asked, told]) => {
    const current = intervalOf(NOW)
    const onset = chooseOnset(asked, told, NOW)
    assert.ok(onset.interval < current && onset.interval > current - 30 * 144)
    const judge = (some: typeof keys) =>
      valueOf(() => validateKeys(some, onset, NOW), isClientError)
    const judged = judge(keys)
    // As JSON, where 0 and -0 are one.
    const again = JSON.stringify(judge([...keys].reverse()))
    assert.equal(again, JSON.stringify(judged), 'in any order')
    if (judged === undefined) return
    assert.equal(judged.outcomes.length, keys.length)
    assert.equal(judged.valid.length, judged.outcomes.filter((outcome) => outcome === 0).length)
    for (const key of judged.valid) {
      const end = key.rollingStart + key.rollingPeriod
      assert.equal(key.keyData.length, 16)
      assert.ok(key.rollingPeriod >= 1 && key.rollingPeriod <= 144)
      assert.ok(key.rollingStart <= current && end >= current - LIMITS.maxAge)
      assert.ok(key.transmissionRisk >= 0 && key.transmissionRisk <= 8)
      assert.ok(Math.abs(key.daysSinceOnset) <= LIMITS.maxDaysSinceOnset)
      assert.equal(key.embargoed, end > current)
    }
  }),
  target(
    'revision token',
    fc.oneof(mutatedText(someTokens), mutatedBytes(tokenBytes).map(base64)),
    (token) => {
      const opened = tokens.open(token)
      if (opened === undefined) return
      assert.ok(validTokens.has(hex(decodeBase64(token) ?? new Uint8Array())))
    },
  ),
  target('revision token there and back', fc.array(revisable, { maxLength: 60 }), (keys) => {
    const token = tokens.seal(keys)
    assert.equal(token.length, someTokens[0]?.length)
    assert.deepEqual(tokens.open(token)?.map(spellOut), keys.map(spellOut))
    assert.equal(tokensOf(8).open(token), undefined)
    assert.equal(tokensOf(9, 2).open(token), undefined)
  }),
]
