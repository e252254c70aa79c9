// Authorize: what a realm can set for itself, with its limits; promises that a setting that was accepted can be carried out.

import { TocsinError } from '../errors.ts'
import { isReportType, type ReportType } from '../format/report-type.ts'
import { checkTemplate } from './text-template.ts'

/** The settings of a realm. Durations are seconds unless they say days. */
export interface RealmSettings {
  /** As people read it, on cards and in texts. */
  readonly displayName: string
  /** Of the region that links name, such as US-WA; empty when there is none. */
  readonly region: string
  /** BCP 47 language tag of cards and texts. */
  readonly language: string
  /** ISO 3166-1: the country of phone numbers without one; empty when each must name its own. */
  readonly country: string
  /** Nothing is issued or verified. */
  readonly maintenance: boolean
  /** What staff and health systems may issue; `user-report` lets people report themselves by phone. */
  readonly testTypes: readonly ReportType[]
  /** Whether health systems may issue self-reports, too. */
  readonly adminUserReport: boolean
  /** Whether a date of symptoms or of a test is needed. */
  readonly requireDate: boolean
  /** Digits of a short code, and how long it lives. */
  readonly shortLength: number
  readonly shortLife: number
  /** Characters of a long code, and how long it lives. */
  readonly longLength: number
  readonly longLife: number
  /** How long the codes of a batch of cards live at the most. */
  readonly paperLife: number
  readonly certificateLife: number
  /** Whether several codes may be asked for in one request. */
  readonly bulk: boolean
  /** How texts leave: not at all, or through an HTTP gateway. */
  readonly textSender: 'none' | 'gateway'
  /** The gateway's address, https; empty when there is none. Its secret is wrapped. */
  readonly gatewayUrl: string
  /** Whether callers may take a text and send it themselves. */
  readonly generateTexts: boolean
  /** By label; the label `default` is used when none is named. */
  readonly textTemplates: Readonly<Record<string, string>>
  /** The text of self-reports. */
  readonly userReportTemplate: string
  /** Whether texts are signed, as phones recognise them. */
  readonly signTexts: boolean
  /** Host of links, such as us-wa.en.example; empty when they open the phone's own address. */
  readonly linkDomain: string
  /** Days for which a phone that reported itself can't do so again. */
  readonly userReportDays: number
  /** Codes a day: null for any number, else what is allowed until there is enough to learn from. */
  readonly dailyQuota: number | null
  /** Percent of what the model expects. */
  readonly quotaPercent: number
  /** Codes a day of one member of staff or one API key, unless it has its own limit; null for any number. */
  readonly memberQuota: number | null
  /** Days after which the key that signs certificates is replaced; 0 for never. */
  readonly keyRotationDays: number
}

/** What a realm has that says nothing else. */
export const REALM_DEFAULTS: RealmSettings = {
  displayName: '',
  region: '',
  language: 'en',
  country: '',
  maintenance: false,
  testTypes: ['confirmed', 'likely', 'negative'],
  adminUserReport: false,
  requireDate: true,
  shortLength: 8,
  shortLife: 15 * 60,
  longLength: 16,
  longLife: 24 * 3600,
  paperLife: 28 * 86_400,
  certificateLife: 15 * 60,
  bulk: false,
  textSender: 'none',
  gatewayUrl: '',
  generateTexts: false,
  textTemplates: {
    default: 'Your exposure notification code is [code]. It expires in [expires] minutes.',
  },
  userReportTemplate: 'Your exposure notification code is [code]. It expires in [expires] minutes.',
  signTexts: false,
  linkDomain: '',
  userReportDays: 90,
  dailyQuota: null,
  quotaPercent: 100,
  memberQuota: null,
  keyRotationDays: 30,
}

/** A whole number with its limits, or a boolean, or a text with its form: what can be said of one setting alone. */
type Rule = readonly [least: number, most: number] | 'boolean' | RegExp

const COUNT: Rule = [1, 1_000_000]

/** A text message may have several lines; PostgreSQL keeps no NUL, and a phone shows no other control character. */
const TEXT = /^(?:[^\p{Cc}\ufeff]|[\t\r\n]){1,800}$/u

