// Verify: the public keys that a client trusts; promises that there is at least one, and that each is what it says.

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
  /** Whether `numbers` (r and s, 32 bytes each) sign `message`: ECDSA on P-256 with SHA-256. */
  verify(numbers: Uint8Array, message: Uint8Array): Promise<boolean>
}

/** @throws VerificationError `trusted_key_invalid`, also when there is none: nothing can be believed then */
export async function loadTrustedKeys(keys: readonly TrustedKey[]): Promise<LoadedKey[]> {
  if (keys.length === 0)
    throw new VerificationError('trusted_key_invalid', 'At least one trusted key must be given.')
  return await Promise.all(keys.map(loadKey))
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const ES256 = { name: 'ECDSA', hash: 'SHA-256' }

async function loadKey({ publicKey, keyId, keyVersion }: TrustedKey): Promise<LoadedKey> {
  const { subtle } = globalThis.crypto
  try {
    const bytes = decodePem('PUBLIC KEY', publicKey) as Uint8Array<ArrayBuffer>
    const key = await subtle.importKey('spki', bytes, P256, false, ['verify'])
    return {
      keyId,
      keyVersion,
      verify: (numbers, message) => subtle.verify(ES256, key, numbers, message),
    }
  } catch (cause) {
    throw new VerificationError(
      'trusted_key_invalid',
      'A trusted key must be a P-256 public key as PEM (-----BEGIN PUBLIC KEY-----).',
      { cause },
    )
  }
}
