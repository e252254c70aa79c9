// Correct: an order of an issuer to withdraw what it vouched for; promises that its signature is checked before anything but keys is looked up, that it reaches the issuer's own reports alone, and that it is carried out once.

import { TocsinError } from '../errors.ts'
import { isSignedByAuthority } from '../submit/authority-signature.ts'
import { judgeTexts, parseClaims, parseCompactJws, readTimes } from '../submit/compact-jws.ts'
import { listHealthAuthorities, type HealthAuthority } from '../submit/health-authorities.ts'
import { BASE64URL_16_BYTES } from '../submit/verify-certificate.ts'
import { withdraw } from './withdraw.ts'
import type { CorrectedZone } from './zone.ts'

/** What receiving an order needs of the key zone. */
export interface OrderContext {
  readonly zone: CorrectedZone
  /** How far the clock of an issuer may differ. */
  readonly clockLeewaySeconds: number
  readonly now: () => Date
}

/** What is told of an order that was carried out. */
export interface OrderReply {
  /** The order's own. */
  readonly jti: string
  /** How many were withdrawn; null when they are fewer than 10. */
  readonly reports: number | null
  readonly keys: number | null
}

/** The greatest order: some 7,000 handles. */
export const MAX_ORDER_BYTES = 256 * 1024

/** `typ` of an order: a certificate is signed with the same key, and lies on many phones. */
const ORDER_TYPE = 'tocsin-withdrawal+jwt'

const DAY = 86_400

/** An order may wait so long for a key server; whoever sends it again later than that is refused. Corrections are remembered for longer. */
const MAX_AGE_SECONDS = 30 * DAY

/** The certificates that an order still has to wait for live for hours at the most. */
const MAX_DAYS_AHEAD = 2

/** Counts below this don't pass between the zones. */
const SMALLEST_COUNT = 10

/** What an order says, once it is believed. */
interface Order {
  readonly jti: string
  readonly handles: readonly string[]
  /** Unix seconds: from the beginning of the first day to the end of the last. */
  readonly acceptedFrom: number
  readonly acceptedBefore: number
}

/**
 * Carries out an order: withdraws the reports that were accepted under its handles on its days. What arrives under them until its
 * last day has ended is withdrawn as well: certificates that were issued before may still be on their way. The same order again
 * changes nothing, and gets the same answer.
 *
 * @param text a compact JWS
 * @throws TocsinError `order_invalid`, `order_unauthorized`, `order_too_old`, `order_not_yet_valid`, `correction_id_taken`; `unavailable`
 */
export async function receiveOrder(
  { zone, clockLeewaySeconds, now }: OrderContext,
  text: string,
): Promise<OrderReply> {
  const jws = parseCompactJws(text)
  if (jws === undefined) throw invalid('it must be a JWS signed with ES256, in compact form')
  const { kid, typ } = jws.header
  if (typ !== ORDER_TYPE) throw invalid(`typ in its header must be ${ORDER_TYPE}`)
  if (typeof kid !== 'string') throw invalid('its header names no kid')
  const claims = parseClaims(jws.payload)
  if (claims === undefined) throw invalid('its claims are no JSON object')
  const { iss } = claims
  if (typeof iss !== 'string') throw invalid('it names no iss')
  const audiences: unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']]
  const seconds = now().getTime() / 1000
  // Read from the database each time: orders are rare, and what was revoked is refused at once.
  const named = (await listHealthAuthorities(zone.db)).filter(
    ({ issuer, audience }) => issuer === iss && audiences.includes(audience),
  )
  const signing = named.filter((each) => isSignedByAuthority(jws, [each], kid, seconds))
  if (signing.length === 0) throw new TocsinError('order_unauthorized')
  // Those of the same key, disabled ones as well: an issuer of the same name may be somebody else.
  const keysOf = ({ keys }: HealthAuthority) =>
    keys.filter((key) => key.kid === kid).map(({ publicKey }) => publicKey)
  const signedBy = new Set(signing.flatMap(keysOf))
  const own = named.filter((each) => keysOf(each).some((key) => signedBy.has(key)))
  const { jti, handles, acceptedFrom, acceptedBefore } = readOrder(
    claims,
    seconds,
    clockLeewaySeconds,
  )
  const healthAuthority = own.map(({ app }) => app)
  const by = `order of ${iss}`
  const done = await withdraw(
    zone,
    {
      selection: { issuerHandles: handles, healthAuthority, acceptedFrom, acceptedBefore },
      // A rule for what comes later is needed only where something may.
      scope: acceptedBefore > seconds ? 'both' : 'retroactive',
      reason: 'An order of the issuer.',
      by,
      id: Buffer.from(jti, 'base64url').toString('hex'),
    },
    now(),
  )
  return { jti, reports: tellable(done.reports), keys: tellable(done.keys) }
}

function tellable(count: number): number | null {
  return count < SMALLEST_COUNT ? null : count
}

/** @throws TocsinError `order_invalid`, `order_too_old`, `order_not_yet_valid` */
function readOrder(
  claims: Readonly<Record<string, unknown>>,
  seconds: number,
  leeway: number,
): Order {
  const noText = judgeTexts(claims)
  if (noText !== undefined) throw invalid(noText)
  const times = readTimes(claims)
  if (typeof times === 'string') throw invalid(times)
  const { iat, nbf, exp } = times
  if (iat === 0) throw invalid('iat is missing')
  if (Math.max(iat, nbf) - leeway > seconds) throw new TocsinError('order_not_yet_valid')
  if (iat + MAX_AGE_SECONDS <= seconds || (exp !== 0 && exp + leeway <= seconds))
    throw new TocsinError('order_too_old')
  const { jti, handles, from, through } = claims
  if (!isSixteenBytes(jti)) throw invalid('jti must be 22 characters of base64url, 16 bytes')
  if (!Array.isArray(handles) || handles.length === 0 || !handles.every(isSixteenBytes))
    throw invalid('handles must be a list of issuer handles: 22 characters of base64url each')
  if (new Set(handles).size < handles.length) throw invalid('a handle is named twice')
  if (!isDay(from) || !isDay(through) || from > through)
    throw invalid('from and through must be the beginnings of days, UTC, in this order')
  if (through > iat + MAX_DAYS_AHEAD * DAY)
    throw invalid(`through must be at most ${MAX_DAYS_AHEAD} days after iat`)
  return { jti, handles, acceptedFrom: from, acceptedBefore: through + DAY }
}

function isSixteenBytes(value: unknown): value is string {
  return typeof value === 'string' && BASE64URL_16_BYTES.test(value)
}

function isDay(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) % DAY === 0
}

function invalid(problem: string): TocsinError {
  return new TocsinError('order_invalid', `The order was not accepted: ${problem}.`)
}
