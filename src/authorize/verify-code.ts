// Authorize: POST /api/verify, a phone swaps a code for a token; promises a token whenever it is asked while the code lives and no certificate was made with it, and that the newest alone counts.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { TocsinError, type ErrorCode } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import type { ReportType } from '../format/report-type.ts'
import { parseJsonObject, readArray, readText } from '../operate/read-json.ts'
import { refuseWhileClosed, type Caller } from './callers.ts'
import type { Decision } from './code-desk.ts'
import { codeClaimed, type Token } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { isActive, type Known } from './known.ts'
import type { VerificationCode } from './lock-codes.ts'
import type { Peppers } from './peppers.ts'
import { answer, type AuthorizeReply, type AuthorizeRequest } from './reply.ts'
import { countClaimed, countFailure, systemOf, type FailureKind } from './stat-counts.ts'
import { acceptedTypes } from './test-types.ts'
import { TOKEN_LIFE } from './tokens.ts'
import { readTypedCode } from './typed-code.ts'
import { dayOf } from './zone.ts'

/** Handles one request, from its body to its reply. */
export function verifyCode(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const caller = await context.findCaller(request.apiKey, 'device')
    refuseWhileClosed(caller.realm)
    const { code, token } = await counted(context, caller, request, async () => {
      const asked = parseVerifyRequest(request.body)
      const read = readTypedCode(asked.code)
      // What can't be a code needs no look into the database.
      if (read === undefined) throw new TocsinError('code_invalid')
      const claim = () => claimCode(context, caller, read.code, asked)
      // All others are too many to be guessed.
      return read.kind === 'digits' ? limited(context, caller, request, claim) : claim()
    })
    const tokens = await context.tokens()
    return {
      testtype: code.testType,
      ...(code.symptomDate === null ? {} : { symptomDate: code.symptomDate }),
      ...(code.testDate === null ? {} : { testDate: code.testDate }),
      token: tokens.seal(token, code),
    }
  })
}

interface VerifyRequest {
  readonly code: string
  readonly accepted: ReadonlySet<ReportType>
  /** Empty when none was sent. */
  readonly nonce: Uint8Array
}

function parseVerifyRequest(body: Uint8Array): VerifyRequest {
  const fields = parseJsonObject(body, 'any', 'unparsable_request')
  const code = readText(fields, 'code')
  const accept = readArray(fields, 'accept').map((type) => {
    // As for every field, null is as good as nothing: an empty name, which no type has.
    if (typeof type === 'string' || type === null) return type ?? ''
    throw new TocsinError('unparsable_request', 'accept must be an array of strings.')
  })
  const nonceText = readText(fields, 'nonce')
  readText(fields, 'padding')
  const accepted = acceptedTypes(accept)
  const nonce = decodeBase64(nonceText)
  if (nonce === undefined) throw new TocsinError('unparsable_request', 'nonce must be base64.')
  return { code, accepted, nonce }
}

/** Counts what is refused. */
async function counted(
  { failures, now }: AuthorizeContext,
  { realm }: Caller,
  { userAgent }: AuthorizeRequest,
  work: () => Promise<Claim>,
): Promise<Claim> {
  try {
    return await work()
  } catch (error) {
    const kind = failureOf(error)
    if (kind !== undefined)
      failures.add(
        countFailure({ realm: realm.name, day: dayOf(now()) }, kind, systemOf(userAgent)),
      )
    throw error
  }
}

function failureOf(error: unknown): FailureKind | undefined {
  if (error instanceof OtherPhone) return 'user_reports_invalid_nonce'
  return error instanceof TocsinError ? FAILURES[error.code] : undefined
}

const FAILURES: { readonly [Code in ErrorCode]?: FailureKind } = {
  code_invalid: 'codes_invalid',
  code_expired: 'codes_invalid',
}

/**
 * Lets those wait who guess.
 *
 * @throws TocsinError `too_many_guesses`
 */
