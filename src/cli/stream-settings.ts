// Cli: what streams of one kind of key can be told and others can't; promises options from the table of kinds, and a refusal of those that a stream's kind doesn't have.

import { TocsinError } from '../errors.ts'
import { KINDS } from '../kinds.ts'
import type { StreamEncoder, StreamSetting } from '../publish/stream-encoder.ts'
import type { StreamChanges } from '../publish/streams.ts'
import { textOption, type CommandContext, type CommandOption } from './command.ts'

/** The options of all kinds. */
export const SETTING_OPTIONS: Readonly<Record<string, CommandOption>> = Object.fromEntries(
  KINDS.flatMap(({ name, encoder }) =>
    Object.values(encoder.settings ?? {}).map(({ option, help }) => [
      option,
      { type: 'string', help: `${help} (kind ${name})` },
    ]),
  ),
)

/** Whether any of them was given. */
export function hasSettings(context: CommandContext): boolean {
  return Object.keys(SETTING_OPTIONS).some((option) => textOption(context, option) !== undefined)
}

/** What a stream of a kind has when nobody says otherwise, where that differs from others. */
export function defaultsOfKind(kind: string): StreamEncoder['streamDefaults'] {
  return encoderOfKind(kind)?.streamDefaults
}

/**
 * A stream's own settings after a change.
 *
 * @param stream as it is
 * @returns nothing when none was given
 * @throws TocsinError `usage`
 */
export function changeSettings(
  context: CommandContext,
  {
    kind,
    settings,
  }: { readonly kind: string; readonly settings: Readonly<Record<string, unknown>> },
): StreamChanges {
  const own = Object.entries(encoderOfKind(kind)?.settings ?? {})
  const changed: Record<string, unknown> = {}
  for (const option of Object.keys(SETTING_OPTIONS)) {
    const text = textOption(context, option)
    if (text === undefined) continue
    const [name, setting] = own.find(([, each]) => each.option === option) ?? []
    if (name === undefined || setting === undefined)
      throw new TocsinError(
        'usage',
        `--${option} is nothing that a stream of the kind ${kind} has.`,
      )
    changed[name] = parseSetting(setting, text)
  }
  return Object.keys(changed).length === 0 ? {} : { settings: { ...settings, ...changed } }
}

function parseSetting({ option, expected, parse }: StreamSetting, text: string): unknown {
  const value = parse(text)
  if (value === undefined) throw new TocsinError('usage', `--${option} must be ${expected}.`)
  return value
}

function encoderOfKind(kind: string) {
  return KINDS.find(({ name }) => name === kind)?.encoder
}
