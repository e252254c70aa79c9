// Cli: the archive by hand; promises the work that a server does by itself, in the same way.

import { ZONES, type Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { listArchived } from '../log/archive-rows.ts'
import { makeSnapshot } from '../log/archive-snapshot.ts'
import { archiveThrough } from '../log/archiver.ts'
import { readHead } from '../log/read-events.ts'
import type { ArchiveContext } from '../log/write-archive.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { archiveContext, identityHint } from './archives.ts'
import { textOption, type Command, type CommandContext, type CommandResult } from './command.ts'
import { counted } from './counted.ts'
import { withData } from './with-data.ts'

const ZONE_OPTION = { type: 'string', help: 'key or authority; both when left out' } as const

/** `tocsin archive status` */
export const archiveStatusCommand: Command = {
  summary:
    'Says how far each log is archived, and whether all objects are there. Exit status 1 when one is missing.',
  usage: 'archive status [--zone key|authority]',
  options: { zone: ZONE_OPTION },
  run: (context) =>
    forZones(context, async (archive) => {
      const { nextSeq } = await readHead(archive.db)
      const objects = await listArchived(archive.db)
      const sizes = new Map((await archive.archive.list()).map(({ name, size }) => [name, size]))
      const missing = objects.filter(({ name, size }) => sizes.get(name) !== size)
      const snapshots = objects.filter(({ kind }) => kind === 'snapshot')
      const newest = snapshots.at(-1)
      const end = objects.at(-1)?.end ?? 0
      context.print(
        `${archive.zone} zone: ${end} of ${nextSeq} events archived in ${archive.archive.folder}; ${counted(objects.length - snapshots.length, 'segment')}, ${counted(snapshots.length, 'snapshot')}${newest === undefined ? '' : `, the newest of ${formatTimestamp(newest.madeAt)}`}`,
      )
      for (const { name } of missing) context.print(`  missing: ${name}`)
      return {
        document: {
          folder: archive.archive.folder,
          events: nextSeq,
          archived: end,
          segments: objects.length - snapshots.length,
          snapshots: snapshots.length,
          lastSnapshot: newest?.madeAt ?? null,
          missing: missing.map(({ name }) => name),
        },
        exitCode: missing.length === 0 ? 0 : 1,
      }
    }),
}

/** `tocsin archive now` */
export const archiveNowCommand: Command = {
  summary: 'Archives what is not archived yet.',
  usage: 'archive now [--zone key|authority]',
  options: { zone: ZONE_OPTION },
  run: (context) =>
    forZones(context, async (archive) => {
      await archiveThrough(archive, Infinity)
      const end = (await listArchived(archive.db)).at(-1)?.end ?? 0
      context.print(`${archive.zone} zone: ${end} events are archived`)
      return { document: { archived: end } }
    }),
}

/** `tocsin archive snapshot` */
export const archiveSnapshotCommand: Command = {
  summary:
    'Makes a snapshot now, and drops what is older than 48 h and held by a younger one. Where objects of the archive are lost, it holds all that they did.',
  usage: 'archive snapshot [--zone key|authority]',
  options: { zone: ZONE_OPTION },
  run: (context) =>
    forZones(context, async (archive) => {
      const { name, end, size } = await makeSnapshot(archive, { anew: true })
      context.print(`${archive.zone} zone: ${name}, ${end} events, ${size} bytes`)
      return { document: { name, events: end, size } }
    }),
}

/** The zones that an option names. @throws TocsinError `usage` */
export function zonesOf(context: CommandContext): readonly Zone[] {
  const given = textOption(context, 'zone')
  if (given === undefined) return ZONES
  const zone = ZONES.find((each) => each === given)
  if (zone === undefined) throw new TocsinError('usage', '--zone must be key or authority.')
  return [zone]
}

function forZones(
  context: CommandContext,
  work: (archive: ArchiveContext) => Promise<CommandResult>,
): Promise<CommandResult> {
  const wanted = zonesOf(context)
  return withData(context, async ({ zones, config, now }) => {
    const documents: Record<string, unknown> = {}
    let exitCode = 0
    for (const zone of wanted) {
      const done = await work(archiveContext(config, zones, zone, now))
      documents[zone] = done.document
      exitCode = Math.max(exitCode, done.exitCode ?? 0)
    }
    const hint = identityHint(config)
    if (hint !== undefined) context.note(`tocsin: ${hint}`)
    return { document: documents, exitCode }
  })
}
