// Test helper: asks for statistics as a health authority does.

import type { KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { statsV1, type StatsContext, type StatsReply } from '../src/submit/stats-v1.ts'
import { encodeBody, type TestAuthority } from './key-zone.ts'
import type { SubmittingZone } from './submitting-zone.ts'

/** The audience of tokens for statistics. */
export const AUDIENCE = 'keyserver'

/** What statistics need of a zone. */
export function contextOf({ zone, clock }: SubmittingZone): StatsContext {
  return {
    db: zone.db,
    audience: AUDIENCE,
    clockLeewaySeconds: 5,
    timeGrain: zone.settings.timeGrain,
    now: clock.now,
  }
}

/** Asks with a good token, or with what is given. */
export async function ask(
  town: SubmittingZone,
  options: { token?: string; authorization?: string | undefined; context?: StatsContext } = {},
): Promise<StatsReply> {
  const authorization =
    'authorization' in options
      ? options.authorization
      : `Bearer ${options.token ?? (await makeToken(town))}`
  return statsV1(options.context ?? contextOf(town), authorization, encodeBody({ padding: '' }))
}

/** A token, signed now. @param options.kid null for none */
export async function makeToken(
  town: Pick<SubmittingZone, 'clock' | 'authority'>,
  options: {
    authority?: TestAuthority
    claims?: Record<string, unknown>
    kid?: string | null
    privateKey?: KeyObject
  } = {},
): Promise<string> {
  const { authority = town.authority, kid = 'v1' } = options
  const seconds = Math.floor(town.clock.now().getTime() / 1000)
  return new SignJWT({
    iss: authority.issuer,
    aud: AUDIENCE,
    exp: seconds + 300,
    ...options.claims,
  })
    .setProtectedHeader({ alg: 'ES256', ...(kid === null ? {} : { kid }) })
    .sign(options.privateKey ?? authority.privateKey)
}

/** Registers one more health authority. */
export async function register(
  { zone, clock }: SubmittingZone,
  authority: TestAuthority,
): Promise<void> {
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, clock.now()))
}
