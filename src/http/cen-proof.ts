// Http: what lets an upload of contact event numbers in; promises that a proof which is wrong is never taken for none, and that an address is looked at and forgotten.

import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TocsinError } from '../errors.ts'
import { macedCens, sortCens } from '../format/cen.ts'
import type { Secret } from '../operate/secret.ts'
import { CEN_FORMS, type CenName, type CenProof } from '../submit/cen.ts'
import { parseSharedSecret, type CenSettings } from '../submit/cen-variables.ts'
import type { RouteRequest } from './route.ts'
import type { RouteContext } from './routes.ts'
import { swapInPassing } from './swap-in-passing.ts'

/**
 * What lets a request in; a code as it was typed. The address is looked at only where it alone can do that.
 *
 * @throws TocsinError `unauthorized` when nothing does
 */
export function readProof(
  { uploads, locations }: CenSettings,
  api: CenName,
  { headers, address }: RouteRequest,
): CenProof | string {
  // Whoever sent the secret was let in by it.
  if (api === 'covidwatch') return { proof: 'shared' }
  const { authorization, 'x-hmac-key': hmacKey = '' } = headers
  if (authorization === undefined) {
    if (uploads.includes('location') && locations?.includes(address()) === true)
      return { proof: 'located' }
    if (uploads.includes('trust')) return { proof: 'trusted' }
    throw new TocsinError('unauthorized', `Nothing lets this upload in: ${whatLetsIn(uploads)}.`)
  }
  const bearer = /^bearer +(\S.*)$/i.exec(authorization)?.[1]?.trim()
  if (bearer !== undefined) {
    if (uploads.includes('certificate') && bearer.split('.').length === 3)
      return { proof: 'certificate', certificate: bearer, hmacKey }
    if (uploads.includes('code')) return bearer
  }
  throw new TocsinError('unauthorized', `Authorization is not taken: ${whatLetsIn(uploads)}.`)
}

function whatLetsIn(uploads: CenSettings['uploads']): string {
  const bearers = [
    ...(uploads.includes('certificate') ? ['a certificate over the numbers'] : []),
    ...(uploads.includes('code') ? ['a permission number'] : []),
  ]
  if (bearers.length > 0) return `send Authorization: Bearer, with ${bearers.join(' or ')}`
  return 'leave it out, and send from where uploads are taken'
}

/** Swaps a permission number for a certificate over the numbers. What can't be taken costs nobody one. */
export function proveByCode(
  context: RouteContext,
  realm: string,
  api: CenName,
  code: string,
  request: RouteRequest,
): Promise<CenProof> {
  const numbers = sortCens(CEN_FORMS[api](request.body))
  return swapInPassing(context, { code, realm, api, cleartext: macedCens(numbers) }, request)
}

/** Whether a text is the secret; how far it is right shows in no time. */
export function isSecret(given: string, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret.reveal()))
}

/** The secret that all phones share. @throws TocsinError `configuration_invalid` */
export function readSecret({ sharedSecret, sharedSecretFile }: CenSettings): Secret {
  if (sharedSecret !== undefined) return sharedSecret
  if (sharedSecretFile === undefined)
    throw misconfigured(
      'takes uploads by shared-secret: give the secret by TOCSIN_CEN_SHARED_SECRET_FILE',
    )
  try {
    const read = parseSharedSecret(readFileSync(sharedSecretFile, 'utf8').trimEnd())
    if (read !== undefined) return read
  } catch (error) {
    if (!(error instanceof Error)) throw error
  }
  throw misconfigured(
    'takes uploads by shared-secret: the file of TOCSIN_CEN_SHARED_SECRET_FILE must be there, with 8 to 500 printable characters',
  )
}

function misconfigured(problem: string): TocsinError {
  return new TocsinError('configuration_invalid', `TOCSIN_CEN_UPLOADS ${problem}.`)
}
