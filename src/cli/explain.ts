// Cli: why a key or another identifier is not out yet, or where it is; promises to change nothing.

import { TocsinError } from '../errors.ts'
import { decodeBase64, decodeHex } from '../format/bytes.ts'
import { printable } from '../format/printable.ts'
import {
  explainKey,
  explainReport,
  type ExplainedKey,
  type ExplainedReport,
  type KnownKey,
} from '../publish/explain-key.ts'
import { KINDS } from '../kinds.ts'
import type { Command } from './command.ts'
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
      const inReport: Record<string, unknown> = {}
      const alone: Record<string, unknown> = {}
      const lines = { inReport: [] as string[], alone: [] as string[] }
      let isKnown = report !== undefined || key.known
      for (const kind of await loadExplanations()) {
        const told = report && (await kind.explainReport(db, bytes, seconds))
        inReport[kind.inReport] = told?.value ?? null
        lines.inReport.push(...(told?.lines ?? []))
        const found =
          report === undefined && !key.known
            ? await kind.explainIdentifier(context, db, bytes, seconds)
            : undefined
        alone[kind.alone] = found?.value ?? null
        lines.alone.push(...(found?.lines ?? []))
        isKnown ||= found?.isKnown === true
      }
      const all = [
        ...(report === undefined ? [] : reportLines(report)),
        ...lines.inReport,
        ...(key.known || !isKnown ? keyLines(key) : []),
        ...lines.alone,
        ...(!isKnown && isHex ? ['No accepted report has it as its tracking id, either.'] : []),
      ]
      for (const line of all) context.print(printable(line))
      return {
        document: {
          known: isKnown,
          report: report === undefined ? null : { ...report, ...inReport },
          key: report === undefined || key.known ? key : null,
          ...alone,
        },
      }
    })
  },
}

async function loadExplanations() {
  return Promise.all(KINDS.flatMap(({ explanation }) => explanation?.() ?? []))
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