async function limited(
  { guesses }: AuthorizeContext,
  { realm }: Caller,
  { addressPrefix }: AuthorizeRequest,
  work: () => Promise<Claim>,
): Promise<Claim> {
  const leave = guesses.mayTry(realm.name, addressPrefix)
  if (!leave.allowed)
    throw new TocsinError('too_many_guesses', undefined, { retryAfter: leave.retryAfterSeconds })
  try {
    const claim = await work()
    if (claim.isFirst) guesses.countRight(realm.name, addressPrefix)
    else guesses.countNeither(realm.name, addressPrefix)
    return claim
  } catch (error) {
    if (error instanceof UnknownCode) guesses.countWrong(realm.name, addressPrefix)
    else guesses.countNeither(realm.name, addressPrefix)
    throw error
  }
}

/** The realm never had such a code, as far as anybody knows: perhaps a guess. */
class UnknownCode extends TocsinError {
  constructor() {
    super('code_invalid')
  }
}

/** Only the phone that reported itself may have the code's token. */
class OtherPhone extends TocsinError {
  constructor() {
    super('code_invalid')
  }
}

/** A token, and whether it is the first one of its code. */
interface Claim {
  readonly code: VerificationCode
  readonly token: Token
  readonly isFirst: boolean
}

async function claimCode(
  context: AuthorizeContext,
  { realm, known }: Caller,
  read: string,
  { accepted, nonce }: VerifyRequest,
): Promise<Claim> {
  const peppers = await context.peppers()
  const macs = peppers.every('code', realm.name, read)
  let isFirst = false
  const { code, token } = await context.desk({
    macs,
    tokenId: undefined,
    decide(found, _tx, now) {
      const claimed = judgeCode(found, realm.name, known, macs, accepted, now)
      isFirst = claimed.token === undefined
      return claim(claimed, peppers, nonce, now)
    },
  })
  return { code, token: token as Token, isFirst }
}

/**
 * Whether a code may be swapped for a token now.
 *
 * @throws TocsinError `code_invalid`, `code_expired`, `test_type_not_accepted`
 */
function judgeCode(
  code: VerificationCode | undefined,
  realm: string,
  known: Known,
  macs: readonly Uint8Array[],
  accepted: ReadonlySet<ReportType>,
  now: Date,
): VerificationCode {
  if (code === undefined) throw new UnknownCode()
  const invalid = () => new TocsinError('code_invalid')
  if (code.realm !== realm || code.invalidated || !isActive(known, realm, code.provider))
    throw invalid()
  if (code.batch !== undefined && !code.batch.isReady) throw invalid()
  if (code.batch?.needsActivation === true && !code.isActivated) throw invalid()
  const isShort = macs.some((mac) => code.codeMac !== null && timingSafeEqual(code.codeMac, mac))
  const expiresAt = isShort ? code.expiresAt : code.longExpiresAt
  if (expiresAt * 1000 <= now.getTime()) throw new TocsinError('code_expired')
  // The handle is kept for longer than what the certificate covers.
  if (code.keysMac !== undefined || code.handle !== null) throw invalid()
  if (!accepted.has(code.testType)) throw new TocsinError('test_type_not_accepted')
  return code
}

/**
 * Gives a code's token: the same to the phone that sends the nonce with which it asked before; else a new one, and the one
 * before has ended.
 *
 * @throws TocsinError `code_invalid` when the code is bound to another phone
 */
function claim(code: VerificationCode, peppers: Peppers, nonce: Uint8Array, now: Date): Decision {
  const seconds = Math.floor(now.getTime() / 1000)
  const nonceMac = nonce.length === 0 ? null : peppers.under(code.pepper ?? 0, 'nonce', nonce)
  const isSamePhone =
    nonceMac !== null && code.nonceMac !== null && timingSafeEqual(nonceMac, code.nonceMac)
  if (code.needsNonce && !isSamePhone) throw new OtherPhone()
  if (isSamePhone && code.token !== undefined && code.token.expiresAt > seconds)
    return { result: { code, token: code.token }, events: [] }
  const token: Token = { id: randomBytes(16), expiresAt: seconds + TOKEN_LIFE }
  const place = { realm: code.realm, day: dayOf(now) }
  const age = seconds - (code.expiresAt - code.shortLife)
  const isUserReport = code.testType === 'user-report'
  // Counted with the first claim alone: one that is repeated is the same person's.
  const counts = code.token === undefined ? countClaimed(place, age, isUserReport) : []
  return {
    result: { code, token },
    events: [codeClaimed(code, token, nonceMac, counts)],
  }
}
