// Submit: whether a health authority has signed something; promises that no key counts that was revoked, has ended or belongs to a disabled one.

import { createPublicKey } from 'node:crypto'
import type { CompactJws } from './compact-jws.ts'
import type { HealthAuthority } from './health-authorities.ts'

/**
 * Whether one of these health authorities has signed a JWS with a key that counts now.
 *
 * @param kid of its header
 * @param seconds now, unix seconds
 */
export function isSignedByAuthority(
  jws: CompactJws,
  authorities: readonly HealthAuthority[],
  kid: string,
  seconds: number,
): boolean {
  const keys = authorities
    .filter(({ disabled }) => !disabled)
    .flatMap((authority) => authority.keys)
    .filter((key) => key.kid === kid && key.revokedBy === undefined)
    .filter((key) => key.validFrom <= seconds && seconds < (key.validThrough ?? Infinity))
  // Several health authorities may have one issuer, and its keys.
  return [...new Set(keys.map(({ publicKey }) => publicKey))].some((publicKey) =>
    jws.isSignedBy(createPublicKey(publicKey)),
  )
}
