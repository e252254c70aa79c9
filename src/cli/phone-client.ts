// Cli: what a doctor's system and a phone send, over HTTP; promises to use nothing but the public API.

import { createHmac, randomBytes } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { encodeBase64 } from '../format/bytes.ts'
import type { ReportType } from '../format/report-type.ts'
import { tekmacCleartexts } from '../format/tekmac.ts'

/** A service and the API keys that it gave out. */
export interface PhoneService {
  /** Without a slash at the end. */
  readonly url: string
  /** healthAuthorityID of the app. */
  readonly app: string
  /** Of the doctor's system. */
  readonly adminKey: string
  /** Of the app. */
  readonly deviceKey: string
}

/** A key as a phone keeps it. */
export interface PhoneKey {
  /** 16 bytes. */
  readonly keyData: Uint8Array
  /** Intervals of 10 minutes since the epoch. */
  readonly rollingStart: number
  readonly rollingPeriod: number
}

/** What an upload was answered with. */
export interface UploadAnswer {
  readonly trackingId: string
  readonly insertedExposures: number
}

/** The doctor's system asks for a code. @param symptomDate YYYY-MM-DD, UTC */
export async function issueCode(
  service: PhoneService,
  testType: ReportType,
  symptomDate: string,
): Promise<string> {
  const body = { testType, symptomDate, tzOffset: 0, padding: makePadding() }
  const { code } = await post<{ code: string }>(service, '/api/issue', body, service.adminKey)
  return code
}

/** The phone swaps the code for a token. */
export async function verifyCode(service: PhoneService, code: string): Promise<string> {
  const body = { code, accept: ['confirmed', 'likely', 'negative'], padding: makePadding() }
  const { token } = await post<{ token: string }>(service, '/api/verify', body, service.deviceKey)
  return token
}

/** The phone swaps the token for a certificate over its keys, and uploads them. @param report is told each step */
export async function uploadKeys(
  service: PhoneService,
  token: string,
  keys: readonly PhoneKey[],
  report: (step: string) => void = () => undefined,
): Promise<UploadAnswer> {
  const secret = randomBytes(16)
  const sent = keys.map((key) => ({
    key: encodeBase64(key.keyData),
    rollingStart: key.rollingStart,
    rollingPeriod: key.rollingPeriod,
    transmissionRisk: 0,
  }))
  const ekeyhmac = createHmac('sha256', secret)
    .update(tekmacCleartexts(sent)[0] ?? '')
    .digest('base64')
  const { certificate } = await post<{ certificate: string }>(
    service,
    '/api/certificate',
    { token, ekeyhmac, padding: makePadding() },
    service.deviceKey,
  )
  report(`certificate over ${keys.length} keys: ${certificate.slice(0, 40)}...`)
  const reply = await send(service, '/v1/publish', {
    temporaryExposureKeys: sent.map(({ rollingStart, ...key }) => ({
      ...key,
      rollingStartNumber: rollingStart,
    })),
    healthAuthorityID: service.app,
    verificationPayload: certificate,
    hmacKey: secret.toString('base64'),
    padding: makePadding(),
  })
  const { insertedExposures = 0 } = reply.body as { insertedExposures?: number }
  return { trackingId: reply.headers.get('tocsin-tracking-id') ?? '', insertedExposures }
}

async function post<Reply>(
  service: PhoneService,
  path: string,
  body: unknown,
  apiKey: string,
): Promise<Reply> {
  return (await send(service, path, body, apiKey)).body as Reply
}

async function send(service: PhoneService, path: string, body: unknown, apiKey?: string) {
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    },
    body: JSON.stringify(body),
  }).catch((error: unknown) => {
    throw new TocsinError('unavailable', `Nothing answers at ${service.url}: start the service.`, {
      cause: error,
    })
  })
  const answer = (await response.json()) as { error?: string }
  if (!response.ok)
    throw new TocsinError(
      'request_refused',
      `${path} was answered ${response.status}: ${answer.error ?? ''}`,
    )
  return { headers: response.headers, body: answer as unknown }
}

/** Hides from an onlooker how long the rest is. */
function makePadding(): string {
  return randomBytes(1024).toString('base64')
}
