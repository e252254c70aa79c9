// Submit: the token by which a phone may later change its keys; promises one length whatever it holds, and that only this deployment can make, read or change it.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
} from 'node:crypto'
import { decodeBase64 } from '../format/bytes.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { LIMITS, nameOfBytes } from './validate-keys.ts'

/** A key that the token's holder may change. */
export interface RevisableKey {
  readonly keyData: Uint8Array
  readonly rollingStart: number
  readonly rollingPeriod: number
}

/** What a token covers: undefined when none was sent, `unreadable` when it is none of ours. */
export type OpenedToken = readonly RevisableKey[] | 'unreadable' | undefined

/** How many keys a token holds; beyond that the oldest leave. */
export const TOKEN_CAPACITY = 60

const FORMAT = 1
// Format and version of the key. A token's length is a multiple of 3, so that its base64 has no bits that mean nothing.
const HEADER = 1 + 3
const ENTRY = 16 + 4 + 1
const PLAIN = 1 + TOKEN_CAPACITY * ENTRY
const NONCE = 12
const TAG = 16

/** One version of the key that tokens are sealed with. */
export interface TokenKey {
  readonly version: number
  /** What a token of this version begins with. */
  readonly header: Uint8Array
  /** What every token of this version is bound to: its header and the deployment. */
  readonly associated: Uint8Array
  readonly key: KeyObject
}

/** The versions that are live. */
export interface TokenKeys {
  newest(): TokenKey
  find(version: number): TokenKey | undefined
}

/** Makes and reads revision tokens. */
export interface RevisionTokens {
  /** A token, in base64, for these keys. */
  seal(keys: readonly RevisableKey[]): string
  /** What a token holds; undefined when it is none of ours, or its key was destroyed. */
  open(token: string): RevisableKey[] | undefined
}

/**
 * The key of one version.
 *
 * @param version 1 to 2^24 - 1
 * @param secret 32 bytes of this version's own
 * @param deployment 32 bytes that are the same for all versions, and another deployment's are others
 */
export function createTokenKey(
  version: number,
  secret: Uint8Array,
  deployment: Uint8Array,
): TokenKey {
  const header = Buffer.alloc(HEADER)
  header.writeUInt8(FORMAT)
  header.writeUIntBE(version, 1, HEADER - 1)
  return {
    version,
    header,
    associated: Buffer.concat([header, deployment]),
    key: createSecretKey(createHmac('sha256', secret).update('revision token key').digest()),
  }
}

/**
 * Tokens under AES-256-GCM: sealed with the newest version of the key, opened with any that is live.
 *
 * The bytes: format 1, version 3, nonce 12, ciphertext of {@link TOKEN_CAPACITY} entries, tag 16.
 */
export function createRevisionTokens(keys: TokenKeys): RevisionTokens {
  return {
    seal(revisable) {
      const { key, header, associated } = keys.newest()
      const nonce = randomPiece(NONCE)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated)
      const sealed = [cipher.update(encodeEntries(revisable)), cipher.final(), cipher.getAuthTag()]
      return Buffer.concat([header, nonce, ...sealed]).toString('base64')
    },
    open(token) {
      const bytes = decodeBase64(token)
      if (bytes?.length !== HEADER + NONCE + PLAIN + TAG || bytes[0] !== FORMAT) return undefined
      const found = keys.find(Buffer.from(bytes.buffer, bytes.byteOffset).readUIntBE(1, HEADER - 1))
      return found === undefined ? undefined : openWith(found, bytes)
    },
  }
}

function openWith({ key, associated }: TokenKey, bytes: Uint8Array): RevisableKey[] | undefined {
  const nonce = bytes.subarray(HEADER, HEADER + NONCE)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(associated)
  decipher.setAuthTag(bytes.subarray(-TAG))
  const plain = decipher.update(bytes.subarray(HEADER + NONCE, -TAG))
  try {
    return decodeEntries(Buffer.concat([plain, decipher.final()]))
  } catch {
    return undefined
  }
}

/**
 * What the next token holds: the keys of the one before that are still young enough to be changed, and the request's.
 * Of a key that is in both, the request's period counts.
 *
 * @param current the present interval
 */
export function mergeRevisable(
  previous: readonly RevisableKey[],
  added: readonly RevisableKey[],
  current: number,
): RevisableKey[] {
  const isYoung = (key: RevisableKey) =>
    key.rollingStart + key.rollingPeriod >= current - LIMITS.maxAge
  const merged = added.filter(isYoung)
  if (previous.length > 0) {
    const names = new Set(merged.map((key) => nameOfBytes(key.keyData)))
    for (const key of previous)
      if (isYoung(key) && !names.has(nameOfBytes(key.keyData))) merged.push(key)
  }
  return merged.sort((a, b) => b.rollingStart - a.rollingStart).slice(0, TOKEN_CAPACITY)
}

function encodeEntries(keys: readonly RevisableKey[]): Uint8Array {
  const plain = new Uint8Array(PLAIN)
  const view = new DataView(plain.buffer)
  plain[0] = keys.length
  keys.forEach((key, index) => {
    const offset = 1 + index * ENTRY
    plain.set(key.keyData, offset)
    view.setUint32(offset + 16, key.rollingStart)
    plain[offset + 20] = key.rollingPeriod
  })
  return plain
}

function decodeEntries(plain: Uint8Array): RevisableKey[] {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength)
  return Array.from({ length: plain[0] ?? 0 }, (_, index) => {
    const offset = 1 + index * ENTRY
    return {
      keyData: plain.slice(offset, offset + 16),
      rollingStart: view.getUint32(offset + 16),
      rollingPeriod: plain[offset + 20] ?? 0,
    }
  })
}
