// Authorize: POST /api/user-report, somebody reports themselves and gets a code by text; promises that nobody learns from it whether a phone has reported itself before.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { appendEvents } from '../log/append-event.ts'
import { parseJsonObject, readNumber, readText } from '../operate/read-json.ts'
import { refuseWhileClosed } from './callers.ts'
import type { AuthorizeContext } from './context.ts'
import { checkDate } from './dates.ts'
import { describeTimes } from './issue-api.ts'
import { makeCode, sendText, type CodeText, type WantedCode } from './issue-code.ts'
import { judgeTestType } from './issue-request.ts'
import type { Peppers } from './peppers.ts'
import { parsePhone } from './phone-number.ts'
import type { RealmSettings } from './realm-settings.ts'
import { answer, type AuthorizeReply, type AuthorizeRequest } from './reply.ts'
import { countRepeatedReport, statEvents } from './stat-counts.ts'
import { dayOf } from './zone.ts'

/** Handles one request, from its body to its reply. */
export function reportYourself(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const caller = await context.findCaller(request.apiKey, 'device')
    const { realm } = caller
    refuseWhileClosed(realm)
    const wait = context.reports.mayReport(realm.name, request.addressPrefix)
    if (wait > 0)
      throw new TocsinError(
        'too_many_guesses',
        'Too many reports came from this network: try again after the seconds of Retry-After.',
        { retryAfter: wait },
      )
    const asked = await readReport(request.body, realm.settings, context.now())
    const seconds = Math.floor(context.now().getTime() / 1000)
    const peppers = await context.peppers()
    const refuseRepeated = async (tx: Transaction) => {
      if (await hasReported(tx, peppers, realm.name, asked.selfReport.phone, context.now()))
        throw new ReportedBefore()
    }
    const wanted = { ...asked, selfReport: { ...asked.selfReport, refuseRepeated } }
    const code = await makeCode(context, caller, wanted).catch(unlessReportedBefore)
    if (code === undefined) await countRepeated(context, realm.name)
    else {
      const message: CodeText = {
        phone: asked.selfReport.phone,
        template: realm.settings.userReportTemplate,
        purpose: 'User Report',
      }
      // Behind the answer, which must not tell whether there is a text to send. One that fails is taken back.
      context.background.run('sending a text', sendText(context, caller, code, wanted, message))
    }
    return describeTimes(seconds + realm.settings.shortLife, 'expiresAt')
  })
}

/** A report that sends nothing takes a commit as well, so that its time tells nothing either. */
async function countRepeated(context: AuthorizeContext, realm: string): Promise<void> {
  const now = context.now()
  const count = countRepeatedReport({ realm, day: dayOf(now) })
  await context.db.transaction((tx) => appendEvents(tx, context.writer, statEvents(count), now))
}

/** The phone has reported itself, and is told the same as if it had not. */
class ReportedBefore extends Error {
  override readonly name = 'ReportedBefore'
}

function unlessReportedBefore(error: unknown): undefined {
  if (!(error instanceof ReportedBefore)) throw error
}

const NONCE_BYTES = 256

/** A report as it was sent. */
interface SelfReport extends Omit<WantedCode, 'selfReport'> {
  readonly selfReport: { readonly nonce: Uint8Array; readonly phone: string }
}

async function readReport(
  body: Uint8Array,
  settings: RealmSettings,
  now: Date,
): Promise<SelfReport> {
  const fields = parseJsonObject(body, 'any', 'unparsable_request')
  const text = (name: string) => readText(fields, name)
  const given = { symptomDate: text('symptomDate'), testDate: text('testDate') }
  const tzOffset = readNumber(fields, 'tzOffset', 0)
  const [nonceText, phone] = [text('nonce'), text('phone')]
  text('padding')
  const testType = judgeTestType('user-report', settings, true)
  const nonce = decodeBase64(nonceText)
  if (nonce === undefined) throw new TocsinError('unparsable_request', 'nonce must be base64.')
  if (nonce.length === 0) throw new TocsinError('missing_nonce')
  if (nonce.length !== NONCE_BYTES)
    throw new TocsinError('unparsable_request', `nonce must have ${NONCE_BYTES} bytes.`)
  if (phone === '') throw new TocsinError('missing_phone')
  if (settings.requireDate && given.symptomDate === '' && given.testDate === '')
    throw new TocsinError('missing_date')
  const symptomDate = checkDate('symptomDate', given.symptomDate, tzOffset, now)
  const testDate = checkDate('testDate', given.testDate, tzOffset, now)
  const number = await parsePhone(phone, settings.country)
  if (settings.textSender === 'none') throw new TocsinError('texts_not_offered')
  return {
    testType,
    symptomDate,
    testDate,
    uuid: undefined,
    externalIssuer: null,
    // Both forms live as long as the short one.
    sendsLong: false,
    selfReport: { nonce, phone: number },
  }
}

/**
 * Whether a phone reported itself, and may not do so again yet. One whose code expired without anybody claiming it may: perhaps
 * the text never came.
 */
async function hasReported(
  tx: Transaction,
  peppers: Peppers,
  realm: string,
  phone: string,
  now: Date,
): Promise<boolean> {
  const seconds = Math.floor(now.getTime() / 1000)
  const { rowCount } = await tx.query(
    sql`select 1 from user_report r left join verification_code c on c.seq = r.seq and c.place = 0
        where r.realm = ${realm} and r.phone_mac = any(${peppers.every('phone', realm, phone)}::bytea[])
          and r.forget_day > ${dayOf(now)}::integer
          and not (c.seq is not null and not c.claimed and c.long_expires_at <= ${seconds}::bigint)
        limit 1`,
  )
  return rowCount !== 0
}
