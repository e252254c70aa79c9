// Authorize: POST /api/verify, a phone swaps a code for a token; promises one token for a code, and the same one whenever it is asked again while the code lives.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import type { ReportType } from '../format/report-type.ts'
import { appendEvents } from '../log/append-event.ts'
import { parseJsonObject, readArray, readText } from '../operate/read-json.ts'
import { findCaller } from './api-keys.ts'
import { codeClaimed, type Token } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { lockCode } from './lock-codes.ts'
import { answer, type AuthorizeReply } from './reply.ts'
import { acceptedTypes } from './test-types.ts'
import { TOKEN_LIFE, type TestResult } from './tokens.ts'

/** Handles one request, from its body to its reply. */
export function verifyCode(
  context: AuthorizeContext,
  apiKey: string | undefined,
  body: Uint8Array,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const { realm } = await findCaller(context.db, context.mac, apiKey, 'device')
    const { code, accepted } = parseVerifyRequest(body)
    const codeMac = context.mac('code', realm.name, code)
    const { token, result } = await claimCode(context, realm.name, codeMac, accepted)
    return {
      testtype: result.testType,
      ...(result.symptomDate === null ? {} : { symptomDate: result.symptomDate }),
      ...(result.testDate === null ? {} : { testDate: result.testDate }),
      token: context.tokens.seal(token, result),
    }
  })
}

const FIELDS = new Set(['code', 'accept', 'nonce', 'padding'])

function parseVerifyRequest(body: Uint8Array): {
  readonly code: string
  readonly accepted: ReadonlySet<ReportType>
} {
  const fields = parseJsonObject(body, FIELDS, 'unparsable_request')
  const code = readText(fields, 'code')
  const accept = readArray(fields, 'accept').map((type) => {
    if (typeof type === 'string') return type
    throw new TocsinError('unparsable_request', 'accept must be an array of strings.')
  })
  const nonce = readText(fields, 'nonce')
  readText(fields, 'padding')
  const accepted = acceptedTypes(accept)
  // Apps send it with every code; only a self-reported one is bound to it.
  if (decodeBase64(nonce) === undefined)
    throw new TocsinError('unparsable_request', 'nonce must be base64.')
  return { code, accepted }
}

/**
 * Claims a code, or finds the token that it was claimed for: a phone that never got its token asks again. Two phones with
 * one code get one token between them, and only the first to ask gets a certificate for it.
 *
 * @throws TocsinError `code_invalid`, `code_expired`, `test_type_not_accepted`
 */
function claimCode(
  context: AuthorizeContext,
  realm: string,
  codeMac: Uint8Array,
  accepted: ReadonlySet<ReportType>,
): Promise<{ readonly token: Token; readonly result: TestResult }> {
  return context.db.transaction(async (tx) => {
    const now = context.now()
    const seconds = Math.floor(now.getTime() / 1000)
    const code = await lockCode(tx, realm, codeMac)
    if (code === undefined) throw new TocsinError('code_invalid')
    const isShort = timingSafeEqual(code.codeMac, codeMac)
    if ((isShort ? code.expiresAt : code.longExpiresAt) <= seconds)
      throw new TocsinError('code_expired')
    if (!accepted.has(code.testType)) throw new TocsinError('test_type_not_accepted')
    if (code.token !== undefined) return { token: code.token, result: code }
    const token: Token = { id: randomBytes(16), expiresAt: seconds + TOKEN_LIFE }
    await appendEvents(tx, context.writer, [codeClaimed(code.seq, token)], now)
    return { token, result: code }
  })
}
