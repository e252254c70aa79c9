// Submit: the token by which a health authority asks for its statistics; promises that only a key of its own, accepted now, opens them.

import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { isSignedByAuthority } from './authority-signature.ts'
import { judgeTexts, parseClaims, parseCompactJws, readTimes } from './compact-jws.ts'
import { listHealthAuthorities } from './health-authorities.ts'

/** What a token must agree with. */
export interface StatsTokenRules {
  readonly audience: string
  /** How far clocks may differ. */
  readonly leewaySeconds: number
}

/**
 * Verifies the Authorization header of a request for statistics: a JWT (ES256) by a key of a registered health authority.
 *
 * @returns the issuer whose statistics may be shown
 * @throws TocsinError `unauthorized`; the sentence says what to mend and nothing of what is registered
 */
export async function verifyStatsToken(
  db: Queryable,
  authorization: string | undefined,
  rules: StatsTokenRules,
  now: Date,
): Promise<string> {
  const [, text] = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '') ?? []
  if (text === undefined) throw unauthorized('send it as "Authorization: Bearer <JWT>"')
  const jws = parseCompactJws(text)
  if (jws === undefined) throw unauthorized('it must be a JWT signed with ES256')
  const claims = parseClaims(jws.payload)
  if (claims === undefined) throw unauthorized('its claims are no JSON object')
  const seconds = now.getTime() / 1000
  // Claims first, though not believed yet: a token that is wrong anyway asks nothing of the database.
  checkClaims(claims, rules, seconds)
  const { iss } = claims
  const { kid } = jws.header
  if (typeof iss !== 'string' || typeof kid !== 'string')
    throw unauthorized('it must name iss, and kid in its header')
  // Read from the database each time: such requests are rare, and what was revoked is refused at once.
  const authorities = await listHealthAuthorities(db)
  const own = authorities.filter(({ issuer }) => issuer === iss)
  if (!isSignedByAuthority(jws, own, kid, seconds))
    throw unauthorized('it must be signed by a key of a health authority that is accepted here')
  return iss
}

function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  { audience, leewaySeconds }: StatsTokenRules,
  seconds: number,
): void {
  // A certificate is signed with the same key and lies on many phones: it opens nothing here, even where both audiences are
  // the same.
  if ('tekmac' in claims) throw unauthorized('a certificate over keys is no token for statistics')
  const audiences: unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']]
  if (!audiences.includes(audience)) throw unauthorized('its audience is not this service')
  const noText = judgeTexts(claims)
  if (noText !== undefined) throw unauthorized(noText)
  const times = readTimes(claims)
  if (typeof times === 'string') throw unauthorized(times)
  const { exp, nbf, iat } = times
  if (exp === 0) throw unauthorized('exp is missing')
  if (exp + leewaySeconds <= seconds) throw unauthorized('it has expired')
  if (Math.max(nbf, iat) - leewaySeconds > seconds)
    throw unauthorized('it is not valid yet (nbf or iat lies in the future)')
}

function unauthorized(problem: string): TocsinError {
  return new TocsinError('unauthorized', `The token was not accepted: ${problem}.`)
}
