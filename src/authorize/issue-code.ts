// Authorize: issues a verification code, whoever asks for it; promises that the code is known to whom it is told and to nobody else, and that one that could not be sent is as if it had never been.

import { randomUUID } from 'node:crypto'
import type { Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Caller } from './callers.ts'
import { AlreadyIssued } from './code-table.ts'
import {
  codeFailed,
  codeIssued,
  type CodeId,
  type ReportedPhone,
  type TestResult,
} from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import type { DrawnCode } from './draw-code.ts'
import { isUuidTaken } from './lock-codes.ts'
import { quotaSubjectOf, takeQuota } from './quota.ts'
import { lockRealm, type Realm } from './realms.ts'
import { forgetPhone } from './retention-codes.ts'
import type { TextPurpose } from './signed-text.ts'
import { countIssued, countTextError, type StatCount } from './stat-counts.ts'
import { fillTemplate } from './text-template.ts'
import { dayOf } from './zone.ts'

/** What is issued. */
export interface WantedCode extends TestResult {
  /** Undefined leaves the choice to us. */
  readonly uuid: string | undefined
  readonly externalIssuer: string | null
  /** Whether the long form is sent to somebody; else it lives no longer than the short one. */
  readonly sendsLong: boolean
  /** The phone that reports itself, and the nonce that its code is bound to. */
  readonly selfReport?: {
    readonly nonce: Uint8Array
    readonly phone: string
    /** Throws when the phone may not report itself yet; the realm is locked. */
    refuseRepeated(tx: Transaction): Promise<void>
  }
}

/** A code that was issued, as only its receiver ever sees it. */
export interface NewCode extends DrawnCode, CodeId {
  readonly uuid: string
  /** Unix seconds. */
  readonly expiresAt: number
  readonly longExpiresAt: number
}

/** How often a code is drawn anew when there is one like it. */
const MAX_DRAWS = 6

/**
 * Issues a code.
 *
 * @throws TocsinError `uuid_already_exists`, `quota_exceeded`
 */
export async function makeCode(
  context: AuthorizeContext,
  caller: Caller,
  wanted: WantedCode,
): Promise<NewCode> {
  const uuid = wanted.uuid ?? randomUUID()
  for (let draws = 1; ; draws++) {
    try {
      return await recordCode(context, caller, { ...wanted, uuid })
    } catch (error) {
      // The same code, or the same uuid at the same moment: the next round tells them apart.
      if (!(error instanceof AlreadyIssued) || draws === MAX_DRAWS) throw error
    }
  }
}

async function recordCode(
  context: AuthorizeContext,
  { realm, apiKey }: Caller,
  wanted: WantedCode & { readonly uuid: string },
): Promise<NewCode> {
  const now = context.now()
  const seconds = Math.floor(now.getTime() / 1000)
  const { shortLife, longLife } = realm.settings
  const drawn = context.drawCode(realm.settings)
  const peppers = await context.peppers()
  const pepper = peppers.version
  const expiresAt = seconds + shortLife
  const longExpiresAt = wanted.sendsLong ? seconds + longLife : expiresAt
  const { testType, symptomDate, testDate, uuid, externalIssuer, selfReport } = wanted
  const day = dayOf(now)
  const event = codeIssued(
    {
      realm: realm.name,
      uuid,
      testType,
      symptomDate,
      testDate,
      expiresAt,
      longExpiresAt,
      shortLife,
      externalIssuer,
      provider: apiKey.provider,
      apiKey: apiKey.prefix,
      staff: null,
      needsNonce: selfReport !== undefined,
    },
    {
      pepper,
      codeMac: peppers.under(pepper, 'code', realm.name, drawn.short),
      longCodeMac: peppers.under(pepper, 'code', realm.name, drawn.long),
      nonceMac: selfReport === undefined ? null : peppers.under(pepper, 'nonce', selfReport.nonce),
    },
    selfReport === undefined
      ? undefined
      : ({
          realm: realm.name,
          phoneMac: peppers.under(pepper, 'phone', realm.name, selfReport.phone),
          pepper,
          forgetDay: day + realm.settings.userReportDays,
        } satisfies ReportedPhone),
    issuedCounts(realm, apiKey.prefix, wanted, day, 1),
  )
  return context.db.transaction(async (tx) => {
    const pool = testType === 'user-report' ? 'reported' : 'issued'
    const subject = selfReport === undefined ? quotaSubjectOf(apiKey) : undefined
    await takeQuota(tx, realm, pool, subject, 1, day)
    if (selfReport !== undefined) {
      // One at a time: a phone that reports itself twice at once gets one text.
      await lockRealm(tx, realm.name)
      await selfReport.refuseRepeated(tx)
      await forgetPhone(tx, realm.name, peppers.every('phone', realm.name, selfReport.phone))
    }
    if (await isUuidTaken(tx, realm.name, uuid)) throw new TocsinError('uuid_already_exists')
    const [stored] = await appendEvents(tx, context.writer, [event], now)
    return { ...drawn, uuid, expiresAt, longExpiresAt, seq: stored?.seq ?? 0, place: 0 }
  })
}

