// Authorize: a laboratory activates the code on a card; promises that a code says one date to whoever has claimed it, and that what can't be a code costs no look into the database.

import type { Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { codeActivated } from './codes.ts'
import { checkDate } from './dates.ts'
import { lockCodes, type VerificationCode } from './lock-codes.ts'
import { readPaperCode } from './paper-code.ts'
import type { OpenPeppers } from './peppers.ts'
import { requireProvider } from './providers.ts'
import type { Actor, AuthorityZone } from './zone.ts'

/** What an activation needs; a context of the zone has it. */
export interface ActivationContext extends Pick<AuthorityZone, 'db' | 'writer'> {
  readonly peppers: OpenPeppers
}

/** The dates that a code gets: at least one. */
export interface ActivationDates {
  /** YYYY-MM-DD; empty when it is not known. */
  readonly testDate: string
  readonly symptomDate: string
  /** Minutes, as {@link checkDate} takes it. */
  readonly tzOffset: number
}

/** A code that works. */
export interface Activation {
  /** The first four characters of the code: they name its batch. */
  readonly batch: string
  readonly testDate: string | null
  readonly symptomDate: string | null
  /** Unix seconds. */
  readonly expiresAt: number
}

/**
 * Activates one code of a batch that needs it. Again with the same dates: nothing happens. With other dates: they replace those
 * before, since a laboratory mistypes one, too, until a phone has claimed the code.
 *
 * @param realm its name
 * @param typed the code as somebody typed it
 * @throws TocsinError `missing_date`, `invalid_date`, `unparsable_request`; `code_invalid` when there is no such code or it
 *   doesn't count, `code_expired`, `code_used`, `activation_needless`
 */
export async function activateCode(
  { db, writer, peppers }: ActivationContext,
  realm: string,
  typed: string,
  { testDate, symptomDate, tzOffset }: ActivationDates,
  by: Actor,
  now: Date,
): Promise<Activation> {
  const dates = {
    testDate: checkDate('testDate', testDate, tzOffset, now),
    symptomDate: checkDate('symptomDate', symptomDate, tzOffset, now),
  }
  if (dates.testDate === null && dates.symptomDate === null) throw new TocsinError('missing_date')
  const code = readPaperCode(typed)
  if (code === undefined) throw new TocsinError('code_invalid')
  const macs = (await peppers()).every('code', realm, code)
  return db.transaction(async (tx) => {
    const [found] = await lockCodes(tx, macs, [])
    const { seq, place, expiresAt, ...own } = await judge(tx, found, realm, now)
    const activation: Activation = { ...dates, batch: code.slice(0, 4), expiresAt }
    const isSame = own.testDate === dates.testDate && own.symptomDate === dates.symptomDate
    if (isSame) return activation
    if (isClaimed(own)) throw new TocsinError('code_used')
    await appendEvents(tx, writer, [codeActivated({ seq, place, ...dates, by })], now)
    return activation
  })
}

/** The code that may be activated. */
async function judge(
  tx: Transaction,
  code: VerificationCode | undefined,
  realm: string,
  now: Date,
): Promise<VerificationCode> {
  if (code?.realm !== realm || code.invalidated || code.batch?.isReady !== true)
    throw new TocsinError('code_invalid')
  const { state } = await requireProvider(tx, realm, code.provider ?? '')
  if (state !== 'active') throw new TocsinError('code_invalid')
  if (!code.batch.needsActivation) throw new TocsinError('activation_needless')
  if (code.expiresAt * 1000 <= now.getTime()) throw new TocsinError('code_expired')
  return code
}

/** A token is forgotten a day after its end; that there is a certificate is known for as long as the code is. */
function isClaimed({
  token,
  keysMac,
  handle,
}: Pick<VerificationCode, 'token' | 'keysMac' | 'handle'>): boolean {
  return token !== undefined || keysMac !== undefined || handle !== null
}
