// Fuzzing: a submission with a valid certificate; promises the same bytes whenever it is made, so that a seed repeats a run.

import {
  createECDH,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
} from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { tekmacCleartexts } from '../../src/format/tekmac.ts'
import type { TrustedAuthority } from '../../src/submit/health-authorities.ts'
import type { PublishRequest } from '../../src/submit/parse-publish.ts'
import { base64url, signJws } from '../certificate.ts'

/** When all of it happens. */
export const NOW = new Date('2026-03-20T10:07:00Z')
const SECONDS = NOW.getTime() / 1000

/** A P-256 key of which anybody can know the private half. */
export function keyPairOf(scalar: Uint8Array): {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
} {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(scalar)
  const point = ecdh.getPublicKey()
  const privateKey = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: base64url(scalar),
      x: base64url(point.subarray(1, 33)),
      y: base64url(point.subarray(33)),
    },
  })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

const SCALAR = new Uint8Array(32).fill(0x17)
const { privateKey, publicKey } = keyPairOf(SCALAR)
/** The public key of the health authority. */
export const PUBLIC_KEY = publicKey
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const verificationKey = { kid: 'v1', publicKey: publicPem, validFrom: 0, key: publicKey }

/** The health authority. */
export const AUTHORITY: TrustedAuthority = {
  app: 'org.example.health',
  issuer: 'https://health.example/',
  audience: 'tocsin',
  regions: ['US'],
  disabled: false,
  keys: [verificationKey],
  verificationKeys: new Map([['v1', verificationKey]]),
}

/** A compact JWS of the health authority, with another signature whenever it is made. */
export function signAnew(header: unknown, payload: unknown): string {
  return signJws(header, payload, privateKey)
}

/** A compact JWS whose signature is the same whenever it is made (RFC 6979): a good deal slower. */
function signAlike(header: unknown, payload: unknown): string {
  const signed = `${base64url(header)}.${base64url(payload)}`
  const signature = p256.sign(Buffer.from(signed), SCALAR, { lowS: false })
  return `${signed}.${base64url(signature)}`
}

const MIDNIGHT = Math.floor(SECONDS / 86_400) * 144

/** Keys of the last days, the youngest still in use. */
export const KEYS = [0, 1, 2, 5].map((days) => ({
  key: Buffer.from(new Uint8Array(16).fill(0x30 + days)).toString('base64'),
  rollingStart: MIDNIGHT - 144 * days,
  rollingPeriod: 144,
  transmissionRisk: days === 5 ? 3 : 0,
}))

/** The secret of the keys' HMAC. */
export const SECRET = Uint8Array.from({ length: 16 }, (_, index) => index + 1)

/** The HMAC of keys, in base64. */
export function tekmacOf(keys: PublishRequest['keys']): string {
  return createHmac('sha256', SECRET)
    .update(tekmacCleartexts(keys)[0] ?? '')
    .digest('base64')
}

/** What the certificate says. */
export const HEADER = { alg: 'ES256', kid: 'v1', typ: 'JWT' }
export const CLAIMS = {
  iss: AUTHORITY.issuer,
  aud: AUTHORITY.audience,
  iat: SECONDS,
  nbf: SECONDS,
  exp: SECONDS + 900,
  reportType: 'confirmed',
  symptomOnsetInterval: MIDNIGHT - 3 * 144,
  issuerHandle: 'AAECAwQFBgcICQoLDA0ODw',
  tekmac: tekmacOf(KEYS),
}

/** The request, as its parser gives it. */
export const REQUEST: PublishRequest = {
  keys: KEYS,
  healthAuthorityId: AUTHORITY.app,
  verificationPayload: signAlike(HEADER, CLAIMS),
  hmacKey: Buffer.from(SECRET).toString('base64'),
  symptomOnsetInterval: MIDNIGHT - 2 * 144,
  traveler: true,
  revisionToken: '',
}

/** The request, as an app sends it. */
export const BODY = {
  temporaryExposureKeys: KEYS.map(({ rollingStart, ...key }) => ({
    ...key,
    rollingStartNumber: rollingStart,
  })),
  healthAuthorityID: REQUEST.healthAuthorityId,
  verificationPayload: REQUEST.verificationPayload,
  hmacKey: REQUEST.hmacKey,
  symptomOnsetInterval: REQUEST.symptomOnsetInterval,
  traveler: REQUEST.traveler,
  revisionToken: REQUEST.revisionToken,
  padding: 'AAAA',
}

/** Every name that means something in a request. */
export const BODY_NAMES = [
  ...Object.keys(BODY),
  'key',
  'rollingStartNumber',
  'rollingPeriod',
  'transmissionRisk',
]
