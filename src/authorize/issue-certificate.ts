// Authorize: POST /api/certificate, a phone swaps a token for a certificate over its keys; promises certificates over one set of keys for a token, however often it is asked.

import { timingSafeEqual } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { appendEvents } from '../log/append-event.ts'
import { parseJsonObject, readText } from '../operate/read-json.ts'
import { findCaller } from './api-keys.ts'
import { codeCertified } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { intervalOfDate } from './dates.ts'
import { lockCodeOfToken } from './lock-codes.ts'
import type { Realm } from './realms.ts'
import { answer, type AuthorizeReply } from './reply.ts'
import { subjectOf, type TestResult } from './tokens.ts'

/** Handles one request, from its body to its reply. */
export function issueCertificate(
  context: AuthorizeContext,
  apiKey: string | undefined,
  body: Uint8Array,
): Promise<AuthorizeReply> {
  return answer('token_invalid', async () => {
    const { realm } = await findCaller(context.db, context.mac, apiKey, 'device')
    const request = parseCertificateRequest(body)
    const now = context.now()
    const { id, result } = context.tokens.open(request.token, now)
    const keysHmac = readKeysHmac(request.ekeyhmac)
    const signer = await context.certificateSigner(realm)
    const certificate = signer.sign(claimsOf(realm, result, request.ekeyhmac, now))
    // Last, so that whatever goes wrong before leaves the token as it was.
    await useToken(
      context,
      realm.name,
      { id, result, keysMac: context.mac('keys', id, keysHmac) },
      now,
    )
    return { certificate }
  })
}

const FIELDS = new Set(['token', 'ekeyhmac', 'padding'])

function parseCertificateRequest(body: Uint8Array): {
  readonly token: string
  readonly ekeyhmac: string
} {
  const fields = parseJsonObject(body, FIELDS, 'token_invalid')
  readText(fields, 'padding')
  return { token: readText(fields, 'token'), ekeyhmac: readText(fields, 'ekeyhmac') }
}

function readKeysHmac(ekeyhmac: string): Uint8Array {
  const bytes = decodeBase64(ekeyhmac)
  if (bytes?.length !== 32) throw new TocsinError('hmac_invalid')
  return bytes
}

/** How long a certificate lives, and how far the key server's clock may be behind ours: seconds. */
const CERTIFICATE_LIFE = 15 * 60
const CLOCK_SKEW = 5

/** The claims of a certificate. @param tekmac the HMAC of the keys, exactly as the phone sent it */
function claimsOf(
  realm: Realm,
  { testType, symptomDate }: TestResult,
  tekmac: string,
  now: Date,
): Record<string, unknown> {
  const seconds = Math.floor(now.getTime() / 1000)
  return {
    iss: realm.issuer,
    aud: realm.audience,
    iat: seconds - CLOCK_SKEW,
    nbf: seconds - CLOCK_SKEW,
    exp: seconds + CERTIFICATE_LIFE,
    reportType: testType,
    ...(symptomDate === null ? {} : { symptomOnsetInterval: intervalOfDate(symptomDate) }),
    tekmac,
  }
}

/**
 * Uses a token for a set of keys; for the same set it may be used again, so that a phone whose certificate was lost on the
 * way gets another.
 *
 * @throws TocsinError `token_expired`
 */
function useToken(
  context: AuthorizeContext,
  realm: string,
  token: { readonly id: Uint8Array; readonly result: TestResult; readonly keysMac: Uint8Array },
  now: Date,
): Promise<void> {
  return context.db.transaction(async (tx) => {
    const code = await lockCodeOfToken(tx, realm, token.id)
    if (code === undefined || subjectOf(code) !== subjectOf(token.result))
      throw new TocsinError('token_expired')
    if (code.keysMac === undefined)
      await appendEvents(tx, context.writer, [codeCertified(code.seq, token.keysMac)], now)
    else if (!timingSafeEqual(code.keysMac, token.keysMac)) throw new TocsinError('token_expired')
  })
}
