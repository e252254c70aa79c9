// Cli: why a key or a contact event number is not out yet, or where it is; promises to change nothing.

import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { decodeBase64, decodeHex, encodeHex } from '../format/bytes.ts'
import { printable } from '../format/printable.ts'
import {
  explainKey,
  explainReport,
  type ExplainedKey,
  type ExplainedReport,
  type KnownKey,
} from '../publish/explain-key.ts'
import { explainNumbers, type ExplainedNumbers } from '../publish/cen-explain.ts'
import { countNumbers, findNumber } from '../publish/cen-find.ts'
import type { Command, CommandContext } from './command.ts'
import { startProgress } from './progress.ts'
import { withData } from './with-data.ts'

/** `tocsin explain` */
export const explainCommand: Command = {
  summary:
    'Says why a key is not out yet, or in which file it is: a key by its 16 bytes (base64, or 32 hex digits), or all keys of an accepted report by its tracking id (32 hex digits). A contact event number, too, and a report of such numbers; a number that is no key is looked for by reading all that are stored. Of refused reports nothing is kept: tocsin explain-submission judges a captured one; the life of a report, its corrections among it, tells tocsin report.',
  usage: 'explain [--] KEY-OR-NUMBER-OR-TRACKING-ID',
  positionals: 1,
  options: {},
  async run(context) {
    const [text] = context.positionals
    if (text === undefined)
      throw new TocsinError('usage', 'Say which: tocsin explain KEY-OR-NUMBER-OR-TRACKING-ID.')
    const bytes = readBytes(text)
    const isHex = decodeHex(text) !== undefined
    return withData(context, async ({ zones, now }) => {
      const { db } = zones.key
      const seconds = Math.floor(now().getTime() / 1000)
      // 32 hex digits may be either.
      const report = isHex ? await explainReport(db, bytes, seconds) : undefined
      const key = await explainKey(db, bytes, seconds)
      const numbers = report === undefined ? undefined : await explainNumbers(db, bytes, seconds)
      const number =
        report === undefined && !key.known
          ? await lookForNumber(context, db, bytes, seconds)
          : undefined
      const isKnown = report !== undefined || key.known || (number?.found.length ?? 0) > 0
      if (report !== undefined)
        for (const line of reportLines(report)) context.print(printable(line))
      if (numbers !== undefined)
        for (const line of numbersLines(numbers)) context.print(printable(line))
      if (key.known || (report === undefined && !isKnown))
        for (const line of keyLines(key)) context.print(printable(line))
      if (number !== undefined)
        for (const line of numberLines(number)) context.print(printable(line))
      if (!isKnown && isHex) context.print('No accepted report has it as its tracking id, either.')
      return {
        document: {
          known: isKnown,
          report: report === undefined ? null : { ...report, numbers: numbers ?? null },
          key: report === undefined || key.known ? key : null,
          number: number ?? null,
        },
      }
    })
  },
}

/** What came of looking for a number. */
interface SoughtNumber {
  /** Hex. */
  readonly number: string
  /** What was read for it. */
  readonly reports: number
  readonly numbers: number
  /** One for each report that brought it. */
  readonly found: readonly ExplainedNumbers[]
}

/** @returns undefined where there are no numbers */
async function lookForNumber(
  context: CommandContext,
  db: Queryable,
  number: Uint8Array,
  seconds: number,
): Promise<SoughtNumber | undefined> {
  const { reports, numbers } = await countNumbers(db)
  if (reports === 0) return undefined
  const bar = startProgress(context, 'looked through', reports, 'reports')
  let read = 0
  try {
    const found = await findNumber(db, number, seconds, (count) => bar.update((read += count)))
    return { number: encodeHex(number), reports, numbers, found }
  } finally {
    bar.stop()
  }
}

/** @throws TocsinError `usage` */
function readBytes(text: string): Uint8Array {
  const isBase64 = /^[\w+/-]{22}(==)?$/.test(text)
  const bytes = /^[0-9a-f]{32}$/i.test(text)
    ? decodeHex(text)
    : isBase64
      ? decodeBase64(text)
      : undefined
  if (bytes?.length === 16) return bytes
  throw new TocsinError(
    'usage',
    'A key or a number is 16 bytes in base64 or 32 hex digits, a tracking id 32 hex digits.',
  )
}

function* reportLines(report: ExplainedReport): Generator<string> {
  const { trackingId, accepted, regions, traveler, withdrawn, padding, outcomes, keys } = report
  const counts = Object.entries(outcomes).map(
    ([name, count]) => `${count} ${name.replaceAll('_', ' ')}`,
  )
  yield `report ${trackingId}, accepted ${accepted}, of ${regions.join(', ')}${traveler ? ', a traveler' : ''}${withdrawn ? ', withdrawn' : ''}${padding ? ': padding, made here' : `: ${counts.join(', ')}`}`
  for (const key of keys) yield* keyLines(key)
}

function* numberLines({ number, reports, numbers, found }: SoughtNumber): Generator<string> {
  if (found.length === 0)
    yield `contact event number ${number}: not among the ${numbers} numbers of ${reports} reports that are stored`
  for (const each of found) {
    yield `contact event number ${number}, accepted ${each.accepted}${each.withdrawn ? ', withdrawn' : ''}`
    yield* numbersLines(each)
  }
}

function* numbersLines({ trust, cell, through, streams }: ExplainedNumbers): Generator<string> {
  yield `  ${trust}, ${cell === null ? 'of no cell' : `of cell ${cell}`}; counts until ${through}`
  if (streams.length === 0) yield '  there is no stream of numbers yet: tocsin stream add makes one'
  for (const { stream, verdict, says } of streams) yield `  ${stream}: ${verdict}: ${says}`
}

function* keyLines(key: ExplainedKey): Generator<string> {
  if (key.known) yield* knownKeyLines(key)
  else yield `key ${key.key}: not known. ${key.says}`
}

function* knownKeyLines(key: KnownKey): Generator<string> {
  const { revised } = key
  yield `key ${key.key}, ${key.padding ? 'padding, made here, ' : ''}valid ${key.validFrom} to ${key.validThrough}, accepted ${key.accepted} as ${key.reportType}${key.withdrawn ? ', withdrawn' : ''}`
  if (key.available !== key.accepted) yield `  not to be published before ${key.available}`
  if (revised !== null) yield `  changed to ${revised.reportType} at ${revised.accepted}`
  if (key.streams.length === 0) yield '  there is no stream yet: tocsin stream add makes one'
  for (const { stream, verdict, says, revision, correction } of key.streams) {
    yield `  ${stream}: ${verdict}: ${says}`
    if (revision !== undefined) yield `  ${stream}: changed: ${revision.verdict}: ${revision.says}`
    if (correction !== undefined)
      yield `  ${stream}: corrected: ${correction.verdict}: ${correction.says}`
  }
}
