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
        Buffer.from(text.slice(0, header.length + 1 + payload.length), 'latin1'),
        key,
        toDer(signatureBytes),
      ),
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The claims of a JWT (RFC 7519, section 7.2); undefined when the payload is no JSON object in UTF-8. */
export function parseClaims(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const claims: unknown = JSON.parse(decoder.decode(payload))
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims)
      ? { ...claims }
      : undefined
  } catch {
    return undefined
  }
}

/** The times of a JWT in seconds (RFC 7519, section 4.1); 0 for those that it does not name. */
export interface ClaimedTimes {
  readonly exp: number
  readonly nbf: number
  readonly iat: number
}

/**
 * The times that claims name; null is as good as leaving one out.
 *
 * @returns a sentence where one of them is no whole number of 64 bits
 */
export function readTimes(claims: Readonly<Record<string, unknown>>): ClaimedTimes | string {
  const times = { exp: 0, nbf: 0, iat: 0 }
  for (const name of ['exp', 'nbf', 'iat'] as const) {
    const value = claims[name] ?? 0
    // 2^63 - 1, which some write for "never", is 2^63 as a double.
    if (!Number.isInteger(value) || Math.abs(value as number) > 2 ** 63)
      return `${name} must be a whole number`
    times[name] = value as number
  }
  return times
}

/** Judges the claims that must be texts where they are there, though they mean nothing here. @returns a sentence where one is none */
export function judgeTexts(claims: Readonly<Record<string, unknown>>): string | undefined {
  const wrong = ['sub', 'jti'].find((name) => typeof (claims[name] ?? '') !== 'string')
  return wrong === undefined ? undefined : `${wrong} must be a text`
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

/** r and s, 32 bytes each, as ASN.1 (RFC 3279, section 2.2.3): Node.js converts them, too, at a third of the verification's cost. */
function toDer(signature: Uint8Array): Uint8Array {
  const der = new Uint8Array(72)
  let end = writeInteger(der, 2, signature.subarray(0, 32))
  end = writeInteger(der, end, signature.subarray(32))
  der[0] = 0x30
  der[1] = end - 2
  return der.subarray(0, end)
}

/** An INTEGER without leading zeros, but for the one that keeps it positive. @returns where it ends */
function writeInteger(der: Uint8Array, offset: number, value: Uint8Array): number {
  let first = 0
  while (first < 31 && value[first] === 0) first++
  const sign = (value[first] as number) >> 7
  const length = 32 - first + sign
  der[offset] = 0x02
  der[offset + 1] = length
  der.set(value.subarray(first), offset + 2 + sign)
  return offset + 2 + length
}
