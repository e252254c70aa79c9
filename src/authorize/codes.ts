// Authorize: verification codes and their tokens as the log keeps them; promises that no event holds a code, a token, or what a certificate covers.

import type { ReportType } from '../format/report-type.ts'
import type { NewEvent, Part } from '../log/record.ts'
import { statPart, type StatCount } from './stat-counts.ts'
import type { Actor } from './zone.ts'

/** A code by the event that issued it, and its place there. */
export interface CodeId {
  readonly seq: number
  readonly place: number
}

/** What a code stands for. Dates are YYYY-MM-DD. */
export interface TestResult {
  readonly testType: ReportType
  readonly symptomDate: string | null
  readonly testDate: string | null
}

/** A code when it is issued, without its secrets. Times are unix seconds. */
export interface IssuedCode extends TestResult {
  readonly realm: string
  /** Lower case. */
  readonly uuid: string
  readonly expiresAt: number
  readonly longExpiresAt: number
  /** How long its short form lives, seconds. */
  readonly shortLife: number
  /** Whose it is; null for the realm's own. */
  readonly provider: string | null
  /** The prefix of the API key that asked for it, or the member of staff. */
  readonly apiKey: string | null
  readonly staff: string | null
  /** What the caller's own system says of who asked. */
  readonly externalIssuer: string | null
  /** Whether only the phone that asked for it may claim it. */
  readonly needsNonce: boolean
}

/** What recognises a code: HMACs under one pepper. */
export interface CodeSecrets {
  readonly pepper: number
  readonly codeMac: Uint8Array
  readonly longCodeMac: Uint8Array | null
  /** Of the nonce that it is bound to. */
  readonly nonceMac: Uint8Array | null
}

/** The phone that reported itself. */
export interface ReportedPhone {
  readonly realm: string
  readonly phoneMac: Uint8Array
  readonly pepper: number
  /** Days since the epoch: from when on it may do so again. */
  readonly forgetDay: number
}

/** The token that a code was swapped for. */
export interface Token {
  /** 128 random bits. */
  readonly id: Uint8Array
  /** Unix seconds. */
  readonly expiresAt: number
}

export const ISSUED = 'code.issued'
export const CLAIMED = 'code.claimed'
export const CERTIFIED = 'code.certified'
export const FAILED = 'code.failed'
export const EXPIRED = 'code.expired'
export const ACTIVATED = 'code.activated'
export const INVALIDATED = 'code.invalidated'

/** A code was issued. */
export function codeIssued(
  code: IssuedCode,
  secrets: CodeSecrets,
  phone: ReportedPhone | undefined,
  counts: readonly StatCount[],
): NewEvent {
  const parts: Part[] = [
    { retention: 'code', content: code },
    { retention: 'code-secret', content: secrets },
    statPart(counts),
  ]
  if (phone !== undefined) parts.push({ retention: 'phone', content: phone })
  return { type: ISSUED, parts }
}

export interface ClaimedContent extends CodeId {
  readonly tokenId: Uint8Array
  readonly expiresAt: number
  /** Of the phone that may have the same token again; null for none. */
  readonly nonceMac: Uint8Array | null
}

/** A part for what is counted, where anything is. */
function countsOf(counts: readonly StatCount[]): Part[] {
  return counts.length === 0 ? [] : [statPart(counts)]
}

/** A code was swapped for a token; the one before, if any, has ended. */
export function codeClaimed(
  { seq, place }: CodeId,
  token: Token,
  nonceMac: Uint8Array | null,
  counts: readonly StatCount[],
): NewEvent {
  const content: ClaimedContent = {
    seq,
    place,
    tokenId: token.id,
    expiresAt: token.expiresAt,
    nonceMac,
  }
  const claimed: CodeId = { seq, place }
  const parts: Part[] = [{ retention: 'token', content }, ...countsOf(counts)]
  // The first claim alone is counted; that there was one is known for longer than the token.
  if (counts.length > 0) parts.push({ retention: 'code', content: claimed })
  return { type: CLAIMED, parts }
}

export interface CertifiedContent extends CodeId {
  readonly keysMac: Uint8Array
}

export interface HandleContent extends CodeId {
  readonly handle: string
}

/** A code's token was swapped for a certificate, which carries the handle. */
export function codeCertified(
  { seq, place }: CodeId,
  keysMac: Uint8Array,
  handle: string,
  counts: readonly StatCount[],
): NewEvent {
  const certified: CertifiedContent = { seq, place, keysMac }
  const carried: HandleContent = { seq, place, handle }
  return {
    type: CERTIFIED,
    parts: [
      { retention: 'token', content: certified },
      { retention: 'code', content: carried },
      statPart(counts),
    ],
  }
}

/** A code could not be told to whom it was for: it is as if it had never been. */
export function codeFailed({ seq, place }: CodeId, counts: readonly StatCount[]): NewEvent {
  return { type: FAILED, parts: [{ retention: 'code', content: { seq, place } }, statPart(counts)] }
}

export interface ExpiredContent extends CodeId {
  readonly at: number
  readonly by: Actor
}

/** A code was ended before its time. @param at unix seconds */
export function codeExpired({ seq, place }: CodeId, at: number, by: Actor): NewEvent {
  const content: ExpiredContent = { seq, place, at, by }
  return { type: EXPIRED, parts: [{ retention: 'code', content }] }
}

export interface ActivatedContent extends CodeId {
  readonly symptomDate: string | null
  readonly testDate: string | null
  readonly by: Actor
}

/** A code of a batch was activated by the lab. */
export function codeActivated(content: ActivatedContent): NewEvent {
  return { type: ACTIVATED, parts: [{ retention: 'code', content }] }
}

/** Codes that don't count any more: all that were issued by then. */
export type InvalidatedContent = { readonly by: Actor } & (
  | ({ readonly scope: 'code' } & CodeId)
  | { readonly scope: 'batch'; readonly batch: string }
  | { readonly scope: 'provider'; readonly realm: string; readonly provider: string }
)

export function codesInvalidated(content: InvalidatedContent): NewEvent {
  const retention = content.scope === 'code' ? 'code' : 'configuration'
  return { type: INVALIDATED, parts: [{ retention, content }] }
}