function issuedCounts(
  realm: Realm,
  key: string,
  { externalIssuer, testType, selfReport }: WantedCode,
  day: number,
  count: number,
): StatCount[] {
  const by = selfReport === undefined ? { key } : null
  const isUserReport = testType === 'user-report'
  return countIssued({ realm: realm.name, day }, by, externalIssuer ?? '', isUserReport, count)
}

/** The text of a code, and who gets it. */
export interface CodeText {
  readonly phone: string
  readonly template: string
  readonly purpose: TextPurpose
}

/** The text that tells a code, signed where the realm signs its texts. @throws TocsinError `signing_key_invalid` */
export async function writeText(
  context: AuthorizeContext,
  { realm, known }: Caller,
  code: NewCode,
  { phone, template, purpose }: CodeText,
): Promise<string> {
  const { region, shortLife, longLife, linkDomain } = realm.settings
  const isSelfReport = purpose === 'User Report'
  const text = fillTemplate(template, {
    region,
    code: code.short,
    longCode: code.long,
    shortLife,
    linkDomain,
    longLife: isSelfReport ? shortLife : longLife,
  })
  return context.senderOf(known, realm).sign(text, purpose, phone, context.now())
}

/**
 * Sends the text of a code. When that fails the code is taken back, and the quota with it.
 *
 * @throws TocsinError `sms_failure`, `sms_queue_full`
 */
export async function sendText(
  context: AuthorizeContext,
  caller: Caller,
  code: NewCode,
  wanted: WantedCode,
  text: CodeText,
): Promise<void> {
  try {
    const message = {
      to: text.phone,
      text: await writeText(context, caller, code, text),
      // Drawn for this text alone: the gateway's log must not name a code.
      reference: randomUUID(),
    }
    const sender = await context.senderOf(caller.known, caller.realm).sender()
    await sender.send(message, NEVER)
  } catch (error) {
    const refused = error instanceof TocsinError ? error.code : 'sms_failure'
    await takeBack(context, caller, code, wanted, refused)
    throw error
  }
}

/** Nobody waits for the gateway longer than it waits itself. */
const NEVER = new AbortController().signal

/** Takes back a code that reached nobody. */
export async function takeBack(
  context: AuthorizeContext,
  { realm, apiKey }: Caller,
  code: NewCode,
  wanted: WantedCode,
  reason: string,
): Promise<void> {
  const now = context.now()
  const day = dayOf(now)
  const counts = [
    ...issuedCounts(realm, apiKey.prefix, wanted, day, -1),
    ...countTextError({ realm: realm.name, day }, reason),
  ]
  await context.db.transaction((tx) =>
    appendEvents(tx, context.writer, [codeFailed(code, counts)], now),
  )
}
