// Test helper: certificates made by hand, good and bad; promises that each part is what the test says, however wrong.

import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import type { PublishRequest, SubmittedKey } from '../src/submit/parse-publish.ts'

/** A P-256 key pair. */
export const SIGNER = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

/** Base64url of a text, of bytes, or of a value's JSON. */
export function base64url(value: unknown): string {
  const bytes =
    value instanceof Uint8Array || typeof value === 'string' ? value : JSON.stringify(value)
  return Buffer.from(bytes as string).toString('base64url')
}

/** Signs what stands before the last dot, as JWS wants it: r and s side by side. */
export function signJws(
  header: unknown,
  payload: unknown,
  key: KeyObject = SIGNER.privateKey,
): string {
  const signed = `${base64url(header)}.${base64url(payload)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** The keys and the secret that the certificates of these tests cover. */
export const SECRET = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')

/** The HMAC of a text under the secret, in base64. */
export function mac(text: string, secret: Uint8Array = SECRET): string {
  return createHmac('sha256', secret).update(text).digest('base64')
}

/** A request as the parser gives it. */
export function requestOf(keys: readonly SubmittedKey[], certificate: string): PublishRequest {
  return {
    keys,
    healthAuthorityId: 'org.example.health',
    verificationPayload: certificate,
    hmacKey: SECRET.toString('base64'),
    symptomOnsetInterval: 0,
    traveler: false,
    revisionToken: '',
  }
}
