// Authorize: POST /api/verify, a phone swaps a code for a token; promises a token whenever it is asked while the code lives and no certificate was made with it, and that the newest alone counts.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import type { ReportType } from '../format/report-type.ts'
import { parseJsonObject, readArray, readText } from '../operate/read-json.ts'
import { refuseWhileClosed, type Caller } from './callers.ts'
import type { Decision } from './code-desk.ts'
import { codeClaimed, type Token } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import type { VerificationCode } from './lock-codes.ts'
import type { Peppers } from './peppers.ts'
import { answer, type AuthorizeReply, type AuthorizeRequest } from './reply.ts'
import { countClaimed } from './stat-counts.ts'
import { acceptedTypes } from './test-types.ts'
import { TOKEN_LIFE } from './tokens.ts'
import { judgeCode, OtherPhone, tryCode } from './try-code.ts'
import { dayOf } from './zone.ts'

/** Handles one request, from its body to its reply. */
export function verifyCode(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const caller = await context.findCaller(request.apiKey, 'device')
    refuseWhileClosed(caller.realm)
    const asked = parseVerifyRequest(request.body)
    const { code, token } = await tryCode(
      context,
      { ...request, realm: caller.realm, typed: asked.code },
      (read) => claimCode(context, caller, read, asked),
    )
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
 * Gives a code's token: the same to the phone that sends the nonce with which it asked before; else a new one, and the one
 * before has ended.
 *
 * @throws TocsinError `code_invalid` when the code is bound to another phone
 */
export function claim(
  code: VerificationCode,
  peppers: Peppers,
  nonce: Uint8Array,
  now: Date,
): Decision {
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
