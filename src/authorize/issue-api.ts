// Authorize: POST /api/issue and /api/batch-issue, a health system asks for codes; promises for each code asked for an answer of its own, in order.

import { TocsinError } from '../errors.ts'
import {
  parseJsonObject,
  readArray,
  readObject,
  readText,
  type JsonFields,
} from '../operate/read-json.ts'
import { refuseWhileClosed, type Caller } from './callers.ts'
import type { AuthorizeContext } from './context.ts'
import {
  makeCode,
  sendText,
  takeBack,
  writeText,
  type CodeText,
  type WantedCode,
} from './issue-code.ts'
import { ISSUE_FIELDS, judgeTestType, readIssueFields, readIssueRequest } from './issue-request.ts'
import { isUuidTaken } from './lock-codes.ts'
import {
  answer,
  describeRefusal,
  padded,
  type AuthorizeReply,
  type AuthorizeRequest,
} from './reply.ts'
import { parseTestType } from './test-types.ts'

/** Handles POST /api/issue, from its body to its reply. */
export function issueOne(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const caller = await context.findCaller(request.apiKey, 'admin')
    refuseWhileClosed(caller.realm)
    const fields = parseJsonObject(request.body, ISSUE_FIELDS, 'unparsable_request')
    return issue(context, caller, fields)
  })
}

const BATCH_FIELDS = new Set(['codes', 'padding'])
/** Codes in one request. */
const MOST_CODES = 10

/** Handles POST /api/batch-issue. Some of the codes may be issued though others are refused. */
export async function issueSeveral(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  let firstRefusal: TocsinError | undefined
  const reply = await answer('unparsable_request', async () => {
    const caller = await context.findCaller(request.apiKey, 'admin')
    refuseWhileClosed(caller.realm)
    if (!caller.realm.settings.bulk) throw new TocsinError('bulk_not_offered')
    const fields = parseJsonObject(request.body, BATCH_FIELDS, 'unparsable_request')
    readText(fields, 'padding')
    const asked = readArray(fields, 'codes').map((item) => {
      const each = readObject(item, ISSUE_FIELDS, 'each of codes', 'unparsable_request')
      // A field of the wrong type spoils the whole request, before any code of it is issued.
      readIssueFields(each)
      return each
    })
    if (asked.length > MOST_CODES)
      throw new TocsinError(
        'bulk_not_offered',
        `codes must have at most ${MOST_CODES}: send the others in further requests.`,
      )
    const issued = await Promise.all(
      asked.map((each) => issue(context, caller, each).catch((error: unknown) => asRefusal(error))),
    )
    firstRefusal = issued.find((each) => each instanceof TocsinError)
    return {
      codes: issued.map((each) => (each instanceof TocsinError ? describeItem(each) : each)),
    }
  })
  if (firstRefusal === undefined) return reply
  const { status, errorCode } = describeRefusal(firstRefusal, 'unparsable_request')
  const codes = reply.body['codes'] as readonly Record<string, unknown>[]
  const refused = codes.filter((code) => 'error' in code).length
  const error = `${refused} of ${codes.length} codes were not issued: see each one's error.`
  return { status, body: padded({ codes, error, errorCode, error_code: errorCode }) }
}

function asRefusal(error: unknown): TocsinError {
  if (error instanceof TocsinError && error.code !== 'unavailable' && error.status < 500)
    return error
  throw error
}

function describeItem(refusal: TocsinError): Record<string, unknown> {
  const { errorCode, sentence } = describeRefusal(refusal, 'unparsable_request')
  return { error: sentence, errorCode, error_code: errorCode }
}

/**
 * Issues one code, and sends it or writes its text where that is asked for.
 *
 * @throws TocsinError each of those of `readIssueRequest`, `judgeTestType`, `makeCode` and `sendText`
 */
async function issue(
  context: AuthorizeContext,
  caller: Caller,
  fields: JsonFields,
): Promise<Record<string, unknown>> {
  const { settings, name } = caller.realm
  const { text, testType, ...rest } = await readIssueRequest(fields, settings, context.now())
  // Before the rest is judged, so that one that is repeated costs nothing.
  if (rest.uuid !== undefined && (await isUuidTaken(context.db, name, rest.uuid)))
    throw new TocsinError('uuid_already_exists')
  const type = judgeTestType(parseTestType(testType), settings, false)
  const isSelfReport = type === 'user-report'
  if (isSelfReport && text === undefined) throw new TocsinError('missing_phone')
  const wanted: WantedCode = {
    ...rest,
    testType: type,
    // Both forms of a self-report's code live as long as the short one.
    sendsLong: text !== undefined && !isSelfReport,
  }
  const code = await makeCode(context, caller, wanted)
  const reply = {
    uuid: code.uuid,
    code: code.short,
    ...describeTimes(code.expiresAt, 'expiresAt'),
    ...describeTimes(code.longExpiresAt, 'longExpiresAt'),
  }
  if (text === undefined) return reply
  const message: CodeText = {
    phone: text.phone,
    template: isSelfReport
      ? settings.userReportTemplate
      : (settings.textTemplates[text.label] ?? ''),
    purpose: isSelfReport ? 'User Report' : 'EN Report',
  }
  if (!text.onlyGenerate) {
    await sendText(context, caller, code, wanted, message)
    return reply
  }
  try {
    const generatedSMS = await writeText(context, caller, code, message)
    return { ...reply, generatedSMS, phone: text.phone }
  } catch (error) {
    await takeBack(context, caller, code, wanted, 'sms_failure')
    throw error
  }
}

/** A time in both forms that existing systems read. @param seconds unix */
export function describeTimes(seconds: number, name: string): Record<string, unknown> {
  return { [name]: formatTime(seconds), [`${name}Timestamp`]: seconds }
}

/** A time as RFC 1123 has it, in the spelling that existing health systems know. */
function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', 'UTC')
}
