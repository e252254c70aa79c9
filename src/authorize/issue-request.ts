// Authorize: a request for a code as a value; promises to refuse, with a sentence, whatever can't be carried out as it says.

import { TocsinError } from '../errors.ts'
import type { ReportType } from '../format/report-type.ts'
import { readBoolean, readNumber, readText, type JsonFields } from '../operate/read-json.ts'
import { checkDate } from './dates.ts'
import { parsePhone } from './phone-number.ts'
import type { RealmSettings } from './realm-settings.ts'

/** What a code is asked for. Dates are YYYY-MM-DD. */
export interface IssueRequest {
  /** As it was sent; judged last, as existing servers do. */
  readonly testType: string
  readonly symptomDate: string | null
  readonly testDate: string | null
  /** Lower case; undefined leaves the choice to us. */
  readonly uuid: string | undefined
  readonly externalIssuer: string | null
  /** Whom the code is sent to. */
  readonly text: TextWanted | undefined
}

/** A text that is to be made. */
export interface TextWanted {
  /** E.164: lives in memory only. */
  readonly phone: string
  /** The label of its template. */
  readonly label: string
  /** Whether the caller sends it. */
  readonly onlyGenerate: boolean
}

/** The fields of such a request, in lower case. */
export const ISSUE_FIELDS: ReadonlySet<string> = new Set([
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
 * Reads the fields and judges them by the day and by the realm.
 *
 * @throws TocsinError `unparsable_request`, `missing_date`, `invalid_date`, `phone_number_invalid`, `texts_not_offered`; the first
 * that applies, in the order of existing servers
 */
export async function readIssueRequest(
  fields: JsonFields,
  settings: RealmSettings,
  now: Date,
): Promise<IssueRequest> {
  const given = readIssueFields(fields)
  const { testType, tzOffset } = given
  if (settings.requireDate && given.symptomDate === '' && given.testDate === '')
    throw new TocsinError('missing_date')
  const symptomDate = checkDate('symptomDate', given.symptomDate, tzOffset, now)
  const testDate = checkDate('testDate', given.testDate, tzOffset, now)
  const text = await readWantedText(given.phone, given.label, given.onlyGenerate, settings)
  const uuid = readUuid(given.uuid)
  const externalIssuer = readExternalIssuer(given.externalIssuer)
  return { testType, symptomDate, testDate, uuid, externalIssuer, text }
}

/** The fields of a request for a code, each of the right type. */
interface IssueFields {
  readonly testType: string
  readonly symptomDate: string
  readonly testDate: string
  readonly tzOffset: number
  readonly phone: string
  readonly label: string
  readonly uuid: string
  readonly externalIssuer: string
  readonly onlyGenerate: boolean
}

/** Reads the fields; what they say is not judged. @throws TocsinError `unparsable_request` when one has another type */
export function readIssueFields(fields: JsonFields): IssueFields {
  const text = (name: string) => readText(fields, name)
  text('padding')
  return {
    testType: text('testType'),
    symptomDate: text('symptomDate'),
    testDate: text('testDate'),
    tzOffset: readNumber(fields, 'tzOffset', 0),
    phone: text('phone'),
    label: text('smsTemplateLabel'),
    uuid: text('uuid'),
    externalIssuer: text('externalIssuerID'),
    onlyGenerate: readBoolean(fields, 'onlyGenerateSMS'),
  }
}

async function readWantedText(
  phone: string,
  label: string,
  onlyGenerate: boolean,
  settings: RealmSettings,
): Promise<TextWanted | undefined> {
  const parsed = phone === '' ? undefined : await parsePhone(phone, settings.country)
  if (onlyGenerate && !settings.generateTexts)
    throw new TocsinError(
      'unparsable_request',
      'This realm does not let callers send texts themselves: leave onlyGenerateSMS out.',
    )
  if (onlyGenerate && parsed === undefined)
    throw new TocsinError('unparsable_request', 'onlyGenerateSMS needs phone.')
  if (parsed === undefined) return undefined
  if (!onlyGenerate && settings.textSender === 'none') throw new TocsinError('texts_not_offered')
  const known = label === '' ? 'default' : label
  if (!Object.hasOwn(settings.textTemplates, known))
    throw new TocsinError('unparsable_request', 'The realm has no text of this smsTemplateLabel.')
  return { phone: parsed, label: known, onlyGenerate }
}

/** Characters, what is around it among them. */
const MAX_UUID = 200

function readUuid(text: string): string | undefined {
  // What is around it is passed over, as existing servers do; of a long text nobody knows what it should be.
  const trimmed = text.length > MAX_UUID ? 'none' : text.replace(/^[\s\p{C}]+|[\s\p{C}]+$/gu, '')
  if (trimmed === '') return undefined
  const uuid = normalizeUuid(trimmed)
  if (uuid === undefined)
    throw new TocsinError(
      'unparsable_request',
      'uuid must have the form 01234567-89ab-cdef-0123-456789abcdef.',
    )
  return uuid
}

// The forms that existing servers' databases take: in braces or not, a hyphen behind any group of four digits or none.
const UUID_FORM = /^([0-9a-f]{4}-?){7}[0-9a-f]{4}$/

/** A uuid in its usual form, in lower case; undefined when the text is none. */
export function normalizeUuid(text: string): string | undefined {
  const lower = text.toLowerCase()
  const bare = lower.startsWith('{') && lower.endsWith('}') ? lower.slice(1, -1) : lower
  if (!UUID_FORM.test(bare)) return undefined
  const digits = bare.replaceAll('-', '')
  return [8, 12, 16, 20, 32]
    .map((end, index, ends) => digits.slice(index === 0 ? 0 : ends[index - 1], end))
    .join('-')
}

const MAX_EXTERNAL_ISSUER = 255

function readExternalIssuer(text: string): string | null {
  if (text.length > MAX_EXTERNAL_ISSUER || /[\p{Cc}\ufeff]/u.test(text) || !text.isWellFormed())
    throw new TocsinError(
      'unparsable_request',
      `externalIssuerID must have at most ${MAX_EXTERNAL_ISSUER} characters, none of them a control character.`,
    )
  return text === '' ? null : text
}

/** A test type that the realm issues. @throws TocsinError `invalid_test_type`, `unsupported_test_type` */
export function judgeTestType(
  type: ReportType,
  settings: RealmSettings,
  isSelfReport: boolean,
): ReportType {
  if (type === 'user-report' && !isSelfReport && !settings.adminUserReport)
    throw new TocsinError('unsupported_test_type')
  if (!settings.testTypes.includes(type)) throw new TocsinError('unsupported_test_type')
  return type
}
