// Test helper: requests made from what a row says; promises that a certificate's HMAC is computed here by its own words, not by the code that is tested.

import { createHmac, randomBytes, sign } from 'node:crypto'
import type { TestAuthority } from '../key-zone.ts'
import { daysAgo, NOW, type Change, type KeyChange, type Members } from './row.ts'

/** What a request is made from beside its row. */
export interface Sender {
  readonly authority: TestAuthority
  /** Bytes of the keys by their places. */
  readonly pool: readonly Uint8Array[]
  /** Tokens of the uploads before. */
  readonly tokens: readonly (string | undefined)[]
}

/** A request ready to be sent. */
export interface Sent {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly chunked: boolean
}

/** Bytes for the keys of a row, the text of each before that of the next. */
export function makePool(size = 32): Uint8Array[] {
  return Array.from({ length: size }, (_, place) => {
    const bytes = randomBytes(16)
    bytes[0] = (place << 2) | ((bytes[0] ?? 0) & 3)
    return bytes
  })
}

/** The place whose bytes a key of a request has. */
export const placeOf = (change: KeyChange, index: number) => change.of ?? index

/** Makes a request. */
export function makeRequest(change: Change, sender: Sender): Sent {
  const keys = (change.keys ?? [{}, {}]).map((key, index) => makeKey(key, index, sender))
  const secret = change.secret ?? randomBytes(16)
  const body = {
    temporaryExposureKeys: keys,
    healthAuthorityID: sender.authority.app,
    verificationPayload: makeCertificate(change, keys, secret, sender.authority),
    hmacKey: Buffer.from(secret).toString('base64'),
    revisionToken: chooseToken(change, sender.tokens),
    padding: randomBytes(48).toString('base64'),
    ...change.fields,
  }
  const text = change.body?.(JSON.stringify(body)) ?? JSON.stringify(body)
  const { contentType = 'application/json' } = change
  return {
    method: change.method ?? 'POST',
    headers: {
      ...(contentType === null ? {} : { 'content-type': contentType }),
      ...change.headers,
    },
    body: typeof text === 'string' ? Buffer.from(padTo(text, change.size)) : text,
    chunked: change.chunked ?? false,
  }
}

function makeKey(change: KeyChange, index: number, { pool }: Sender): Members {
  const { of: _, key, ...numbers } = change
  const place = placeOf(change, index)
  const good = Buffer.from(pool[place] ?? []).toString('base64')
  return {
    key: typeof key === 'function' ? key(good) : (key ?? good),
    rollingStartNumber: daysAgo(place + 1),
    rollingPeriod: 144,
    transmissionRisk: 0,
    ...numbers,
  }
}

/** The texts that the HMAC may cover: sorted by the bytes of the keys as sent, each number what its absence means. */
function macedTexts(keys: readonly Members[]): [string, string] {
  const sorted = [...keys].sort((a, b) =>
    Buffer.compare(Buffer.from(asText(a['key'], '')), Buffer.from(asText(b['key'], ''))),
  )
  const short = sorted.map(
    (key) =>
      `${asText(key['key'], '')}.${asText(key['rollingStartNumber'], 0)}.${asText(key['rollingPeriod'], 144)}`,
  )
  const long = short.map(
    (text, index) => `${text}.${asText(sorted[index]?.['transmissionRisk'], 0)}`,
  )
  return [long.join(','), short.join(',')]
}

/** Of anything that JSON can hold: an object may have a member in the place of what would make it a text. */
function asText(value: unknown, absent: string | number): string {
  return typeof value === 'object' && value !== null
    ? JSON.stringify(value)
    : String(value ?? absent)
}

function makeCertificate(
  change: Change,
  keys: readonly Members[],
  secret: Uint8Array,
  authority: TestAuthority,
): string {
  const [long, short] = macedTexts(keys)
  const maced = change.maced?.(long, short) ?? long
  const tekmac = createHmac('sha256', secret).update(maced).digest('base64')
  const { '': changeText, ...replaced } = change.claims ?? {}
  const claims: Record<string, unknown> = {
    iss: authority.issuer,
    aud: authority.audience,
    iat: NOW,
    nbf: NOW,
    exp: NOW + 900,
    reportType: change.reportType ?? 'confirmed',
    symptomOnsetInterval: daysAgo(3),
    tekmac,
    ...replaced,
  }
  if (typeof claims['tekmac'] === 'function')
    claims['tekmac'] = (claims['tekmac'] as (good: string) => string)(tekmac)
  const text = JSON.stringify(claims)
  const payload =
    changeText === undefined ? text : (changeText as (good: string) => string | Uint8Array)(text)
  const header = { alg: 'ES256', kid: 'v1', typ: 'JWT', ...change.header }
  const signed = [JSON.stringify(header), payload]
    .map((part) => Buffer.from(part as string).toString('base64url'))
    .join('.')
  const signature = sign('sha256', Buffer.from(signed), {
    key: authority.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  const good = `${signed}.${signature.toString('base64url')}`
  return change.certificate?.(good) ?? good
}

function chooseToken({ token }: Change, tokens: Sender['tokens']): string | undefined {
  if (token === undefined) return undefined
  if (typeof token === 'object') return token.text
  return token === 'first' ? tokens[0] : tokens.at(-1)
}

/** Lengthens the padding until the whole has so many bytes. */
function padTo(text: string, size: number | undefined): string {
  if (size === undefined) return text
  return text.replace('"padding":"', `"padding":"${'A'.repeat(size - Buffer.byteLength(text))}`)
}

/** Sends it. */
export function send(url: string, { method, headers, body, chunked }: Sent): Promise<Response> {
  const hasBody = method !== 'GET' && method !== 'HEAD' && (body.length > 0 || chunked)
  if (!hasBody) return fetch(url, { method, headers })
  if (!chunked) return fetch(url, { method, headers, body: Uint8Array.from(body) })
  const pieces = new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 10_000)
        controller.enqueue(body.subarray(at, at + 10_000))
      controller.close()
    },
  })
  return fetch(url, { method, headers, body: pieces, duplex: 'half' })
}
