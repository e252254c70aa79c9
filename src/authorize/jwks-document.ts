// Authorize: the public keys of a realm for key servers (JWKS, RFC 7517); promises every key whose certificates may be about, and no private half.

import { createPublicKey } from 'node:crypto'
import { isPublished } from './plan-signing-keys.ts'
import type { SigningKey } from './signing-keys.ts'

/** A public key for certificates. */
export interface PublishedKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly alg: 'ES256'
  readonly use: 'sig'
  readonly kid: string
  /** Coordinates of the point: 32 bytes each, base64url. */
  readonly x: string
  readonly y: string
}

/**
 * The bare array that existing key servers read, at `/jwks/<realm>`. A key that they no longer find there they trust no longer.
 *
 * @param keys of one realm; those for texts are passed over
 */
export function jwksArray(keys: readonly SigningKey[], now: Date): PublishedKey[] {
  return keys
    .filter((key) => key.purpose === 'certificate' && isPublished(key, now))
    .map(({ kid, publicKey }) => {
      const { x = '', y = '' } = createPublicKey(publicKey).export({ format: 'jwk' })
      return { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y }
    })
}

/** The same as the object that RFC 7517 asks for (section 5), at `/jwks/<realm>.json`. */
export function jwksObject(
  keys: readonly SigningKey[],
  now: Date,
): { readonly keys: readonly PublishedKey[] } {
  return { keys: jwksArray(keys, now) }
}
