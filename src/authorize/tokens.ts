// Authorize: the token between code and certificate; promises that it says what was tested and when, and nothing of who.

import { TocsinError } from '../errors.ts'
import { isReportType, type ReportType } from '../format/report-type.ts'
import type { Token } from './codes.ts'
import { kidIn, type LiveTokenKeys, type TokenKeys } from './token-keys.ts'

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
 * Gives what makes and reads tokens with the keys of the moment. Who has a token to read hands it in: its key may be a new one
 * of another process.
 */
export type OpenTokens = (token?: string) => Promise<Tokens>

/** Tokens with the keys that the database has. @param issuer `iss` and `aud` */
export function openTokens(live: LiveTokenKeys, issuer: string): OpenTokens {
  let latest: { readonly keys: TokenKeys; readonly tokens: Tokens } | undefined
  return async (token) => {
    const keys = await live.current(token)
    if (latest?.keys !== keys) latest = { keys, tokens: createTokens(keys, issuer) }
    return latest.tokens
  }
}

/**
 * @param keys the newest makes tokens; each that is found reads its own
 * @param issuer `iss` and `aud`: tokens come back to whom they came from
 */
export function createTokens(keys: TokenKeys, issuer: string): Tokens {
  return {
    seal: (token, result) =>
      keys.newest().sign({
        iss: issuer,
        aud: issuer,
        iat: token.expiresAt - TOKEN_LIFE,
        exp: token.expiresAt,
        jti: Buffer.from(token.id).toString('base64url'),
        sub: subjectOf(result),
      }),
    open(text, now) {
      const claims = keys.find(kidIn(text) ?? '')?.read(text)
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
