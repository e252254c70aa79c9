// Submit: recognises a request that comes again; promises a value that nobody without this zone's key can link to a certificate.

import { createHmac, type KeyObject } from 'node:crypto'
import { compareKeys, type PublishRequest } from './parse-publish.ts'

/** Length of a fingerprint in bytes. */
export const FINGERPRINT_LENGTH = 16

/**
 * The fingerprint of a request: an HMAC over everything that it means, the padding left out.
 *
 * @param api which API it came by
 * @param fingerprintKey a key that only the key zone has: a plain hash would let the authority zone join the two
 */
export function fingerprintRequest(
  api: string,
  request: PublishRequest,
  fingerprintKey: KeyObject,
): Uint8Array {
  const keys = [...request.keys]
    .sort(compareKeys)
    .map((key) => [key.key, key.rollingStart, key.rollingPeriod, key.transmissionRisk])
  // Arrays of texts, numbers, booleans and such arrays: their JSON has one form only.
  const meaning = JSON.stringify([
    api,
    request.healthAuthorityId.toLowerCase(),
    request.verificationPayload,
    request.hmacKey,
    keys,
    request.symptomOnsetInterval,
    request.traveler,
    request.revisionToken,
    ...(request.regions === undefined ? [] : [request.regions]),
  ])
  return createHmac('sha256', fingerprintKey)
    .update(meaning)
    .digest()
    .subarray(0, FINGERPRINT_LENGTH)
}
