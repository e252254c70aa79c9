// Test helper: what an app with contact event numbers sends, over HTTP; promises random numbers, and to use nothing but the public API.

import { createHmac, randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { issueCode, verifyCode } from '../src/cli/phone-client.ts'
import { macedCens, sortCens } from '../src/format/cen.ts'
import { CEN_APIS, type CenName } from '../src/submit/cen.ts'
import type { SubmissionApi } from '../src/submit/submission-api.ts'
import type { TestAuthority } from './key-zone.ts'
import type { RunningService } from './running-service.ts'

/** Random numbers, 16 bytes each. */
export function makeCens(count: number): Buffer {
  return randomBytes(count * 16)
}

/** The settings of a service that takes numbers with the demo's codes and certificates. */
export const CEN_SETTINGS = {
  TOCSIN_CEN_APP: 'org.example.demo',
  TOCSIN_CEN_REALM: 'demo',
} as const

/** An answer, read. */
export interface CenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The tracking id. */
  readonly id: string | null
  /** Of JSON. */
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends a request. */
export async function send(
  { url }: Pick<RunningService, 'url'>,
  path: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<CenAnswer> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers,
    body: body as Uint8Array<ArrayBuffer> | string,
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type') === 'application/json'
  return {
    status: response.status,
    headers: response.headers,
    text,
    id: response.headers.get('tocsin-tracking-id'),
    body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

/** Uploads numbers by POST /v1/cens. */
export function sendCens(
  service: Pick<RunningService, 'url'>,
  cens: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<CenAnswer> {
  return send(service, '/v1/cens', cens, { 'content-type': 'application/octet-stream', ...headers })
}

/** A code that the demo's doctor gives out. */
export function giveCode(
  service: RunningService,
  testType: 'confirmed' | 'negative' = 'confirmed',
): Promise<string> {
  const day = service.clock.now().toISOString().slice(0, 10)
  return issueCode(service.phones, testType, day)
}

/** The headers that carry a code. */
export function withCode(code: string): Record<string, string> {
  return { authorization: `Bearer ${code}` }
}

/** The headers that carry a certificate over numbers, which the authority zone gave for a code. */
export async function certify(
  service: RunningService,
  cens: Uint8Array,
  code?: string,
): Promise<Record<string, string>> {
  const secret = randomBytes(16)
  const token = await verifyCode(service.phones, code ?? (await giveCode(service)))
  const ekeyhmac = createHmac('sha256', secret)
    .update(macedCens(sortCens(cens)))
    .digest('base64')
  const { body } = await send(service, '/api/certificate', JSON.stringify({ token, ekeyhmac }), {
    'content-type': 'application/json',
    'x-api-key': service.phones.deviceKey,
  })
  return {
    authorization: `Bearer ${String(body['certificate'])}`,
    'x-hmac-key': secret.toString('base64'),
  }
}

/** The fields of an upload with a certificate that a health authority signed by hand. */
export async function certifyAs(
  authority: TestAuthority,
  cens: Uint8Array,
  now: Date,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<{ proof: 'certificate'; certificate: string; hmacKey: string }> {
  const secret = randomBytes(16)
  const seconds = Math.floor(now.getTime() / 1000)
  const certificate = await new SignJWT({
    iss: authority.issuer,
    aud: authority.audience,
    iat: seconds,
    exp: seconds + 900,
    reportType: 'confirmed',
    tekmac: createHmac('sha256', secret)
      .update(macedCens(sortCens(cens)))
      .digest('base64'),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'v1', typ: 'JWT' })
    .sign(authority.privateKey)
  return { proof: 'certificate', certificate, hmacKey: secret.toString('base64') }
}

/** One of the APIs, as the thread of submissions calls it. */
export function cenApi(name: CenName): SubmissionApi {
  return CEN_APIS.find((api) => api.name === name) as SubmissionApi
}
