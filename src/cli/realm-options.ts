// Cli: a realm's settings as options; promises that each has its line of help, and that a text stays a text.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { REALM_DEFAULTS, type RealmSettings } from '../authorize/realm-settings.ts'
import { TocsinError } from '../errors.ts'
import { parseDuration } from '../operate/duration.ts'
import { textOption, type CommandContext, type CommandOption } from './command.ts'

/** What `realm add` and `realm set` have in common. */
export const SETTING_OPTIONS = {
  set: {
    type: 'string',
    multiple: true,
    help: 'NAME=VALUE of one of the settings above: plain text or JSON; may be given several times',
  },
  template: {
    type: 'string',
    multiple: true,
    help: 'LABEL=FILE: the text message of that label lies in the file; the others stay',
  },
  'remove-template': { type: 'string', multiple: true, help: 'LABEL of a text message to remove' },
  'user-report-template': { type: 'string', help: 'file with the text message of self-reports' },
} as const satisfies Record<string, CommandOption>

const HELP: Readonly<Record<keyof RealmSettings, string>> = {
  displayName: 'its name for people, on cards and in texts',
  region: 'region that links name, such as US-WA',
  language: 'tag of the language of cards, such as en or pt-BR',
  country: 'country of phone numbers without one, such as US',
  maintenance: 'true: nothing is issued, verified or certified, and no batch is made',
  testTypes: 'confirmed,likely,negative,user-report, or some of them',
  adminUserReport: 'true: health systems may issue self-reports',
  requireDate: 'false: a code needs no date of symptoms or of a test',
  shortLength: 'digits of a short code, 6 to 10',
  shortLife: 'how long a short code lives',
  longLength: 'characters of a long code, 12 to 32, not 20',
  longLife: 'how long a long code lives',
  paperLife: 'how long the codes of a batch live at the most',
  certificateLife: 'how long a certificate lives',
  bulk: 'true: several codes may be asked for in one request',
  textSender: 'gateway: texts leave through gatewayUrl; none: not at all',
  gatewayUrl: 'address of the gateway for texts, https',
  generateTexts: 'true: callers may take a text (onlyGenerateSMS) and send it themselves',
  textTemplates: 'texts by label; see --template',
  userReportTemplate: 'text of self-reports; see --user-report-template',
  signTexts: 'true: texts are signed, as phones recognise them',
  linkDomain: "host of links of this realm's own",
  userReportDays: 'days until a phone may report itself again',
  dailyQuota: 'codes a day until 14 days are there to learn from; null: any number, for ever',
  quotaPercent: 'percent of what is expected from the days before that may be issued',
  memberQuota: 'codes a day of one member of staff or API key; null: any number',
  keyRotationDays: 'days after which the signing key is replaced; 0: never',
}

/** The settings, a line each, for the help of commands. */
export const SETTINGS_HELP = `Settings (durations such as 15m, 24h, 28d, or seconds):\n${Object.entries(
  HELP,
)
  .map(([name, help]) => `  ${name.padEnd(20)} ${help}`)
  .join('\n')}`

/** A change of settings: what is given, by what is there. */
export interface SettingsChange {
  /** Whether nothing was given. */
  readonly isEmpty: boolean
  apply(before: RealmSettings): Readonly<Record<string, unknown>>
}

/**
 * What the options say of a realm's settings; whether the values are right is judged where they are kept.
 *
 * @throws TocsinError `usage`, `target_unreadable` when a template's file can't be read
 */
export async function readSettings(context: CommandContext): Promise<SettingsChange> {
  const pairs = pairsOf(context, 'set', 'SETTING=VALUE')
  checkDurations(pairs)
  const plain = Object.fromEntries(pairs.map(([name, value]) => [name, readValue(name, value)]))
  const templates = Object.fromEntries(
    await Promise.all(
      pairsOf(context, 'template', 'LABEL=FILE').map(
        async ([label, file]) => [label, await readTemplate(file)] as const,
      ),
    ),
  )
  const removed = listOf(context, 'remove-template')
  const selfReport = textOption(context, 'user-report-template')
  if (selfReport !== undefined) plain['userReportTemplate'] = await readTemplate(selfReport)
  const changesTemplates = removed.length > 0 || Object.keys(templates).length > 0
  return {
    isEmpty: Object.keys(plain).length === 0 && !changesTemplates,
    apply(before) {
      if (!changesTemplates) return plain
      const kept = { ...before.textTemplates, ...(plain['textTemplates'] as object | undefined) }
      for (const label of removed)
        if (!Object.hasOwn(kept, label))
          throw new TocsinError('realm_invalid', 'The realm has no text of a label to be removed.')
      const left = Object.entries(kept).filter(([label]) => !removed.includes(label))
      return { ...plain, textTemplates: { ...Object.fromEntries(left), ...templates } }
    },
  }
}

/** Settings for people, a line each. @param names which of them */
export function describeSettings(settings: RealmSettings, names: readonly string[]): string[] {
  return Object.entries(settings)
    .filter(([name]) => names.includes(name))
    .map(([name, value]) => `  ${name.padEnd(20)} ${JSON.stringify(value)}`)
}

function listOf(context: CommandContext, name: string): string[] {
  const given = context.values[name]
  return Array.isArray(given) ? given.map(String) : []
}

function pairsOf(context: CommandContext, option: string, form: string): [string, string][] {
  return listOf(context, option).map((pair) => {
    const at = pair.indexOf('=')
    if (at < 1) throw new TocsinError('usage', `--${option} must be ${form}.`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
}

/** All that are none, at once. @throws TocsinError `usage` */
function checkDurations(pairs: readonly (readonly [string, string])[]): void {
  const wrong = pairs.filter(
    ([name, text]) => isDuration(name) && parseDuration(text) === undefined,
  )
  if (wrong.length > 0)
    throw new TocsinError(
      'usage',
      `${wrong.map(([name]) => name).join(', ')} must be a duration such as 15m, 24h or 28d, or seconds.`,
    )
}

function isDuration(name: string): boolean {
  return name.endsWith('Life') && Object.hasOwn(REALM_DEFAULTS, name)
}

/** A value as its setting needs it; what can't be read so stays a text, and is refused with the setting's own sentence. */
function readValue(name: string, text: string): unknown {
  if (!Object.hasOwn(REALM_DEFAULTS, name)) return text
  const usual = REALM_DEFAULTS[name as keyof RealmSettings]
  if (typeof usual === 'string') return text.startsWith('"') ? asJson(text) : text
  if (Array.isArray(usual) && !text.startsWith('[')) return text.split(',').map((it) => it.trim())
  if (isDuration(name)) return parseDuration(text)
  return asJson(text)
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

async function readTemplate(file: string): Promise<string> {
  const path = resolve(file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new TocsinError('target_unreadable', `${path} can't be read.`, { cause: error })
  })
  // Editors end a file with a line feed that nobody means to send.
  return text.replace(/\r?\n$/, '')
}
