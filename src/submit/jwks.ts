// Submit: the public keys that a health authority offers at its address (JWKS); promises that an answer which is not wholly understood changes nothing.

import { createPublicKey } from 'node:crypto'
import { isKid } from './check-authority-key.ts'
import type { HealthAuthorityKey, KeySetChanges } from './health-authority-keys.ts'

/** Why an answer can't be used. */
export type KeySetProblem = 'not_json' | 'not_a_key_set' | 'too_many_keys' | 'no_key' | 'kid_twice'

/** Public keys by their kid: SubjectPublicKeyInfo, PEM; P-256. */
export type OfferedKeys = ReadonlyMap<string, string>

/** Keys that an address may offer, of whatever kind. */
const MAX_KEYS = 100

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads an answer: an array of JWKs, as existing verification servers send it, or an object with that array as `keys` (RFC
 * 7517). What is no P-256 key for signatures with a kid is passed over.
 */
export function parseKeySet(body: Uint8Array): OfferedKeys | KeySetProblem {
  const value = parseJson(body)
  if (value === undefined) return 'not_json'
  const items = Array.isArray(value) ? value : memberOf(value, 'keys')
  if (!Array.isArray(items)) return 'not_a_key_set'
  if (items.length > MAX_KEYS) return 'too_many_keys'
  const offered = new Map<string, string>()
  for (const item of items) {
    const [kid, publicKey] = readKey(item) ?? []
    if (kid === undefined || publicKey === undefined) continue
    // Which of the two the authority means nobody can tell.
    if ((offered.get(kid) ?? publicKey) !== publicKey) return 'kid_twice'
    offered.set(kid, publicKey)
  }
  return offered.size === 0 ? 'no_key' : offered
}

/**
 * What changes between the keys that are known and those that are offered. Keys that a command added are left alone, and so
 * are those that a command revoked: a key that leaked may be offered for a while yet, also under another kid.
 *
 * @param validFrom from when on new keys count, unix seconds
 */
export function planKeySet(
  known: readonly HealthAuthorityKey[],
  answered: OfferedKeys,
  validFrom: number,
): KeySetChanges {
  const leaked = findLeaked(known)
  const offered = new Map([...answered].filter(([, publicKey]) => !leaked.has(publicKey)))
  const added = new Map(offered)
  const replaced: HealthAuthorityKey[] = []
  const revoked: string[] = []
  const reinstated: string[] = []
  for (const { kid, publicKey, fromJwks, revokedBy } of known) {
    added.delete(kid)
    if (fromJwks !== true || revokedBy === 'command') continue
    const now = offered.get(kid)
    if (now === undefined) {
      if (revokedBy === undefined) revoked.push(kid)
    } else if (now !== publicKey) replaced.push({ kid, publicKey: now, validFrom })
    else if (revokedBy !== undefined) reinstated.push(kid)
  }
  return {
    added: [...added].map(([kid, publicKey]) => ({ kid, publicKey, validFrom })),
    replaced,
    revoked,
    reinstated,
  }
}

/** Public keys that a command revoked. One that counts under another kid is trusted: a command reinstated it since. */
function findLeaked(known: readonly HealthAuthorityKey[]): Set<string> {
  const leaked = new Set<string>()
  for (const { publicKey, revokedBy } of known) if (revokedBy === 'command') leaked.add(publicKey)
  for (const { publicKey, revokedBy } of known)
    if (revokedBy === undefined) leaked.delete(publicKey)
  return leaked
}

/** The value, or undefined when it is none. The parser's own message would quote the body. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body))
  } catch {
    return undefined
  }
}

/** A member of an object; undefined when there is none, or no object. */
function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

function readKey(item: unknown): readonly [kid: string, publicKey: string] | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const { kty, crv, kid, x, y, use, alg, d } = item as Readonly<Record<string, unknown>>
  if (kty !== 'EC' || crv !== 'P-256' || !isKid(kid)) return undefined
  if ((use ?? 'sig') !== 'sig' || (alg ?? 'ES256') !== 'ES256') return undefined
  // Whoever publishes the private half has no secret left to sign with.
  if (d !== undefined || typeof x !== 'string' || typeof y !== 'string') return undefined
  try {
    const key = createPublicKey({ format: 'jwk', key: { kty, crv, x, y } })
    return [kid, key.export({ type: 'spki', format: 'pem' }).toString()]
  } catch {
    // No point of the curve.
    return undefined
  }
}
