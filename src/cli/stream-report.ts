// Cli: what commands tell of a stream; promises the same words and warnings wherever one is shown.

import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import { ENCODERS, KINDS } from '../kinds.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { familiesOf, readRegionLists } from '../publish/families.ts'
import { paddingCost } from '../publish/padding-cost.ts'
import { inUnits, warnStream, type StreamWarning } from '../publish/stream-warnings.ts'
import {
  isSigning,
  listStreams,
  STREAM_DEFAULTS,
  type ConfiguredStream,
  type Stream,
} from '../publish/streams.ts'
import { listHealthAuthorities } from '../submit/health-authorities.ts'
import type { CommandContext } from './command.ts'
import { nameOf } from './stream-keys.ts'
import type { CommandData } from './with-data.ts'

/** A stream with what is worth telling of it. */
export interface StreamReport {
  readonly stream: ConfiguredStream
  readonly warnings: readonly StreamWarning[]
  readonly padding: { readonly keysADay: number; readonly sentence: string }
}

/** All streams, looked at as they are now. */
export async function reportStreams({ zones, config, now }: CommandData): Promise<StreamReport[]> {
  const { db } = zones.key
  const [streams, registered, regionLists] = await Promise.all([
    listStreams(db),
    listHealthAuthorities(db),
    readRegionLists(db),
  ])
  const defaults = config.defaultRegion === undefined ? [] : [config.defaultRegion]
  const surroundings = {
    streams,
    authorities: registered
      .filter(({ disabled }) => !disabled)
      .map(({ regions }) => (regions.length === 0 ? defaults : regions)),
    now: now().getTime() / 1000,
  }
  const families = familiesOf(streams.filter(sharesKeys), regionLists)
  return streams.map((stream) => {
    const family = families.find((each) => each.some(({ name }) => name === stream.name)) ?? []
    return {
      stream,
      warnings: [
        ...warnStream(stream, surroundings).filter(
          ({ code }) =>
            (sharesKeys(stream) || OF_EVERY_KIND.includes(code)) &&
            !(OF_FILES.includes(code) && listOf(stream) !== undefined),
        ),
        ...warnList(stream, streams, config.ofKinds),
      ],
      padding: paddingCost(stream, family),
    }
  })
}

/** Warnings that are about more than diagnosis keys. */
const OF_EVERY_KIND = [
  'late',
  'no_window',
  'ended',
  'no_signing_key_now',
  'signing_key_ends',
  'hold_zero',
  'nothing_matches',
  'region_of_no_authority',
  'key_name_shared',
]

/** Warnings about the number of files: nothing to phones that read a list. */
const OF_FILES = [
  'more_files_than_phones_read',
  'more_files_than_ios_reads',
  'no_room_for_more_files',
]

function listOf({ kind }: Pick<Stream, 'kind'>) {
  return KINDS.find(({ name }) => name === kind)?.list
}

/** Where the list of a stream's kind is, and whether this stream is the one in it; undefined where there is no list. */
export function describeList(
  stream: Pick<Stream, 'name' | 'kind'>,
  given: ReadonlyMap<string, unknown>,
): string | undefined {
  const list = listOf(stream)
  if (list === undefined) return undefined
  const { address, variable } = list
  const listed = list.stream(given)
  return listed === stream.name
    ? `Its list is at ${address}.`
    : `The list at ${address} is that of the stream ${listed}: ${variable}=${stream.name}, where the server starts, makes it this one's.`
}

/** An address whose list is empty for ever, as its stream has another name. */
function warnList(
  stream: Stream,
  streams: readonly Stream[],
  given: ReadonlyMap<string, unknown>,
): StreamWarning[] {
  const listed = listOf(stream)?.stream(given)
  const isThere = streams.some(({ name, kind }) => name === listed && kind === stream.kind)
  if (listed === undefined || isThere) return []
  const sentence = `There is no stream ${listed} of the kind ${stream.kind}, so that the list is empty. ${describeList(stream, given)}`
  return [{ code: 'list_empty', sentence }]
}

function sharesKeys({ kind }: Stream): boolean {
  return ENCODERS.get(kind)?.sharesKeys === true
}

/** One stream, looked at as it is now. */
export async function reportStream(data: CommandData, name: string): Promise<StreamReport> {
  const report = (await reportStreams(data)).find(({ stream }) => stream.name === name)
  if (report === undefined) throw new Error(`the stream ${name} is gone`)
  return report
}

/** Prints warnings, each with its code. */
export function printWarnings(
  context: CommandContext,
  warnings: readonly StreamWarning[],
  indent = '',
): void {
  for (const { code, sentence } of warnings) context.print(`${indent}warning: ${code}: ${sentence}`)
}

/** What a stream publishes, in a few words each. */
export function describeStream(stream: Stream): string[] {
  const { region, inputRegions, excludedRegions, travelers, keys } = stream
  const isOwn = inputRegions.length === 1 && inputRegions[0] === region
  return [
    `region ${region}${isOwn ? '' : `, keys of ${inputRegions.join(', ')}`}${excludedRegions.length === 0 ? '' : ` without ${excludedRegions.join(', ')}`}, travelers ${travelers}, report types ${namesOfTypes(stream)}`,
    `every ${inUnits(stream.period)}, window age ${inUnits(stream.windowAge)}, hold ${stream.hold}, minimum ${stream.minimum}, maximum ${stream.maximum}, retention ${inUnits(stream.retention)}`,
    `from ${formatTimestamp(stream.start)}, ${stream.through === null ? 'without an end' : `through ${formatTimestamp(stream.through)}`}`,
    ...describeKind(stream),
    ...keys.map((key) => `signing key ${nameOf(key)}, ${validityOf(key)}, in ${key.keyFile}`),
  ]
}

/** What is there of its kind alone. */
function describeKind({ kind, settings }: Stream): string[] {
  if (kind === STREAM_DEFAULTS.kind) return []
  const own = Object.entries(settings).map(([name, value]) => `${name} ${String(value)}`)
  return [[`kind ${kind}`, ...own].join(', ')]
}

/** Whether a stream goes on: `waiting` has not begun, `ended` has no window any more. */
export function stateOf(stream: Stream, now: number): 'waiting' | 'open' | 'ended' {
  if (stream.through !== null && stream.through <= now) return 'ended'
  return stream.start > now ? 'waiting' : 'open'
}

/** Whether a signing key counts at a moment. */
export function stateOfSigningKey(
  key: Stream['keys'][number],
  now: number,
): 'waiting' | 'signing' | 'ended' {
  if (isSigning(key, now)) return 'signing'
  return key.from > now ? 'waiting' : 'ended'
}

/** Report types by the names that options have for them. */
export function namesOfTypes({ reportTypes }: Pick<Stream, 'reportTypes'>): string {
  const names = Object.entries(EXPORT_REPORT_TYPES).filter(([, type]) => reportTypes.includes(type))
  return names.length === 0 ? 'all' : names.map(([name]) => name).join(', ')
}

function validityOf({ from, through }: Stream['keys'][number]): string {
  const begins = from === 0 ? 'at once' : `from ${formatTimestamp(from)}`
  return through === null ? begins : `${begins} through ${formatTimestamp(through)}`
}
