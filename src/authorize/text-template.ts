// Authorize: the texts that a realm writes for its messages; promises that a template that was accepted gives a text with exactly one way in, never too long to be sent.

import { TocsinError } from '../errors.ts'

/** What a template can name. Lives are seconds. */
export interface TextValues {
  /** Of the realm; empty when it has none. */
  readonly region: string
  readonly code: string
  readonly longCode: string
  readonly shortLife: number
  readonly longLife: number
  /** Host of links; empty for links that open the phone's own address. */
  readonly linkDomain: string
}

/** What a text is for: a result that somebody else reports, or one that people report themselves. */
export type TemplateKind = 'issue' | 'user-report'

const TOKENS = ['region', 'code', 'expires', 'longcode', 'longexpires', 'enslink'] as const
type Token = (typeof TOKENS)[number]

/** One word in brackets: a name, or somebody's idea of one. */
const IN_BRACKETS = /\[([A-Za-z_-]+)\]/g

/** Of a template, and of the text made of it: six segments of 153 characters. */
const MOST_TEMPLATE = 800
const MOST_TEXT = 918

/** The longest of each that the settings of a realm allow; a host has 253 characters at the most. */
const LONGEST: TextValues = {
  region: 'US-WASHING',
  code: '0'.repeat(10),
  longCode: '0'.repeat(32),
  shortLife: 7200,
  longLife: 7 * 86_400,
  linkDomain: '',
}
const LONGEST_DOMAIN = 'a'.repeat(253)

/**
 * Makes a text of a template.
 *
 * @param template one that `checkTemplate` accepts; words in brackets that are no names stay as they are
 */
export function fillTemplate(template: string, values: TextValues): string {
  // In one pass: what was filled in is not looked at again.
  return template.replace(IN_BRACKETS, (written, name: string) =>
    isToken(name) ? FILLED[name](values) : written,
  )
}

/**
 * Checks a template before a realm keeps it.
 *
 * @param hasLinkDomain whether links have a host of the realm's; they are longer then
 * @throws TocsinError `realm_invalid` with one sentence for each thing to mend
 */
export function checkTemplate(template: string, kind: TemplateKind, hasLinkDomain: boolean): void {
  const names = [...template.matchAll(IN_BRACKETS)].map(([, name = '']) => name)
  const problems = [
    ...findUnknown(names),
    ...findUnfit(new Set(names), kind),
    ...findTooLong(template, hasLinkDomain),
  ]
  if (problems.length > 0) throw new TocsinError('realm_invalid', problems.join(' '))
}

// Minutes and hours are rounded down: a code must not end before its text says so.
const FILLED: Readonly<Record<Token, (values: TextValues) => string>> = {
  region: ({ region }) => region,
  code: ({ code }) => code,
  expires: ({ shortLife }) => String(Math.floor(shortLife / 60)),
  longcode: ({ longCode }) => longCode,
  longexpires: ({ longLife }) => String(Math.floor(longLife / 3600)),
  enslink: ({ region, longCode, linkDomain }) =>
    linkDomain === ''
      ? `ens://v?r=${region}&c=${longCode}`
      : `https://${linkDomain}/v?c=${longCode}`,
}

function isToken(name: string): name is Token {
  return (TOKENS as readonly string[]).includes(name)
}

const MOST_NAMED = 5

function findUnknown(names: readonly string[]): string[] {
  const unknown = [...new Set(names.filter((name) => !isToken(name)))].slice(0, MOST_NAMED)
  const known = TOKENS.map((name) => `[${name}]`).join(', ')
  return unknown.map(
    (name) => `A text can not have [${name.slice(0, 40)}]: what is filled in is ${known}.`,
  )
}

function findUnfit(names: ReadonlySet<string>, kind: TemplateKind): string[] {
  const problems: string[] = []
  if (names.has('enslink')) {
    if (names.has('region') || names.has('longcode'))
      problems.push(
        'A text with [enslink] must have no [region] and no [longcode]: the link has both.',
      )
  } else if (names.has('code') === names.has('longcode')) {
    problems.push('A text must have [enslink], or exactly one of [code] and [longcode].')
  }
  if (kind === 'user-report' && names.has('longexpires'))
    problems.push(
      'The text of self-reports must not have [longexpires]: both codes live as long as [expires] says.',
    )
  return problems
}

function findTooLong(template: string, hasLinkDomain: boolean): string[] {
  if (template.length > MOST_TEMPLATE)
    return [
      `A text must have at most ${MOST_TEMPLATE} characters; this one has ${template.length}.`,
    ]
  const linkDomain = hasLinkDomain ? LONGEST_DOMAIN : ''
  const { length } = fillTemplate(template, { ...LONGEST, linkDomain })
  if (length <= MOST_TEXT) return []
  return [
    `A text must have at most ${MOST_TEXT} characters when it is filled in; this one may have ${length}.`,
  ]
}
