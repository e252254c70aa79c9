// Verify: the public keys that a client trusts; promises that there is at least one, and that each is what it says.

import { readPoint, verifyDigest } from '../format/p256.ts'
import { decodePem } from '../format/pem.ts'
import { VerificationError } from './verification-error.ts'

/** A public key whose signatures are believed. */
export interface TrustedKey {
  /** P-256, SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string
  /** verification_key_id that goes with it; left out, the key is tried on every signature. */
  readonly keyId?: string | undefined
  /** verification_key_version that goes with it. */
  readonly keyVersion?: string | undefined
}

/** A trusted key that is ready to use. */
export interface LoadedKey {
  readonly keyId: string | undefined
  readonly keyVersion: string | undefined
  /** Whether `numbers` (r and s, 32 bytes each) sign a SHA-256 digest: ECDSA on P-256. */
  verify(numbers: Uint8Array, digest: Uint8Array): boolean
}

/** @throws VerificationError `trusted_key_invalid`, also when there is none: nothing can be believed then */
export async function loadTrustedKeys(keys: readonly TrustedKey[]): Promise<LoadedKey[]> {
  if (keys.length === 0)
    throw new VerificationError('trusted_key_invalid', 'At least one trusted key must be given.')
  return await Promise.all(keys.map(loadKey))
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }

async function loadKey({ publicKey, keyId, keyVersion }: TrustedKey): Promise<LoadedKey> {
  const { subtle } = globalThis.crypto
  try {
    const bytes = decodePem('PUBLIC KEY', publicKey) as Uint8Array<ArrayBuffer>
    // The platform reads the key. It can't use it, since it takes whole messages only: a file would have to be in memory.
    const key = await subtle.importKey('spki', bytes, P256, true, ['verify'])
    const point = readPoint(new Uint8Array(await subtle.exportKey('raw', key)))
    if (point === undefined) throw new RangeError('a point that is none of the curve')
    return {
      keyId,
      keyVersion,
      verify: (numbers, digest) => verifyDigest(point, numbers, digest),
    }
  } catch (cause) {
    throw new VerificationError(
      'trusted_key_invalid',
      'A trusted key must be a P-256 public key as PEM (-----BEGIN PUBLIC KEY-----).',
      { cause },
    )
  }
}
