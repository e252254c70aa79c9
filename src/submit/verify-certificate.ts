// Submit: a health authority's certificate over the keys; promises that its signature is checked before its claims are believed.

import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { isReportType, type ReportType } from '../format/report-type.ts'
import { tekmacCleartexts } from '../format/tekmac.ts'
import { judgeTexts, parseClaims, parseCompactJws, readTimes } from './compact-jws.ts'
import type { TrustedAuthority, VerificationKey } from './health-authorities.ts'
import type { PublishRequest } from './parse-publish.ts'

/** What a certificate says about the keys that it covers. */
export interface CertifiedClaims {
  readonly reportType: ReportType
  /** Interval of the first symptoms; 0 when the certificate names none. */
  readonly symptomOnsetInterval: number
  /** 16 random bytes by which the issuer can withdraw what it vouched for. */
  readonly issuerHandle?: Uint8Array
  /** Why the certificate does not count now; undefined when it does. Judged after a repeated request was recognised. */
  readonly outdated?: TocsinError
}

/** What a certificate vouches for: keys, or whatever else its HMAC covers. */
export type CertifiedRequest = Pick<PublishRequest, 'verificationPayload' | 'hmacKey'> &
  (Pick<PublishRequest, 'keys'> | { readonly maced: Uint8Array })

/** What is checked of a certificate, in this order; whether it counts now comes last, see {@link CertifiedClaims.outdated}. */
export const CERTIFICATE_CHECKS = [
  'form',
  'key',
  'signature',
  'claims',
  'issuer',
  'audience',
  'report_type',
  'tekmac',
  'issuer_handle',
  'onset',
] as const

/** One of {@link CERTIFICATE_CHECKS}. */
export type CertificateCheck = (typeof CERTIFICATE_CHECKS)[number]

/**
 * Verifies the certificate of a request: ES256, a key of the authority, issuer, audience, the keys' HMAC.
 *
 * @param leewaySeconds how far clocks may differ
 * @param passed takes the name of each check that was passed
 * @throws TocsinError `health_authority_verification_certificate_invalid`; the sentence says what kind of error it is and nothing of what is configured
 */
export function verifyCertificate(
  request: CertifiedRequest,
  authority: TrustedAuthority,
  now: Date,
  leewaySeconds: number,
  passed: CertificateCheck[] = [],
): CertifiedClaims {
  const jws = parseCompactJws(request.verificationPayload)
  if (jws === undefined) throw invalid('malformed', 'it must be a JWT signed with ES256')
  passed.push('form')
  const key = findKey(jws.header['kid'], authority)
  passed.push('key')
  if (!jws.isSignedBy(key.key)) throw invalid('wrong_signature', 'the signature is wrong')
  passed.push('signature')
  const claims = parseClaims(jws.payload)
  if (claims === undefined) throw invalid('malformed', 'its claims are no JSON object')
  const noText = judgeTexts(claims)
  if (noText !== undefined) throw invalid('malformed', noText)
  passed.push('claims')
  if (claims['iss'] !== authority.issuer)
    throw invalid('wrong_issuer', 'the issuer is not accepted for this healthAuthorityID')
  passed.push('issuer')
  const audiences = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']]
  if (!audiences.includes(authority.audience))
    throw invalid('wrong_audience', 'the audience is not this service')
  passed.push('audience')
  const { reportType } = claims
  if (!isReportType(reportType))
    throw invalid('wrong_report_type', 'reportType is missing or unknown')
  passed.push('report_type')
  verifyTekmac(request, claims['tekmac'])
  passed.push('tekmac')
  const issuerHandle = readIssuerHandle(claims['issuerHandle'])
  passed.push('issuer_handle')
  const symptomOnsetInterval = readOnset(claims['symptomOnsetInterval'])
  passed.push('onset')
  const seconds = now.getTime() / 1000
  const outdated = judgeKey(key, seconds) ?? judgeTimes(claims, seconds, leewaySeconds)
  return {
    reportType,
    symptomOnsetInterval,
    ...(issuerHandle === undefined ? {} : { issuerHandle }),
    ...(outdated === undefined ? {} : { outdated }),
  }
}

function findKey(kid: unknown, authority: TrustedAuthority): VerificationKey {
  if (typeof kid !== 'string') throw invalid('unknown_key', 'its header names no kid')
  const known = authority.verificationKeys.get(kid)
  if (known === undefined) throw invalid('unknown_key', UNKNOWN_KID)
  return known
}

const UNKNOWN_KID = 'its kid names no key that is valid now'

/** A key that is no longer valid accepts nothing new, and yet a request that it vouched for may be repeated. */
function judgeKey(key: VerificationKey, seconds: number): TocsinError | undefined {
  const valid = key.validFrom <= seconds && seconds < (key.validThrough ?? Infinity)
  return valid ? undefined : invalid('unknown_key', UNKNOWN_KID)
}

function verifyTekmac(request: CertifiedRequest, tekmac: unknown): void {
  const expected = typeof tekmac === 'string' ? decodeBase64(tekmac) : undefined
  if (expected === undefined || expected.length !== 32)
    throw invalid('wrong_tekmac', 'tekmac is missing or not 32 bytes in base64')
  const secret = decodeBase64(request.hmacKey)
  // An empty secret would let anybody compute the HMAC of any keys; zeros are as good as empty (RFC 2104, section 2).
  if (secret === undefined || secret.every((byte) => byte === 0))
    throw invalid('wrong_tekmac', 'hmacKey is missing, empty or not base64')
  const key = createSecretKey(secret)
  const cleartexts = 'maced' in request ? [request.maced] : tekmacCleartexts(request.keys)
  const matches = cleartexts.some((cleartext) =>
    timingSafeEqual(createHmac('sha256', key).update(cleartext).digest(), expected),
  )
  if (!matches) throw invalid('wrong_tekmac', 'tekmac does not cover the keys as sent')
}

function readOnset(value: unknown): number {
  if (value === undefined || value === null) return 0
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffffffff)
    throw invalid('malformed', 'symptomOnsetInterval must be a whole number')
  return value as number
}

/** 128 bits in base64url: 22 characters, of which the last carries 2 bits. */
export const BASE64URL_16_BYTES = /^[A-Za-z0-9_-]{21}[AQgw]$/

function readIssuerHandle(value: unknown): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || !BASE64URL_16_BYTES.test(value))
    throw invalid('malformed', 'issuerHandle must be 22 characters of base64url')
  return decodeBase64(value)
}

function judgeTimes(
  claims: Record<string, unknown>,
  seconds: number,
  leeway: number,
): TocsinError | undefined {
  const times = readTimes(claims)
  if (typeof times === 'string') return invalid('malformed', times)
  const { exp, nbf, iat } = times
  if (exp === 0) return invalid('expired', 'exp is missing')
  if (exp + leeway <= seconds) return invalid('expired', 'it has expired')
  if (Math.max(nbf, iat) - leeway > seconds)
    return invalid('not_yet_valid', 'it is not valid yet (NBF or IAT) in the future')
  return undefined
}

/** What kind of error a certificate has: tells the caller what to mend, and nothing of what is configured here. */
export type CertificateSubCode =
  | 'malformed'
  | 'unknown_key'
  | 'wrong_signature'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'wrong_report_type'
  | 'wrong_tekmac'
  | 'expired'
  | 'not_yet_valid'

function invalid(subCode: CertificateSubCode, problem: string): TocsinError {
  return new TocsinError(
    'health_authority_verification_certificate_invalid',
    `The verification certificate was not accepted: ${problem}.`,
    { subCode },
  )
}
