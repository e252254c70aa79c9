// Test helper: a key zone of its own with a health authority that signs, and a clock that moves.

import { createHmac, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { ReportType } from '../src/format/report-type.ts'
import { tekmacCleartexts } from '../src/format/tekmac.ts'

/** A clock that tests set. */
export function movableClock(start: string): {
  now(): Date
  set(time: string | Date): void
  advance(seconds: number): void
} {
  let time = new Date(start).getTime()
  return {
    now: () => new Date(time),
    set: (to) => (time = new Date(to).getTime()),
    advance: (seconds) => (time += seconds * 1000),
  }
}

/** A health authority with its private key. */
export interface TestAuthority {
  readonly app: string
  readonly issuer: string
  readonly audience: string
  readonly regions: string[]
  readonly keys: { kid: string; publicKey: string; validFrom: number }[]
  readonly privateKey: KeyObject
}

export function makeAuthority(app = 'org.example.health', regions = ['US']): TestAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return {
    app,
    issuer: `https://${app}/`,
    audience: 'tocsin-test',
    regions,
    keys: [
      {
        kid: 'v1',
        publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        validFrom: 0,
      },
    ],
    privateKey,
  }
}

/** A key as an app sends it. */
export interface TestKey {
  key: string
  rollingStartNumber: number
  rollingPeriod: number
  transmissionRisk: number
}

/** Keys of the last days, whole days, none still valid unless `today` is asked for. */
export function makeKeys(now: Date, days: number, today = false): TestKey[] {
  const midnight = Math.floor(now.getTime() / 86_400_000) * 144
  return Array.from({ length: days }, (_, index) => ({
    key: randomBytes(16).toString('base64'),
    rollingStartNumber: midnight - 144 * (index + (today ? 0 : 1)),
    rollingPeriod: 144,
    transmissionRisk: 0,
  }))
}

/** The body of a publish request with a valid certificate over its keys. */
export async function makeRequest(
  authority: TestAuthority,
  keys: readonly TestKey[],
  now: Date,
  options: {
    reportType?: ReportType
    claims?: Record<string, unknown>
    fields?: Record<string, unknown>
    header?: Record<string, unknown>
    privateKey?: KeyObject
  } = {},
): Promise<Record<string, unknown>> {
  const secret = randomBytes(16)
  const maced = keys.map((key) => ({ ...key, rollingStart: key.rollingStartNumber }))
  const tekmac = createHmac('sha256', secret)
    .update(tekmacCleartexts(maced)[0] ?? '')
    .digest('base64')
  const seconds = Math.floor(now.getTime() / 1000)
  const claims = {
    iss: authority.issuer,
    aud: authority.audience,
    iat: seconds,
    nbf: seconds,
    exp: seconds + 900,
    reportType: options.reportType ?? 'confirmed',
    symptomOnsetInterval: Math.floor(seconds / 600) - 3 * 144,
    tekmac,
    ...options.claims,
  }
  const certificate = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: 'v1', typ: 'JWT', ...options.header })
    .sign(options.privateKey ?? authority.privateKey)
  return {
    temporaryExposureKeys: keys,
    healthAuthorityID: authority.app,
    verificationPayload: certificate,
    hmacKey: secret.toString('base64'),
    padding: randomBytes(64).toString('base64'),
    ...options.fields,
  }
}

/** A request as bytes. */
export function encodeBody(request: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(request))
}
