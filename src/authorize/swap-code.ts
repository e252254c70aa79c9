// Authorize: swaps a code for a certificate in one step, for protocols that have no tokens; promises that a code serves one set of keys, as often as it is asked for that until its token would end.

import { timingSafeEqual } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { refuseWhileClosed, type Caller } from './callers.ts'
import type { Token } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { claimsOf, countsStill, useToken } from './issue-certificate.ts'
import type { VerificationCode } from './lock-codes.ts'
import type { Peppers } from './peppers.ts'
import { acceptedTypes } from './test-types.ts'
import { judgeCode, tryCode } from './try-code.ts'
import { claim } from './verify-code.ts'

/** A code that came with keys. */
export interface CodeSwap {
  /** The name of the realm whose codes are taken. */
  readonly realm: string
  /** As it was typed. */
  readonly code: string
  /** HMAC-SHA256 of the keys, under a key that this zone does not have: what the certificate is to cover. 32 bytes. */
  readonly keysHmac: Uint8Array
  /** Of the address that it came from, see `prefixOf`: kept for nothing but slowing those who guess. */
  readonly addressPrefix: string
  readonly userAgent: string
}

/**
 * Swaps a code for a certificate, by the rules and limits of POST /api/verify and POST /api/certificate, both steps in one
 * transaction: a kill leaves a code that nobody used, or one that works again with the same keys. What is kept is what those
 * keep: a token that nobody was given, and an HMAC of what the certificate covers.
 *
 * A code that only the phone that asked for it may claim is refused here: nothing in the request tells which phone it is.
 *
 * @returns the certificate, a compact JWS
 * @throws TocsinError `code_invalid` (unknown, used for other keys, or not to count), `code_expired`, `too_many_guesses`,
 * `maintenance`, `realm_unknown`, `signing_key_invalid`, `unavailable`
 */
export async function swapCode(context: AuthorizeContext, swap: CodeSwap): Promise<string> {
  const known = await context.known(({ realms }) => realms.has(swap.realm))
  const realm = known.realms.get(swap.realm)
  if (realm === undefined) throw new TocsinError('realm_unknown')
  refuseWhileClosed(realm)
  // First, so that a key that is missing leaves the code as it was.
  const signer = await context.certificateSigner(known, realm)
  const peppers = await context.peppers()
  const trial = {
    realm,
    typed: swap.code,
    addressPrefix: swap.addressPrefix,
    userAgent: swap.userAgent,
  }
  const { code, handle } = await tryCode(context, trial, async (read) => {
    const macs = peppers.every('code', realm.name, read)
    let isFirst = false
    const result = await context.desk({
      macs,
      tokenId: undefined,
      async decide(found, tx, now) {
        if (
          found !== undefined &&
          coversAlready(found, peppers, swap.keysHmac, { realm, known }, now)
        )
          return { result: { code: found, handle: found.handle ?? '' }, events: [] }
        const fresh = judgeCode(found, realm.name, known, macs, acceptedTypes([]), now)
        isFirst = fresh.token === undefined
        const claimed = claim(fresh, peppers, NO_NONCE, now)
        const token = claimed.result.token as Token
        const keysMac = macOfKeys(fresh, peppers, token.id, swap.keysHmac)
        const used = await useToken({ known }, fresh, keysMac, tx, now)
        return { result: used.result, events: [...claimed.events, ...used.events] }
      },
    })
    return { ...result, isFirst }
  })
  const tekmac = Buffer.from(swap.keysHmac).toString('base64')
  return signer.sign(claimsOf(realm, code, tekmac, handle ?? '', context.now()))
}

const NO_NONCE = new Uint8Array()

/** Whether a code was swapped for these keys, and its token would still serve. */
function coversAlready(
  code: VerificationCode,
  peppers: Peppers,
  keysHmac: Uint8Array,
  caller: Pick<Caller, 'realm' | 'known'>,
  now: Date,
): boolean {
  const { token, keysMac } = code
  if (!countsStill(code, caller) || token === undefined || keysMac === undefined) return false
  if (token.expiresAt * 1000 <= now.getTime()) return false
  return timingSafeEqual(macOfKeys(code, peppers, token.id, keysHmac), keysMac)
}

function macOfKeys(
  { pepper }: VerificationCode,
  peppers: Peppers,
  tokenId: Uint8Array,
  keysHmac: Uint8Array,
): Uint8Array {
  return peppers.under(pepper ?? 0, 'keys', tokenId, keysHmac)
}
