// Test: the fingerprint of a request; promises that a repetition is recognised and nothing else is taken for one.

import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import { fingerprintRequest, FINGERPRINT_LENGTH } from './fingerprint.ts'
import { parsePublishRequest, type PublishRequest } from './parse-publish.ts'

const keyOf = (byte: number) => createSecretKey(new Uint8Array(32).fill(byte))
const SECRET = keyOf(7)
const KEYS = [
  {
    key: 'AAECAwQFBgcICQoLDA0ODw==',
    rollingStart: 2_956_000,
    rollingPeriod: 144,
    transmissionRisk: 3,
  },
  {
    key: 'EBESExQVFhcYGRobHB0eHw==',
    rollingStart: 2_956_144,
    rollingPeriod: 144,
    transmissionRisk: 0,
  },
] as const
const REQUEST: PublishRequest = {
  keys: KEYS,
  healthAuthorityId: 'org.example.health',
  verificationPayload: 'a.b.c',
  hmacKey: 'c2VjcmV0',
  symptomOnsetInterval: 2_955_800,
  traveler: false,
  revisionToken: '',
}

const fingerprint = (given: Partial<PublishRequest> = {}, api = 'publish-v1', secret = SECRET) =>
  Buffer.from(fingerprintRequest(api, { ...REQUEST, ...given }, secret)).toString('hex')

test('the padding of a request does not count, nor the spelling of its field names', () => {
  const body = { hmacKey: 'c2VjcmV0', temporaryExposureKeys: [{ key: KEYS[0].key }] }
  const read = (value: object) =>
    fingerprint(parsePublishRequest(Buffer.from(JSON.stringify(value))))
  assert.equal(read({ ...body, padding: 'AAAA' }), read({ ...body, padding: 'BBBBBBBB' }))
  assert.equal(read({ ...body, padding: 'AAAA' }), read(body))
  assert.equal(read({ ...body, hmacKey: undefined, hmackey: 'c2VjcmV0' }), read(body))
})

test('the order of the keys does not count, even of two that have the same text', () => {
  const [first, second] = KEYS
  assert.equal(fingerprint({ keys: [second, first] }), fingerprint())
  const twin = { ...first, rollingStart: first.rollingStart + 1 }
  const other = { ...first, transmissionRisk: 4 }
  assert.equal(
    fingerprint({ keys: [twin, other, first] }),
    fingerprint({ keys: [first, twin, other] }),
  )
})

test('everything else counts', () => {
  const [first, second] = KEYS
  const changed: Partial<PublishRequest>[] = [
    { keys: [first] },
    { keys: [first, second, second] },
    { keys: [{ ...first, key: first.key.slice(0, -2) }, second] },
    { keys: [{ ...first, rollingStart: first.rollingStart + 1 }, second] },
    { keys: [{ ...first, rollingPeriod: 143 }, second] },
    { keys: [{ ...first, transmissionRisk: 4 }, second] },
    { healthAuthorityId: 'org.example.other' },
    { verificationPayload: 'a.b.d' },
    { hmacKey: 'c2VjcmV1' },
    { symptomOnsetInterval: 2_955_801 },
    { traveler: true },
    { revisionToken: 'eA==' },
    // What stands in one field must not pass for the same in the next.
    { verificationPayload: 'a.b.cc2VjcmV0', hmacKey: '' },
  ]
  const all = [fingerprint(), ...changed.map((each) => fingerprint(each))]
  assert.equal(new Set(all).size, changed.length + 1)
})

test('another API and another deployment give other fingerprints', () => {
  assert.notEqual(fingerprint({}, 'publish-v1alpha1'), fingerprint())
  assert.notEqual(fingerprint({}, 'publish-v1', keyOf(8)), fingerprint())
  assert.equal(fingerprint().length, FINGERPRINT_LENGTH * 2)
})
