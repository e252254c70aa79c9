// Cli: where a deployment archives its logs; promises each zone its own folder, and the same to servers and commands.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { ZONES, type Zone } from '../db/zones.ts'
import { archiveRecipients } from '../log/archive-recipients.ts'
import { openArchive, type Archive } from '../log/archive-store.ts'
import { runArchiver, type RunningArchiver } from '../log/run-archiver.ts'
import type { ArchiveContext } from '../log/write-archive.ts'
import type { Logger } from '../operate/logger.ts'
import type { Gauge } from '../operate/metrics.ts'
import type { OpenZones } from '../operate/open-zones.ts'

/** The archive of a zone below the folder of both. */
export function zoneArchive(folder: string, zone: Zone): Archive {
  return openArchive(join(folder, zone))
}

/** What archiving a zone's log works with. */
export function archiveContext(
  { archiveFolder, archiveRecipients: configured, archiveIdentityFile }: Config,
  zones: OpenZones,
  zone: Zone,
  now: () => Date,
): ArchiveContext {
  const { db, address } = zones[zone]
  return {
    zone,
    db,
    address,
    archive: zoneArchive(archiveFolder, zone),
    recipients: archiveRecipients(db, configured, archiveIdentityFile),
    timeGrain: zones.timeGrain,
    now,
  }
}

/** The archivers of both zones; disposing stops them. */
export interface RunningArchivers extends AsyncDisposable {
  /** False when one of them is behind, or could not archive at the last try. */
  readonly isWell: boolean
  readonly gauges: readonly Gauge[]
}

/**
 * Archives both zones' logs for as long as the process runs.
 *
 * @throws TocsinError `file_not_written` when an identity must be made and can't be kept
 */
export async function startArchivers(
  config: Config,
  zones: OpenZones,
  {
    now,
    monotonicMs,
    logger,
  }: {
    readonly now: () => Date
    readonly monotonicMs: () => number
    readonly logger: Logger
  },
  mode: 'timer' | 'manual',
): Promise<RunningArchivers> {
  const archivers: (readonly [Zone, RunningArchiver])[] = []
  for (const zone of ZONES) {
    const context = archiveContext(config, zones, zone, now)
    // Now, so that whoever starts it can be told of the identity that is made with the first object.
    await context.recipients()
    const options = { mostAge: config.archiveAge, monotonicMs, listener: logger, mode }
    archivers.push([zone, runArchiver(context, options)])
  }
  return {
    get isWell() {
      return archivers.every(([, { state }]) => state.isWell)
    },
    gauges: gaugesOf(archivers),
    async [Symbol.asyncDispose]() {
      await Promise.all(archivers.map(([, archiver]) => archiver[Symbol.asyncDispose]()))
    },
  }
}

function gaugesOf(archivers: readonly (readonly [Zone, RunningArchiver])[]): Gauge[] {
  const gauge = (
    name: string,
    help: string,
    valueOf: (state: RunningArchiver['state']) => number,
  ): Gauge => ({
    name,
    help,
    kind: 'gauge',
    label: 'zone',
    values: () => archivers.map(([zone, { state }]) => [zone, valueOf(state)] as const),
  })
  return [
    gauge(
      'tocsin_archive_age_seconds',
      'How long the oldest event has waited that is not archived, in steps of 10 s; 0 when all are.',
      ({ ageSeconds }) => ageSeconds,
    ),
    gauge(
      'tocsin_archive_failing',
      '1 when archiving failed at the last try, or an event has waited for more than a minute.',
      ({ isWell }) => (isWell ? 0 : 1),
    ),
    gauge(
      'tocsin_archive_objects',
      'Segments and snapshots in the archive.',
      (state) => state.objects,
    ),
    gauge(
      'tocsin_archive_last_snapshot_timestamp_seconds',
      'When the newest snapshot was made, truncated to the time grain; 0 without one.',
      ({ lastSnapshot }) => lastSnapshot ?? 0,
    ),
  ]
}

/** What the operator should know of an identity that was made for the first object; undefined when its file is not here. */
export function identityHint({
  archiveIdentityFile,
  archiveRecipients: configured,
}: Config): string | undefined {
  if (configured.length > 0 || !existsSync(archiveIdentityFile)) return undefined
  return `the archive can be read with ${archiveIdentityFile} alone: move that file to another place, where it survives this machine; a recovery asks for it`
}
