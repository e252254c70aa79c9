// Authorize: the body of POST /api/issue as a value; promises to refuse, with a sentence, whatever can't be carried out as it says.

import { TocsinError } from '../errors.ts'
import type { ReportType } from '../format/report-type.ts'
import {
  parseJsonObject,
  readBoolean,
  readNumber,
  readText,
  type JsonFields,
} from '../operate/read-json.ts'
import { checkDate } from './dates.ts'
import { parseTestType } from './test-types.ts'

/** What a code is asked for. Dates are YYYY-MM-DD; at least one is there. */
export interface IssueRequest {
  readonly testType: ReportType
  readonly symptomDate: string | null
  readonly testDate: string | null
  /** Lower case; undefined leaves the choice to us. */
  readonly uuid: string | undefined
  readonly externalIssuer: string | null
}

const FIELDS = new Set([
  'testtype',
  'symptomdate',
  'testdate',
  'tzoffset',
  'phone',
  'smstemplatelabel',
  'uuid',
  'externalissuerid',
  'onlygeneratesms',
  'padding',
])

/**
 * Reads a body and judges it by the day.
 *
 * @throws TocsinError `unparsable_request`, `missing_date`, `invalid_date`, `texts_not_offered`, `invalid_test_type`,
 * `unsupported_test_type`; the first that applies, in this order
 */
export function parseIssueRequest(body: Uint8Array, now: Date): IssueRequest {
  const fields = parseJsonObject(body, FIELDS, 'unparsable_request')
  const text = (name: string) => readText(fields, name)
  const testType = text('testType')
  const given = { symptomDate: text('symptomDate'), testDate: text('testDate') }
  const tzOffset = readNumber(fields, 'tzOffset', 0)
  const uuid = readUuid(fields)
  const externalIssuer = readExternalIssuer(fields)
  text('padding')
  if (given.symptomDate === '' && given.testDate === '') throw new TocsinError('missing_date')
  const symptomDate = checkDate('symptomDate', given.symptomDate, tzOffset, now)
  const testDate = checkDate('testDate', given.testDate, tzOffset, now)
  refuseTexts(fields)
  return { testType: readTestType(testType), symptomDate, testDate, uuid, externalIssuer }
}

function refuseTexts(fields: JsonFields): void {
  const phone = readText(fields, 'phone')
  readText(fields, 'smsTemplateLabel')
  if (readBoolean(fields, 'onlyGenerateSMS'))
    throw new TocsinError(
      'unparsable_request',
      'No text messages are made here: leave onlyGenerateSMS out.',
    )
  if (phone !== '') throw new TocsinError('texts_not_offered')
}

function readTestType(text: string): ReportType {
  const testType = parseTestType(text)
  // Self-reports need a way to reach the person who reports, which a realm must be set up for.
  if (testType === 'user-report') throw new TocsinError('unsupported_test_type')
  return testType
}

function readUuid(fields: JsonFields): string | undefined {
  const uuid = readText(fields, 'uuid').toLowerCase()
  if (uuid === '') return undefined
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid))
    throw new TocsinError(
      'unparsable_request',
      'uuid must have the form 01234567-89ab-cdef-0123-456789abcdef.',
    )
  return uuid
}

const MAX_EXTERNAL_ISSUER = 255

function readExternalIssuer(fields: JsonFields): string | null {
  const text = readText(fields, 'externalIssuerID')
  if (text.length > MAX_EXTERNAL_ISSUER || /\p{Cc}/u.test(text) || !text.isWellFormed())
    throw new TocsinError(
      'unparsable_request',
      `externalIssuerID must have at most ${MAX_EXTERNAL_ISSUER} characters, none of them a control character.`,
    )
  return text === '' ? null : text
}
