// Cli: what an export file gives away; promises counts and conclusions, never a key, whoever signed the file.

import { basename } from 'node:path'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { REPORT_TYPE_NAMES } from '../format/report-type.ts'
import {
  analyzeExport,
  type Analysis,
  type Distribution,
  type KeyStatistics,
} from '../verify/analyze-export.ts'
import { download } from '../verify/feed-source.ts'
import { DEFAULT_LIMITS } from '../verify/limits.ts'
import { VerificationError } from '../verify/verification-error.ts'
import { verifyExportWith } from '../verify/verify-export.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { isAddress, parseAddress, readZip } from './verify-target.ts'
import { KEY_NAME_OPTIONS, loadKeyOption } from './verify.ts'

/** `tocsin analyze` */
export const analyzeCommand: Command = {
  summary:
    'Counts what the keys of an export file have in common, and says what an outsider could conclude.',
  usage: 'analyze FILE|URL [--crowd N] [--key FILE [--key-id ID] [--key-version V]]',
  positionals: 1,
  options: {
    crowd: {
      type: 'string',
      help: 'how many keys must share their metadata, so that none stands out; 10 when left out',
    },
    key: { type: 'string', help: 'file with a public key, PEM: then the signature is checked too' },
    ...KEY_NAME_OPTIONS,
  },
  async run(given) {
    const context = { ...given, print: (line: string) => given.print(printable(line)) }
    const [target, ...others] = context.positionals
    if (target === undefined || others.length > 0)
      throw new TocsinError('usage', 'Say what to analyze: one file, or the address of one.')
    const crowd = readCrowd(context)
    const bytes = await readTarget(target, context)
    const signature = await checkSignature(bytes, context)
    const analysis = analyze(bytes, crowd)
    printAnalysis(context, analysis, signature)
    const { header, keys, revisedKeys, statistics, conclusions, findings } = analysis
    return {
      document: {
        file: basename(target),
        region: header.region,
        start: header.startTimestamp,
        end: header.endTimestamp,
        keys,
        revisedKeys,
        signature,
        statistics,
        conclusions,
        findings,
      },
    }
  },
}

/** @throws TocsinError `usage` */
function readCrowd(context: CommandContext): number {
  const text = textOption(context, 'crowd') ?? '10'
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new TocsinError('usage', '--crowd must be a number from 1 to 999999.')
  return Number(text)
}

/** @throws TocsinError `target_unreadable` */
async function readTarget(target: string, context: CommandContext): Promise<Uint8Array> {
  const { maxFileBytes } = DEFAULT_LIMITS
  try {
    return isAddress(target)
      ? await download(
          parseAddress(target).href,
          maxFileBytes,
          'file_too_large',
          DEFAULT_LIMITS,
          context,
        )
      : await readZip(target, maxFileBytes)
  } catch (error) {
    throw unreadable(error)
  }
}

function analyze(bytes: Uint8Array, crowd: number): Analysis {
  try {
    return analyzeExport(bytes, DEFAULT_LIMITS, crowd)
  } catch (error) {
    throw unreadable(error)
  }
}

function unreadable(error: unknown): unknown {
  if (!(error instanceof VerificationError)) return error
  const sentence = printable(`${error.message} (${error.code})`)
  return new TocsinError('target_unreadable', sentence, { cause: error })
}

/** What the signature is worth; `code` is null when it is trusted, or nobody asked. */
interface SignatureVerdict {
  readonly verdict: string
  readonly code: string | null
}

async function checkSignature(
  bytes: Uint8Array,
  context: CommandContext,
): Promise<SignatureVerdict> {
  if (textOption(context, 'key') === undefined) return { verdict: 'not_checked', code: null }
  const keys = await loadKeyOption(context)
  try {
    verifyExportWith(bytes, keys, DEFAULT_LIMITS)
    return { verdict: 'valid', code: null }
  } catch (error) {
    if (error instanceof VerificationError) return { verdict: error.verdict, code: error.code }
    throw error
  }
}

function printAnalysis(
  context: CommandContext,
  { header, keys, revisedKeys, statistics, conclusions, findings }: Analysis,
  signature: SignatureVerdict,
): void {
  const { print } = context
  const [from, to] = [header.startTimestamp, header.endTimestamp].map(formatTime)
  print(`region ${header.region}, from ${from} to ${to}`)
  print(`${keys} new keys, ${revisedKeys} revised`)
  print(
    signature.verdict === 'not_checked'
      ? 'signature: not checked; name a public key with --key'
      : `signature: ${signature.verdict}${signature.code === null ? '' : `: ${signature.code}`}`,
  )
  if (keys > 0) printStatistics(context, 'new keys', statistics.keys)
  if (revisedKeys > 0) printStatistics(context, 'revised keys', statistics.revisedKeys)
  print('')
  print('What a curious outsider could conclude')
  for (const { code, sentence } of conclusions) print(`  ${code}: ${sentence}`)
  if (conclusions.length === 0) print('  nothing of what is looked for')
  for (const { code, sentence } of findings) print(`  ${code}: ${sentence}`)
}

const LABELS: Readonly<Record<keyof KeyStatistics, string>> = {
  reportType: 'report type',
  ageDays: 'age in days',
  daysSinceOnset: 'days since onset',
  transmissionRisk: 'transmission risk',
  rollingPeriod: 'rolling period',
}

function printStatistics(context: CommandContext, title: string, statistics: KeyStatistics): void {
  for (const [name, label] of Object.entries(LABELS) as [keyof KeyStatistics, string][]) {
    context.print('')
    context.print(`${title} by ${label}`)
    printChart(context, statistics[name], name === 'reportType')
  }
}

const BAR_WIDTH = 40
const MAX_ROWS = 30

function printChart(
  context: CommandContext,
  { values, others }: Distribution,
  isReportType: boolean,
): void {
  const rows = groupValues(values).map(({ from, to, count }) => ({
    name: from === null ? 'none' : nameOf(from, to ?? from, isReportType),
    count,
  }))
  if (others > 0) rows.push({ name: 'others', count: others })
  const most = Math.max(...rows.map(({ count }) => count))
  const width = Math.max(...rows.map(({ name }) => name.length))
  const digits = String(most).length
  for (const { name, count } of rows) {
    const bar = '█'.repeat(Math.max(1, Math.round((count / most) * BAR_WIDTH)))
    context.print(`  ${name.padStart(width)}  ${String(count).padStart(digits)}  ${bar}`)
  }
}

/** Values from and to, and how many keys have them. */
interface Row {
  readonly from: number | null
  readonly to: number | null
  count: number
}

/** A row for each value, or for ranges of the same width when there are too many. */
function groupValues(values: Distribution['values']): Row[] {
  if (values.length <= MAX_ROWS)
    return values.map(({ value, count }) => ({ from: value, to: value, count }))
  const numbers = values.flatMap(({ value }) => (value === null ? [] : [value]))
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)]
  const width = Math.ceil((last - first + 1) / (MAX_ROWS - 1))
  const rows = new Map<number | null, Row>()
  for (const { value, count } of values) {
    const from = value === null ? null : first + Math.floor((value - first) / width) * width
    const row = rows.get(from) ?? { from, to: from === null ? null : from + width - 1, count: 0 }
    row.count += count
    rows.set(from, row)
  }
  return [...rows.values()]
}

function nameOf(from: number, to: number, isReportType: boolean): string {
  if (isReportType) return REPORT_TYPE_NAMES[from] ?? String(from)
  return from === to ? String(from) : `${from} to ${to}`
}

function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString()
}
