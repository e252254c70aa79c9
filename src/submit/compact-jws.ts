// Submit: a compact JWS signed with ES256; promises that nothing but ES256 is ever verified.

import { verify, type KeyObject } from 'node:crypto'

/** The parts of a compact JWS (RFC 7515, section 3.1), its signature not yet verified. */
export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>
  /** True when the signature is the key's. Synchronous: handing it to another thread costs more than it saves here. */
  isSignedBy(publicKey: KeyObject): boolean
  /** The payload's bytes; not to be believed before the signature was verified. */
  readonly payload: Uint8Array
}

const BASE64URL = /^[A-Za-z0-9_-]*$/

/**
 * Takes a compact JWS apart; undefined when it is none, or isn't plain ES256 (RFC 7518, section 3.4): an extension that must
 * be understood (`crit`) is not.
 */
export function parseCompactJws(text: string): CompactJws | undefined {
  const parts = text.split('.')
  const [header, payload, signature] = parts
  if (
    header === undefined ||
    payload === undefined ||
    signature === undefined ||
    parts.length !== 3
  )
    return undefined
  if (!parts.every((part) => BASE64URL.test(part))) return undefined
  const fields = parseHeader(header)
  if (fields === undefined || fields['alg'] !== 'ES256' || 'crit' in fields || 'b64' in fields)
    return undefined
  const signatureBytes = Buffer.from(signature, 'base64url')
  return {
    header: fields,
    payload: Buffer.from(payload, 'base64url'),
    isSignedBy: (key) =>
      signatureBytes.length === 64 &&
      verify(
        'sha256',
        Buffer.from(`${header}.${payload}`, 'latin1'),
        { key, dsaEncoding: 'ieee-p1363' },
        signatureBytes,
      ),
  }
}

function parseHeader(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined
  } catch {
    return undefined
  }
}
