// Cli: what the commands that correct reports have in common; promises that without --carry-out they change nothing, and that a wrong option is refused before any data is opened.

import { readFile } from 'node:fs/promises'
import type { CorrectionRequest } from '../correct/carry-out.ts'
import type { CorrectionResult } from '../correct/corrections-list.ts'
import { parseSelection, type Selection } from '../correct/selection.ts'
import type { CorrectedZone } from '../correct/zone.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { ENCODERS, KINDS } from '../kinds.ts'
import { parseTimestamp } from '../operate/timestamp.ts'
import type { PublishedCount } from '../publish/published-keys.ts'
import {
  textOption,
  type CommandContext,
  type CommandOption,
  type CommandResult,
} from './command.ts'
import { counted } from './counted.ts'
import { wordsOption } from './with-authority.ts'
import { requiredOption, withData } from './with-data.ts'

const APIS = KINDS.flatMap(({ apis }) => apis.map(({ name }) => name))

/** What selects whole reports. All that are given hold together; of several values of one any. */
export const REPORT_OPTIONS = {
  report: {
    type: 'string',
    multiple: true,
    help: 'reports by their tracking ids, 32 hex digits each, separated by commas or given several times',
  },
  'issuer-handle': {
    type: 'string',
    multiple: true,
    help: 'reports by the handles of their certificates; --issuer-handle=-... for one that begins with a hyphen',
  },
  'health-authority': {
    type: 'string',
    multiple: true,
    help: 'reports of these health authorities (healthAuthorityID)',
  },
  source: { type: 'string', help: `reports that came by this API: ${APIS.join(', ')}` },
  region: { type: 'string', multiple: true, help: 'reports of any of these regions' },
  from: { type: 'string', help: 'accepted at this time or later, for example 2027-01-31T00:00Z' },
  through: { type: 'string', help: 'accepted before this time' },
} as const satisfies Record<string, CommandOption>

/** What selects single keys. */
export const KEY_OPTIONS = {
  key: {
    type: 'string',
    multiple: true,
    help: 'these keys alone, and not the reports that brought them: 32 hex digits, or base64',
  },
  'keys-file': { type: 'string', help: 'a file with such keys, one a line' },
} as const satisfies Record<string, CommandOption>

/** What every correction takes. */
export const CORRECTION_OPTIONS = {
  reason: {
    type: 'string',
    help: 'why, 1 to 500 characters, nothing about a person; kept for a year',
  },
  'carry-out': {
    type: 'string',
    help: 'do it: the id that the preview showed. Without it nothing is changed',
  },
  id: {
    type: 'string',
    help: 'with --carry-out: 32 hex digits of your own; sent again, the same correction is answered and not done again',
  },
} as const satisfies Record<string, CommandOption>

/** The selection of the options; undefined when none was given. @throws TocsinError `usage`, `selection_invalid` */
export async function readSelection(context: CommandContext): Promise<Selection | undefined> {
  const keys = [...(wordsOption(context, 'key') ?? []), ...(await readKeysFile(context))]
  const given = {
    trackingIds: wordsOption(context, 'report'),
    keys: keys.length === 0 ? undefined : keys,
    issuerHandles: wordsOption(context, 'issuer-handle'),
    healthAuthority: wordsOption(context, 'health-authority'),
    source: textOption(context, 'source'),
    regions: wordsOption(context, 'region'),
    acceptedFrom: timeOption(context, 'from'),
    acceptedBefore: timeOption(context, 'through'),
  }
  return Object.values(given).every((value) => value === undefined)
    ? undefined
    : parseSelection(given)
}

/** The same, where one is needed. @throws TocsinError `usage`, `selection_invalid` */
export async function requireSelection(
  context: CommandContext,
  command: string,
): Promise<Selection> {
  const selection = await readSelection(context)
  if (selection === undefined)
    throw new TocsinError('usage', `Say which: tocsin ${command} --help lists how.`)
  return selection
}

