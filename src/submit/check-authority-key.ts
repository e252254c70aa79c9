// Submit: whether a health authority's public key may be stored, and whether it counts; promises that only P-256 keys are stored, each in one form.

import { createPublicKey } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import type { HealthAuthorityKey } from './health-authority-keys.ts'

/** Whether a public key counts at a time, in unix seconds. */
export function stateOfKey(
  key: HealthAuthorityKey,
  seconds: number,
): 'valid' | 'revoked' | 'not_yet_valid' | 'expired' {
  if (key.revokedBy !== undefined) return 'revoked'
  if (seconds < key.validFrom) return 'not_yet_valid'
  return seconds < (key.validThrough ?? Infinity) ? 'valid' : 'expired'
}

/** A kid that a certificate may name: 1 to 200 printable characters without spaces. */
export function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && /^[\x21-\x7e]{1,200}$/.test(kid)
}

/** The key as it is stored. @throws TocsinError `authority_invalid` */
export function checkKey(key: HealthAuthorityKey): HealthAuthorityKey {
  const refuse = (sentence: string) => new TocsinError('authority_invalid', sentence)
  const { kid, validFrom, validThrough } = key
  if (!isKid(kid)) throw refuse('The kid must be 1 to 200 printable characters without spaces.')
  if (!isTime(validFrom) || !(validThrough === undefined || isTime(validThrough)))
    throw refuse(`The validity of the public key "${kid}" must be whole seconds since 1970.`)
  if (validThrough !== undefined && validThrough <= validFrom)
    throw refuse(`The validity of the public key "${kid}" must end after it begins.`)
  const publicKey = canonicalP256(key.publicKey)
  if (publicKey === undefined)
    throw refuse(`The public key "${kid}" must be a P-256 key as PEM ("BEGIN PUBLIC KEY").`)
  return { kid, publicKey, validFrom, ...(validThrough === undefined ? {} : { validThrough }) }
}

function isTime(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && seconds >= 0
}

/** The public key alone, written anew: what stands around it in a file has no place in the log. */
function canonicalP256(pem: string): string | undefined {
  try {
    if (!pem.includes('BEGIN PUBLIC KEY') || pem.includes('PRIVATE')) return undefined
    const key = createPublicKey(pem)
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined
    // Through a JWK: a point that came compressed would stay so, and one key would have two texts.
    return createPublicKey({ format: 'jwk', key: key.export({ format: 'jwk' }) })
      .export({ type: 'spki', format: 'pem' })
      .toString()
  } catch {
    return undefined
  }
}
