// Cli: the options that say what a stream is; promises that a change holds what was given and nothing else.

import { TocsinError } from '../errors.ts'
import { EXPORT_REPORT_TYPES, isReportType } from '../format/report-type.ts'
import { parseDuration } from '../operate/duration.ts'
import { parseTimestamp } from '../operate/timestamp.ts'
import { TRAVELER_RULES } from '../publish/check-stream.ts'
import type { Stream, StreamChanges } from '../publish/streams.ts'
import { textOption, type CommandContext, type CommandOption } from './command.ts'

/** What `stream add` and `stream update` have in common, but for the signing keys. */
export const STREAM_OPTIONS = {
  region: { type: 'string', help: 'region that its files name' },
  'input-region': {
    type: 'string',
    multiple: true,
    help: 'regions whose keys it publishes, separated by commas or given several times; default the region that its files name',
  },
  'exclude-region': {
    type: 'string',
    multiple: true,
    help: 'regions whose keys it does not publish, though they belong to an input region as well; none for no region',
  },
  travelers: {
    type: 'string',
    help: 'what counts for keys of travelers: regional (their regions, as for others; default), include (all of them), exclude (none)',
  },
  'report-types': {
    type: 'string',
    multiple: true,
    help: 'which keys: confirmed (a laboratory test), likely (a clinical diagnosis), user-report (a self-reported test), or all (default)',
  },
  period: { type: 'string', help: 'time between two releases, for example 2h; divides 24 h' },
  'window-age': { type: 'string', help: 'how long a window is left to settle; default 0s' },
  hold: {
    type: 'string',
    help: 'a window with fewer reports waits for the next one, 24 h at most; default 20',
  },
  minimum: { type: 'string', help: 'fewer keys are padded to this many; default 1000, 0 for none' },
  maximum: { type: 'string', help: 'more keys are split into several files; default 500000' },
  retention: {
    type: 'string',
    help: 'how long a file stays behind the end of its window; default 14d',
  },
  from: {
    type: 'string',
    help: 'where the first window begins: ISO 8601 with its zone, or unix seconds; default the window that is open now',
  },
  through: { type: 'string', help: 'where the last window ends; none (default) for no end' },
} as const satisfies Record<string, CommandOption>

/**
 * What the options say of a stream: only what was given.
 *
 * @throws TocsinError `usage`
 */
export function readStreamOptions(context: CommandContext): StreamChanges {
  const text = (name: string) => textOption(context, name)
  const changes: { [Name in keyof StreamChanges]: StreamChanges[Name] | undefined } = {
    region: text('region'),
    inputRegions: listOption(context, 'input-region'),
    excludedRegions: withNone(listOption(context, 'exclude-region')),
    travelers: travelersOption(context),
    reportTypes: reportTypesOption(context),
    period: durationOption(context, 'period'),
    windowAge: durationOption(context, 'window-age'),
    hold: countOption(context, 'hold'),
    minimum: countOption(context, 'minimum'),
    maximum: countOption(context, 'maximum'),
    retention: durationOption(context, 'retention'),
    start: timeOption(context, 'from'),
    through: endOption(context, 'through'),
  }
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as StreamChanges
}

/** A time in unix seconds; undefined when it wasn't given. @throws TocsinError `usage` */
export function timeOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  if (/^\d{1,12}$/.test(text)) return Number(text)
  const time = parseTimestamp(text)
  const seconds = time === undefined ? NaN : time.getTime() / 1000
  if (!Number.isInteger(seconds) || !isDayOfCalendar(text))
    throw new TocsinError(
      'usage',
      `--${name} must be a time such as 2027-01-31T00:00Z, with its zone, or unix seconds.`,
    )
  return seconds
}

/** A time at which something ends, or null for `none`. */
export function endOption(context: CommandContext, name: string): number | null | undefined {
  return textOption(context, name) === 'none' ? null : timeOption(context, name)
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isDayOfCalendar(timestamp: string): boolean {
  const day = timestamp.slice(0, 10)
  return new Date(`${day}T00:00Z`).toISOString().startsWith(day)
}

function durationOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  const seconds = parseDuration(text)
  if (seconds === undefined)
    throw new TocsinError(
      'usage',
      `--${name} must be a duration such as 15m, 2h or 30s, of 68 years at the most.`,
    )
  return seconds
}

function countOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text))
    throw new TocsinError('usage', `--${name} must be a whole number such as 1000.`)
  return Number(text)
}

/** Words that were separated by commas, given several times, or both. */
function listOption(context: CommandContext, name: string): string[] | undefined {
  const given = context.values[name]
  if (!Array.isArray(given)) return undefined
  return given.flatMap((text) => String(text).split(',')).map((word) => word.trim())
}

function withNone(regions: string[] | undefined): string[] | undefined {
  return regions?.length === 1 && regions[0] === 'none' ? [] : regions
}

function travelersOption(context: CommandContext): Stream['travelers'] | undefined {
  const text = textOption(context, 'travelers')
  const rule = TRAVELER_RULES.find((each) => each === text)
  if (rule === undefined && text !== undefined)
    throw new TocsinError('usage', '--travelers must be regional, include or exclude.')
  return rule
}

function reportTypesOption(context: CommandContext): number[] | undefined {
  const words = listOption(context, 'report-types')
  if (words === undefined || (words.length === 1 && words[0] === 'all')) return words && []
  const numbers = words.map((word) => {
    if (isReportType(word) && word !== 'negative') return EXPORT_REPORT_TYPES[word]
    throw new TocsinError(
      'usage',
      '--report-types must be confirmed, likely and user-report, or some of them, or all.',
    )
  })
  return [...new Set(numbers)].sort((a, b) => a - b)
}
