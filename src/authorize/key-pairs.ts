// Authorize: key pairs that sign; promises that a private key is known by the public half that was announced, and by nothing else.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'

/** A new P-256 private key: PKCS #8, DER. */
export function makePrivateKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return privateKey.export({ type: 'pkcs8', format: 'der' })
}

/** Reads what {@link makePrivateKey} made. */
export function importKey(der: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' })
}

/** The public half of a private key: SubjectPublicKeyInfo, PEM. */
export function publicHalf(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
}

/** A name that follows from the public half, so that another key has another name: 22 characters of base64url. */
export function fingerprintOf(privateKey: KeyObject): string {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKey).digest().subarray(0, 16).toString('base64url')
}
