// Http: swaps a code that came with keys for a certificate over them; promises that the key zone stores no code, and that the authority zone learns nothing of the keys.

import { createHmac } from 'node:crypto'
import { prefixOf } from '../authorize/address-prefix.ts'
import { swapCode } from '../authorize/swap-code.ts'
import { readTypedCode } from '../authorize/typed-code.ts'
import { TocsinError, type ErrorCode } from '../errors.ts'
import type { PassedCode } from '../submit/upload-proof.ts'
import type { RouteRequest } from './route.ts'
import type { RouteContext } from './routes.ts'

/** A code, and what it came with. */
export interface PassingCode {
  /** As it was typed. */
  readonly code: string
  /** Whose codes are taken. */
  readonly realm: string
  /** The API by which it came. */
  readonly api: string
  /** What the certificate is to cover, in the one way in which it is said. */
  readonly cleartext: string | Uint8Array
}

/**
 * Swaps a code in memory.
 *
 * The HMAC of the keys is made under a key that follows from a secret of the key zone and the code: the authority zone, which
 * has no part in the secret, can recognise no key by it, and the same code with the same keys gives the same HMAC in every
 * process, also after a restart.
 *
 * @throws TocsinError `code_invalid` for what no code looks like; `too_many_guesses`, `maintenance`, `unavailable`; an Error for
 * what the operator has to mend
 */
export async function swapInPassing(
  { authorize, keysSecret }: Pick<RouteContext, 'authorize' | 'keysSecret'>,
  passing: PassingCode,
  request: Pick<RouteRequest, 'address' | 'headers'>,
): Promise<PassedCode> {
  const code = readTypedCode(passing.code)?.code ?? ''
  const hmacKey = createHmac('sha256', keysSecret)
    .update(JSON.stringify(['keys that came with a code', passing.api, code]))
    .digest()
  const keysHmac = createHmac('sha256', hmacKey).update(passing.cleartext).digest()
  try {
    const certificate = await swapCode(authorize, {
      realm: passing.realm,
      code: passing.code,
      keysHmac,
      addressPrefix: prefixOf(request.address()),
      userAgent: request.headers['user-agent'] ?? '',
    })
    return { proof: 'code', code, certificate, hmacKey: hmacKey.toString('base64') }
  } catch (error) {
    if (!(error instanceof TocsinError)) throw error
    const { code: refusal, message } = error
    if (code !== '' && MAY_HAVE_COUNTED.includes(refusal))
      return { proof: 'refused code', code, refusal, sentence: message }
    if (refusal === 'realm_unknown' || (error.status >= 500 && refusal !== 'unavailable'))
      throw new Error(`codes of the realm "${passing.realm}" can't be taken: ${message}`, {
        cause: error,
      })
    throw error
  }
}

const MAY_HAVE_COUNTED: readonly ErrorCode[] = ['code_invalid', 'code_expired']
