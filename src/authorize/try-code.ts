// Authorize: somebody tries a code that was typed; promises that who guesses waits, that what is refused is counted, and one verdict whichever API asks.

import { timingSafeEqual } from 'node:crypto'
import { TocsinError, type ErrorCode } from '../errors.ts'
import type { ReportType } from '../format/report-type.ts'
import type { AuthorizeContext } from './context.ts'
import { isActive, type Known } from './known.ts'
import type { VerificationCode } from './lock-codes.ts'
import type { Realm } from './realms.ts'
import { countFailure, systemOf, type FailureKind } from './stat-counts.ts'
import { readTypedCode } from './typed-code.ts'
import { dayOf } from './zone.ts'

/** A code that somebody tries, and what its trial is counted by. */
export interface CodeTrial {
  readonly realm: Realm
  /** As it was typed. */
  readonly typed: string
  /** Of the address that it came from, see `prefixOf`: kept for nothing but slowing those who guess. */
  readonly addressPrefix: string
  readonly userAgent: string
}

/**
 * Tries a code: lets those wait who guess, and counts what is refused.
 *
 * @param work swaps the code, which it is handed as it was drawn; says whether the code was swapped for the first time
 * @throws TocsinError `code_invalid`, `too_many_guesses`; what `work` threw
 */
export async function tryCode<Swapped extends { readonly isFirst: boolean }>(
  context: AuthorizeContext,
  trial: CodeTrial,
  work: (code: string) => Promise<Swapped>,
): Promise<Swapped> {
  const { failures, now } = context
  try {
    const read = readTypedCode(trial.typed)
    // What can't be a code needs no look into the database.
    if (read === undefined) throw new TocsinError('code_invalid')
    const swap = () => work(read.code)
    // All others are too many to be guessed.
    return await (read.kind === 'digits' ? limited(context, trial, swap) : swap())
  } catch (error) {
    const kind = failureOf(error)
    const place = { realm: trial.realm.name, day: dayOf(now()) }
    if (kind !== undefined) failures.add(countFailure(place, kind, systemOf(trial.userAgent)))
    throw error
  }
}

function failureOf(error: unknown): FailureKind | undefined {
  if (error instanceof OtherPhone) return 'user_reports_invalid_nonce'
  return error instanceof TocsinError ? FAILURES[error.code] : undefined
}

const FAILURES: { readonly [Code in ErrorCode]?: FailureKind } = {
  code_invalid: 'codes_invalid',
  code_expired: 'codes_invalid',
}

/**
 * Lets those wait who guess.
 *
 * @throws TocsinError `too_many_guesses`
 */
async function limited<Swapped extends { readonly isFirst: boolean }>(
  { guesses }: AuthorizeContext,
  { realm, addressPrefix }: CodeTrial,
  swap: () => Promise<Swapped>,
): Promise<Swapped> {
  const leave = guesses.mayTry(realm.name, addressPrefix)
  if (!leave.allowed)
    throw new TocsinError('too_many_guesses', undefined, { retryAfter: leave.retryAfterSeconds })
  try {
    const swapped = await swap()
    if (swapped.isFirst) guesses.countRight(realm.name, addressPrefix)
    else guesses.countNeither(realm.name, addressPrefix)
    return swapped
  } catch (error) {
    if (error instanceof UnknownCode) guesses.countWrong(realm.name, addressPrefix)
    else guesses.countNeither(realm.name, addressPrefix)
    throw error
  }
}

/** The realm never had such a code, as far as anybody knows: perhaps a guess. */
class UnknownCode extends TocsinError {
  constructor() {
    super('code_invalid')
  }
}

/** Only the phone that reported itself may have the code's token. */
export class OtherPhone extends TocsinError {
  constructor() {
    super('code_invalid')
  }
}

/**
 * Whether a code may be swapped for a token now.
 *
 * @param macs what the code that was typed may be recognised by
 * @throws TocsinError `code_invalid`, `code_expired`, `test_type_not_accepted`
 */
export function judgeCode(
  code: VerificationCode | undefined,
  realm: string,
  known: Known,
  macs: readonly Uint8Array[],
  accepted: ReadonlySet<ReportType>,
  now: Date,
): VerificationCode {
  if (code === undefined) throw new UnknownCode()
  const invalid = () => new TocsinError('code_invalid')
  if (code.realm !== realm || code.invalidated || !isActive(known, realm, code.provider))
    throw invalid()
  if (code.batch !== undefined && !code.batch.isReady) throw invalid()
  if (code.batch?.needsActivation === true && !code.isActivated) throw invalid()
  const isShort = macs.some((mac) => code.codeMac !== null && timingSafeEqual(code.codeMac, mac))
  const expiresAt = isShort ? code.expiresAt : code.longExpiresAt
  if (expiresAt * 1000 <= now.getTime()) throw new TocsinError('code_expired')
  // The handle is kept for longer than what the certificate covers.
  if (code.keysMac !== undefined || code.handle !== null) throw invalid()
  if (!accepted.has(code.testType)) throw new TocsinError('test_type_not_accepted')
  return code
}
