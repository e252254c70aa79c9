// Submit: the token by which a phone may later change its keys; promises one length whatever it holds, and that only this deployment can read it.

import { createCipheriv, createDecipheriv, createHmac, createSecretKey } from 'node:crypto'
import { decodeBase64 } from '../format/bytes.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { LIMITS, nameOfBytes } from './validate-keys.ts'

/** A key that the token's holder may change. */
export interface RevisableKey {
  readonly keyData: Uint8Array
  readonly rollingStart: number
  readonly rollingPeriod: number
}

/** How many keys a token holds; beyond that the oldest leave. */
export const TOKEN_CAPACITY = 60

const VERSION = 1
const ENTRY = 16 + 4 + 1
const PLAIN = 1 + TOKEN_CAPACITY * ENTRY
const NONCE = 12
const TAG = 16

/** Makes and reads revision tokens. */
export interface RevisionTokens {
  /** A token, in base64, for these keys. */
  seal(keys: readonly RevisableKey[]): string
  /** What a token holds; undefined when it is none of ours. */
  open(token: string): RevisableKey[] | undefined
}

/**
 * Tokens under one secret: AES-256-GCM, bound to this deployment by associated data.
 *
 * @param secret 32 bytes of the key zone's own
 */
export function createRevisionTokens(secret: Uint8Array): RevisionTokens {
  const key = createSecretKey(createHmac('sha256', secret).update('revision token key').digest())
  const associated = createHmac('sha256', secret).update('revision token deployment').digest()
  return {
    seal(keys) {
      const nonce = randomPiece(NONCE)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated)
      const sealed = [cipher.update(encodeEntries(keys)), cipher.final(), cipher.getAuthTag()]
      return Buffer.concat([Uint8Array.of(VERSION), nonce, ...sealed]).toString('base64')
    },
    open(token) {
      const bytes = decodeBase64(token)
      if (bytes === undefined || bytes.length !== 1 + NONCE + PLAIN + TAG || bytes[0] !== VERSION)
        return undefined
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + NONCE)).setAAD(
          associated,
        )
        decipher.setAuthTag(bytes.subarray(-TAG))
        return decodeEntries(
          Buffer.concat([decipher.update(bytes.subarray(1 + NONCE, -TAG)), decipher.final()]),
        )
      } catch {
        return undefined
      }
    },
  }
}

/**
 * What the next token holds: the keys of the one before that are still young enough to be changed, then the request's.
 *
 * @param current the present interval
 */
export function mergeRevisable(
  previous: readonly RevisableKey[],
  added: readonly RevisableKey[],
  current: number,
): RevisableKey[] {
  const merged = new Map<string, RevisableKey>()
  for (const key of [...added, ...previous]) {
    const name = nameOfBytes(key.keyData)
    if (key.rollingStart + key.rollingPeriod >= current - LIMITS.maxAge && !merged.has(name))
      merged.set(name, key)
  }
  return [...merged.values()]
    .sort((a, b) => b.rollingStart - a.rollingStart)
    .slice(0, TOKEN_CAPACITY)
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
