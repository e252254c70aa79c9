// Authorize: JWTs signed with ES256 (RFC 7519, RFC 7518 section 3.4); promises to read back nothing but what the same key signed in the same form.

import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'

/** Signs claims and reads them back. */
export interface JwtSigner {
  sign(claims: Readonly<Record<string, unknown>>): string
  /** The claims of a JWT that this signer made; undefined for any other text. */
  read(text: string): Readonly<Record<string, unknown>> | undefined
}

/**
 * A signer.
 *
 * @param privateKey P-256
 * @param kid names the key in each header
 */
export function createJwtSigner(privateKey: KeyObject, kid: string): JwtSigner {
  const header = encodePart({ alg: 'ES256', typ: 'JWT', kid })
  const publicKey = createPublicKey(privateKey)
  return {
    sign(claims) {
      const signed = `${header}.${encodePart(claims)}`
      const signature = sign('sha256', Buffer.from(signed), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      })
      return `${signed}.${signature.toString('base64url')}`
    },
    read(text) {
      const [given, payload = '', signature = '', ...rest] = text.split('.')
      // Every header of ours is the same text: there is no algorithm for a stranger to choose.
      if (given !== header || rest.length > 0) return undefined
      const signatureBytes = Buffer.from(signature, 'base64url')
      // Base64 has other spellings of the same bytes; ours is one.
      if (signatureBytes.toString('base64url') !== signature) return undefined
      const isOurs = verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        signatureBytes,
      )
      return isOurs ? decodePart(payload) : undefined
    },
  }
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decodePart(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}
