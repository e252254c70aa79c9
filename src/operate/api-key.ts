// Operate: the form of API keys, in both zones; promises that a part finds a key, and that the rest can't be guessed.

import { randomBytes } from 'node:crypto'

// 64 bits find the key, 256 bits open.
const PREFIX_BYTES = 8
const SECRET_BYTES = 32
const API_KEY = /^([A-Za-z0-9_-]{11})\.[A-Za-z0-9_-]{43}$/

/** Draws an API key: `<prefix>.<secret>` in base64url, and the prefix that finds it. */
export function drawApiKey(): { readonly prefix: string; readonly apiKey: string } {
  const prefix = randomBytes(PREFIX_BYTES).toString('base64url')
  return { prefix, apiKey: `${prefix}.${randomBytes(SECRET_BYTES).toString('base64url')}` }
}

/** The part of an API key that finds it; undefined for what is none. */
export function prefixOfApiKey(sent: string): string | undefined {
  return API_KEY.exec(sent)?.[1]
}