const RULES: Readonly<Partial<Record<keyof RealmSettings, Rule>>> = {
  displayName: /^[^\p{Cc}\ufeff]{0,100}$/u,
  region: /^([A-Z]{2}(-[A-Z0-9]{1,7})?)?$/,
  language: /^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/,
  country: /^([A-Z]{2})?$/,
  maintenance: 'boolean',
  adminUserReport: 'boolean',
  requireDate: 'boolean',
  shortLength: [6, 10],
  shortLife: [60, 7200],
  longLength: [12, 32],
  longLife: [3600, 7 * 86_400],
  paperLife: [3600, 60 * 86_400],
  certificateLife: [60, 3600],
  bulk: 'boolean',
  textSender: /^(none|gateway)$/,
  gatewayUrl:
    /^(https:\/\/[\x21-\x7e]{1,300}|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?\/?[\x21-\x7e]*)?$/,
  generateTexts: 'boolean',
  userReportTemplate: TEXT,
  signTexts: 'boolean',
  linkDomain: /^([a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9})?$/,
  userReportDays: [1, 365],
  dailyQuota: COUNT,
  quotaPercent: [10, 1000],
  memberQuota: COUNT,
  keyRotationDays: [0, 365],
}

const NULLABLE: ReadonlySet<string> = new Set(['dailyQuota', 'memberQuota'])

/**
 * Takes settings as they came over those that were there.
 *
 * @param given names and values; each must be a setting
 * @throws TocsinError `realm_invalid` with a sentence that names the setting
 */
export function changeSettings(
  before: RealmSettings,
  given: Readonly<Record<string, unknown>>,
): RealmSettings {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(REALM_DEFAULTS, name))
      throw refusal(`There is no setting "${name.slice(0, 40)}".`)
    checkOne(name as keyof RealmSettings, value)
  }
  const after = { ...before, ...given } as RealmSettings
  if (after.textSender === 'gateway' && after.gatewayUrl === '')
    throw refusal('textSender "gateway" needs gatewayUrl.')
  // Paper codes have so many.
  if (after.longLength === 20) throw refusal('longLength must not be 20.')
  checkTexts(after)
  if (after.longLife < after.shortLife)
    throw refusal('longLife must not be shorter than shortLife.')
  return after
}

function checkOne(name: keyof RealmSettings, value: unknown): void {
  if (name === 'testTypes') return checkTestTypes(value)
  if (name === 'textTemplates') return checkTemplates(value)
  const rule = RULES[name]
  if (value === null && NULLABLE.has(name)) return
  if (rule === 'boolean') {
    if (typeof value !== 'boolean') throw refusal(`${name} must be true or false.`)
  } else if (rule instanceof RegExp) {
    if (typeof value !== 'string' || !value.isWellFormed() || !rule.test(value))
      throw refusal(`${name} does not have the form that it needs.`)
  } else if (rule !== undefined) {
    const [least, most] = rule
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw refusal(
        `${name} must be a whole number from ${least} to ${most}${NULLABLE.has(name) ? ', or null' : ''}.`,
      )
  }
}

/** Templates are judged by what else is set: links need a host, or a region. */
function checkTexts({
  textTemplates,
  userReportTemplate,
  linkDomain,
  region,
}: RealmSettings): void {
  const texts = [
    ...Object.entries(textTemplates).map(([label, text]) => ({
      label,
      text,
      kind: 'issue' as const,
    })),
    { label: 'userReportTemplate', text: userReportTemplate, kind: 'user-report' as const },
  ]
  for (const { label, text, kind } of texts) {
    try {
      checkTemplate(text, kind, linkDomain !== '')
    } catch (error) {
      throw error instanceof TocsinError ? refusal(`${label}: ${error.message}`) : error
    }
    if (text.includes('[enslink]') && linkDomain === '' && region === '')
      throw refusal(`${label}: [enslink] needs linkDomain or region.`)
  }
}

function checkTestTypes(value: unknown): void {
  const types: unknown[] = Array.isArray(value) ? value : []
  const isRight =
    types.length > 0 && types.every((type) => typeof type === 'string' && isReportType(type))
  if (!isRight || new Set(types).size < types.length)
    throw refusal(
      'testTypes must be some of confirmed, likely, negative and user-report, each once.',
    )
}

const MOST_TEMPLATES = 50

function checkTemplates(value: unknown): void {
  const templates = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const isText = ([label, text]: [string, unknown]) =>
    /^[^\p{Cc}\ufeff]{1,40}$/u.test(label) &&
    label.isWellFormed() &&
    typeof text === 'string' &&
    text.isWellFormed() &&
    TEXT.test(text)
  if (
    !templates.every(isText) ||
    templates.length > MOST_TEMPLATES ||
    !templates.some(([label]) => label === 'default')
  )
    throw refusal(
      `textTemplates must have at most ${MOST_TEMPLATES} texts of 1 to 800 printable characters by their labels, one of them "default".`,
    )
}

function refusal(sentence: string): TocsinError {
  return new TocsinError('realm_invalid', sentence)
}
