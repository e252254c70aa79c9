// Authorize: the token between code and certificate; promises that it says what was tested and when, and nothing of who.

import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { isReportType, type ReportType } from '../format/report-type.ts'
import type { Token } from './codes.ts'
import { createJwtSigner } from './jwt.ts'

/** What a token says of the test. Dates are YYYY-MM-DD. */
export interface TestResult {
  readonly testType: ReportType
  readonly symptomDate: string | null
  readonly testDate: string | null
}

/** Makes tokens and reads them. */
export interface Tokens {
  /** The token as a JWT: the same claims whenever it is made. */
  seal(token: Token, result: TestResult): string
  /** @throws TocsinError `token_invalid` when it is none of ours, or has expired */
  open(text: string, now: Date): { readonly id: Uint8Array; readonly result: TestResult }
}

/** How long a token lives, in seconds. */
export const TOKEN_LIFE = 24 * 3600

/**
 * @param privateKey P-256
 * @param issuer `iss` and `aud`: tokens come back to whom they came from
 */
export function createTokens(privateKey: KeyObject, issuer: string): Tokens {
  const signer = createJwtSigner(privateKey, kidOf(privateKey))
  return {
    seal: (token, result) =>
      signer.sign({
        iss: issuer,
        aud: issuer,
        iat: token.expiresAt - TOKEN_LIFE,
        exp: token.expiresAt,
        jti: Buffer.from(token.id).toString('base64url'),
        sub: subjectOf(result),
      }),
    open(text, now) {
      const claims = signer.read(text)
      if (claims === undefined || claims['iss'] !== issuer || claims['aud'] !== issuer)
        throw new TocsinError('token_invalid')
      const { exp, jti, sub } = claims as { exp: number; jti: string; sub: string }
      if (exp * 1000 <= now.getTime()) throw new TocsinError('token_invalid')
      return { id: Buffer.from(jti, 'base64url'), result: readSubject(sub) }
    },
  }
}

/** A test result in one text: `type.symptomDate.testDate`, a date that is unknown being empty. */
export function subjectOf({ testType, symptomDate, testDate }: TestResult): string {
  return `${testType}.${symptomDate ?? ''}.${testDate ?? ''}`
}

function readSubject(subject: string): TestResult {
  const [testType, symptomDate, testDate] = subject.split('.')
  if (!isReportType(testType)) throw new TocsinError('token_invalid')
  return { testType, symptomDate: symptomDate || null, testDate: testDate || null }
}

/** Names the key by its public half, so that a new key gets a new name. */
function kidOf(privateKey: KeyObject): string {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKey).digest().subarray(0, 16).toString('base64url')
}
