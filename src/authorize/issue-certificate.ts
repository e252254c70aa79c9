// Authorize: POST /api/certificate, a phone swaps a token for a certificate over its keys; promises that a token serves one set of keys, as often as it is asked for that until the token ends.

import { timingSafeEqual } from 'node:crypto'
import type { Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { parseJsonObject, readText } from '../operate/read-json.ts'
import { refuseWhileClosed, type Caller } from './callers.ts'
import type { Decision } from './code-desk.ts'
import { codeCertified } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { intervalOfDate } from './dates.ts'
import { chooseHandle } from './handles.ts'
import { isActive } from './known.ts'
import type { VerificationCode } from './lock-codes.ts'
import { answer, type AuthorizeReply, type AuthorizeRequest } from './reply.ts'
import { countCertified, countFailure, systemOf } from './stat-counts.ts'
import { subjectOf, type TestResult } from './tokens.ts'
import { dayOf } from './zone.ts'

/** Handles one request, from its body to its reply. */
export function issueCertificate(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('token_invalid', async () => {
    const caller = await context.findCaller(request.apiKey, 'device')
    refuseWhileClosed(caller.realm)
    const { now } = context
    try {
      return { certificate: await certify(context, caller, request.body) }
    } catch (error) {
      if (error instanceof TocsinError && REFUSED_TOKENS.has(error.code)) {
        const place = { realm: caller.realm.name, day: dayOf(now()) }
        context.failures.add(countFailure(place, 'tokens_invalid', systemOf(request.userAgent)))
      }
      throw error
    }
  })
}

const REFUSED_TOKENS: ReadonlySet<string> = new Set(['token_invalid', 'token_expired'])

async function certify(
  context: AuthorizeContext,
  caller: Caller,
  body: Uint8Array,
): Promise<string> {
  const { realm, known } = caller
  const asked = parseCertificateRequest(body)
  const tokens = await context.tokens(asked.token)
  const { id, result } = tokens.open(asked.token, context.now())
  const keysHmac = readKeysHmac(asked.ekeyhmac)
  // First, so that a key that is missing leaves the token as it was.
  const signer = await context.certificateSigner(known, realm)
  const peppers = await context.peppers()
  const { handle } = await context.desk({
    macs: [],
    tokenId: id,
    decide: (code, tx, now) => {
      const own = judgeToken(code, caller, result)
      const keysMac = peppers.under(own.pepper ?? 0, 'keys', id, keysHmac)
      return useToken(caller, own, keysMac, tx, now)
    },
  })
  return signer.sign(claimsOf(realm, result, asked.ekeyhmac, handle ?? '', context.now()))
}

function parseCertificateRequest(body: Uint8Array): {
  readonly token: string
  readonly ekeyhmac: string
} {
  const fields = parseJsonObject(body, 'any', 'token_invalid')
  readText(fields, 'padding')
  return { token: readText(fields, 'token'), ekeyhmac: readText(fields, 'ekeyhmac') }
}

function readKeysHmac(ekeyhmac: string): Uint8Array {
  const bytes = decodeBase64(ekeyhmac)
  if (bytes?.length !== 32) throw new TocsinError('hmac_invalid')
  return bytes
}

/**
 * The code of a token that counts.
 *
 * @throws TocsinError `token_expired` when it was replaced, erased, or must not count any more
 */
function judgeToken(
  code: VerificationCode | undefined,
  caller: Caller,
  result: TestResult,
): VerificationCode {
  if (!countsStill(code, caller) || subjectOf(code) !== subjectOf(result))
    throw new TocsinError('token_expired')
  return code
}

/** Whether what a code was swapped for may still be used. */
export function countsStill(
  code: VerificationCode | undefined,
  { realm, known }: Pick<Caller, 'realm' | 'known'>,
): code is VerificationCode {
  return (
    code?.realm === realm.name &&
    code.pepper !== null &&
    !code.invalidated &&
    code.batch?.isReady !== false &&
    isActive(known, realm.name, code.provider)
  )
}

/**
 * Uses a token for a set of keys; for the same set it may be used again, so that a phone whose certificate was lost on the
 * way gets another, with the same handle.
 *
 * @throws TocsinError `token_expired`
 */
export async function useToken(
  { known }: Pick<Caller, 'known'>,
  code: VerificationCode,
  keysMac: Uint8Array,
  tx: Transaction,
  now: Date,
): Promise<Decision> {
  if (code.keysMac !== undefined) {
    if (!timingSafeEqual(code.keysMac, keysMac)) throw new TocsinError('token_expired')
    return { result: { code, handle: code.handle ?? '' }, events: [] }
  }
  const day = dayOf(now)
  const { handle, events } = await chooseHandle(tx, known, code, day)
  const counts = countCertified({ realm: code.realm, day }, code.testType === 'user-report')
  return {
    result: { code, handle },
    events: [...events, codeCertified(code, keysMac, handle, counts)],
  }
}

/** How far the key server's clock may be behind ours: seconds. */
const CLOCK_SKEW = 5

/** The claims of a certificate. @param tekmac the HMAC of the keys, exactly as the phone sent it */
export function claimsOf(
  realm: Caller['realm'],
  { testType, symptomDate }: TestResult,
  tekmac: string,
  issuerHandle: string,
  now: Date,
): Record<string, unknown> {
  const seconds = Math.floor(now.getTime() / 1000)
  return {
    iss: realm.issuer,
    aud: realm.audience,
    iat: seconds - CLOCK_SKEW,
    nbf: seconds - CLOCK_SKEW,
    exp: seconds + realm.settings.certificateLife,
    reportType: testType,
    ...(symptomDate === null ? {} : { symptomOnsetInterval: intervalOfDate(symptomDate) }),
    tekmac,
    ...(issuerHandle === '' ? {} : { issuerHandle }),
  }
}