async function readKeysFile(context: CommandContext): Promise<string[]> {
  const path = textOption(context, 'keys-file')
  if (path === undefined) return []
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new TocsinError('usage', `--keys-file can't be read (${error.code ?? 'unknown'}).`)
  })
  const lines = text.split('\n').map((line) => line.trim())
  const keys = lines.filter((line) => line !== '')
  if (keys.length === 0) throw new TocsinError('usage', '--keys-file names no key.')
  return keys
}

/** Unix seconds, rounded up: nothing is accepted between two. */
function timeOption(context: CommandContext, name: 'from' | 'through'): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  const time = parseTimestamp(text)
  if (time === undefined)
    throw new TocsinError('usage', `--${name} must be a time such as 2027-01-31T00:00Z.`)
  return Math.ceil(time.getTime() / 1000)
}

/** What a preview has, of whichever correction. */
interface Preview {
  readonly id: string
  readonly reports: number
  readonly keys: number
  readonly published: readonly PublishedCount[]
  readonly warnings: readonly string[]
}

/** A correction as its command runs it. */
interface CorrectionSteps<Shown extends Preview> {
  preview(zone: CorrectedZone): Promise<Shown>
  /** Lines about what only this kind of correction has. */
  describe(shown: Shown): Iterable<string>
  carryOut(zone: CorrectedZone, request: CorrectionRequest, now: Date): Promise<CorrectionResult>
  /** What to say once it is done. */
  conclude(done: CorrectionResult): Iterable<string>
}

/** Shows what a correction would do, or carries it out as `--carry-out` says. */
export function runCorrection<Shown extends Preview>(
  context: CommandContext,
  steps: CorrectionSteps<Shown>,
): Promise<CommandResult> {
  const previewId = textOption(context, 'carry-out')
  const reason = previewId === undefined ? '' : requiredOption(context, 'reason')
  const id = textOption(context, 'id')
  return withData(context, async ({ zones, now }) => {
    const zone = { ...zones.key, encoders: ENCODERS }
    if (previewId === undefined) {
      const shown = await steps.preview(zone)
      for (const line of describe(shown, steps.describe(shown))) context.print(line)
      context.print(
        `Nothing was changed. The same with --reason and --carry-out ${shown.id} does it.`,
      )
      return { document: { ...shown, carriedOut: false } }
    }
    const request = { reason, by: 'command', previewId, ...(id === undefined ? {} : { id }) }
    const done = await steps.carryOut(zone, request, now())
    context.print(`${summaryOf(done)}.`)
    for (const line of steps.conclude(done)) context.print(line)
    return { document: { ...done, carriedOut: true } }
  })
}

/** How much a correction concerns. */
export function summaryOf({
  kind,
  scope,
  reports,
  keys,
  padding,
}: Pick<CorrectionResult, 'kind' | 'scope' | 'reports' | 'keys' | 'padding'>): string {
  const beside = padding === 0 ? '' : `, and ${counted(padding, 'padding device')} beside`
  const when = scope === null ? '' : ` (${scope})`
  return `${kind}${when} of ${counted(reports, 'report')}, ${counted(keys, 'key')}${beside}`
}

function* describe(shown: Preview, own: Iterable<string>): Generator<string> {
  yield `${counted(shown.reports, 'report')}, ${counted(shown.keys, 'key')}`
  yield* own
  for (const [stream, counts] of Map.groupBy(shown.published, (count) => count.stream)) {
    const sum = counts.reduce((keys, count) => keys + count.keys, 0)
    const releases = counts.map(({ release }) => release)
    const [first, last] = [Math.min(...releases), Math.max(...releases)]
    yield `published in ${printable(stream)}: ${counted(sum, 'key')}, ${first === last ? `release ${first}` : `releases ${first} to ${last}`}`
  }
  for (const warning of shown.warnings) yield `warning: ${warning}`
}
