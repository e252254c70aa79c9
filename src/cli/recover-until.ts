// Cli: the point at which a recovery ends; promises to say what is lost behind it, and what comes withdrawn.

import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { formatTimestamp, parseTimestamp } from '../operate/timestamp.ts'
import { findPoint, type PointedSource, type Until } from '../recover/find-point.ts'
import type { RecoveredUntil } from '../recover/recover-until.ts'
import type { RecoverySource } from '../recover/recover-zone.ts'
import { commandName, textOption, type CommandContext, type CommandOption } from './command.ts'
import { counted } from './counted.ts'
import { startProgress } from './progress.ts'

export const UNTIL_OPTION = {
  type: 'string',
  help: 'ends before the event of this number (with --zone), or with what was accepted before this time, such as 2027-01-31T08:00Z; the log gets another id',
} as const satisfies CommandOption

/** What `--until` says; undefined when it wasn't given. @throws TocsinError `usage` */
export function untilOption(context: CommandContext): Until | undefined {
  const text = textOption(context, 'until')
  if (text === undefined) return undefined
  if (/^\d{1,12}$/.test(text)) {
    if (textOption(context, 'zone') !== undefined) return { seq: Number(text) }
    throw new TocsinError(
      'usage',
      'Each zone has numbers of its own: name one by --zone, or give a time to --until.',
    )
  }
  const time = parseTimestamp(text)
  if (time !== undefined) return { time }
  throw new TocsinError(
    'usage',
    '--until must be the number of an event, or a time with its zone, such as 2027-01-31T08:00Z.',
  )
}

/**
 * Looks for the point in each archive, and says what lies behind it. A log that ends before it is left as it is.
 *
 * @throws TocsinError of `findPoint`
 */
export async function findPoints(
  context: CommandContext,
  sources: ReadonlyMap<Zone, RecoverySource>,
): Promise<ReadonlyMap<Zone, RecoverySource | PointedSource>> {
  const until = untilOption(context)
  if (until === undefined) return sources
  const found = new Map<Zone, RecoverySource | PointedSource>()
  for (const [zone, source] of sources) {
    const bar = startProgress(context, `${zone} zone`, source.chain.end, 'events')
    const pointed = await findPoint(source, until, bar.update).finally(bar.stop)
    if (pointed === undefined)
      context.print(`${zone} zone: nothing was accepted behind the point: all of it is recovered`)
    else printPoint(context, zone, pointed)
    found.set(zone, pointed ?? source)
  }
  return found
}

function printPoint(
  context: CommandContext,
  zone: Zone,
  { chain: { grain }, point }: PointedSource,
): void {
  const { untilSeq, endSeq, reports, carriedReports, corrections, releases } = point
  context.print(
    `${zone} zone: ends before event ${untilSeq}; ${counted(endSeq - untilSeq, 'event')} behind it, up to ${formatTimestamp(grain)}, ${endSeq - untilSeq === 1 ? 'does' : 'do'} not count`,
  )
  if (zone === 'authority') {
    context.print('  Codes, tokens and certificates that were issued behind the point are gone.')
    return
  }
  if (reports > 0)
    context.print(
      `  ${counted(reports, 'report')} came behind it: ${carriedReports} that releases may have published come back as withdrawn, ${reports - carriedReports} are lost, and phones may upload those anew`,
    )
  if (releases > 0)
    context.print(
      `  ${counted(releases, 'release')} came behind it: their files stay; the next release tells phones what was so at the point`,
    )
  if (corrections > 0)
    context.print(
      `  ${counted(corrections, 'correction')} came behind it: undone. Make again what is still meant`,
    )
}

/** Says what became of a zone. */
export function printRecoveredUntil(
  context: CommandContext,
  { logId, withdrawal, laterStreams }: RecoveredUntil,
): void {
  context.print(
    `  The new log's id is ${logId}. Keep the old archive: what was dropped is only there.`,
  )
  if (withdrawal !== undefined)
    context.print(
      `  What was published behind the point is held by withdrawal ${withdrawal}: ${commandName()} reinstate --withdrawal ${withdrawal} brings it back.`,
    )
  for (const stream of laterStreams ?? [])
    context.print(
      `  The stream "${stream}" came behind the point and goes on, so that its phones are told: ${commandName()} stream retire ${stream} ends it.`,
    )
}
