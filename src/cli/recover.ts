// Cli: rebuilds a deployment from its archive; promises an empty database, the same state as before, and to say what no archive holds.

import { identityToRecipient } from 'age-encryption'
import { eraseAgain as eraseCodes } from '../authorize/retention.ts'
import { parseConfig, type Config } from '../config.ts'
import { loadMasterKey } from '../db/secrets.ts'
import { takeSessionLock } from '../db/session-lock.ts'
import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { readIdentities } from '../log/archive-recipients.ts'
import { systemClock } from '../operate/clock.ts'
import type { OpenZones } from '../operate/open-zones.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { openSource } from '../recover/open-source.ts'
import { recoverUntil } from '../recover/recover-until.ts'
import type { PointedSource } from '../recover/find-point.ts'
import { recoverZone, type RecoverySource } from '../recover/recover-zone.ts'
import { eraseAgain as eraseReports } from '../submit/retention.ts'
import { zonesOf } from './archive.ts'
import { zoneArchive } from './archives.ts'
import { textOption, type Command, type CommandContext, type CommandResult } from './command.ts'
import { counted } from './counted.ts'
import { startProgress } from './progress.ts'
import { findMissing, printMissing, restoreSecrets } from './recover-secrets.ts'
import { tryRecovery } from './try-recovery.ts'
import { readSecretsBackup, type SecretsBackup } from './secrets.ts'
import { findPoints, printRecoveredUntil, UNTIL_OPTION } from './recover-until.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin recover` */
export const recoverCommand: Command = {
  summary:
    'Rebuilds the database from the archive, into an empty one. A run that was interrupted is gone on with by running it again.',
  usage:
    'recover --from ARCHIVE --identity FILE [--secrets FILE] [--zone key|authority] [--until SEQ|TIME] [--dry-run]',
  options: {
    from: { type: 'string', help: 'the folder that has key/ and authority/ below it' },
    identity: { type: 'string', help: 'file with the identity that the archive is encrypted to' },
    secrets: { type: 'string', help: 'a backup that tocsin secrets export made' },
    zone: { type: 'string', help: 'only this zone: key or authority' },
    until: UNTIL_OPTION,
    'dry-run': { type: 'boolean', help: 'reads and checks everything, and changes nothing' },
  },
  async run(context) {
    const config = parseConfig(context.env)
    const secretsFile = textOption(context, 'secrets')
    const backup = secretsFile === undefined ? undefined : await readSecretsBackup(secretsFile)
    const sources = await findPoints(context, await openSources(context))
    return context.values['dry-run'] === true
      ? tryRecovery(context, config, sources, backup)
      : carryOut(context, config, sources, backup)
  },
}

/** The archives that are there, by zone. */
export type Sources = ReadonlyMap<Zone, RecoverySource>

/** The same, each with its point where it is recovered to one. */
export type MaybePointed = ReadonlyMap<Zone, RecoverySource | PointedSource>

/** Looks through the archives that the options name. @throws TocsinError of `openSource` */
export async function openSources(context: CommandContext): Promise<Sources> {
  const folder = requiredOption(context, 'from')
  const identities = await readIdentities(requiredOption(context, 'identity'))
  const sources = new Map<Zone, RecoverySource>()
  const wanted = zonesOf(context)
  for (const zone of wanted) {
    const archive = zoneArchive(folder, zone)
    if (wanted.length > 1 && (await archive.list()).length === 0) {
      context.print(`${zone} zone: nothing of it lies in ${archive.folder}`)
      continue
    }
    const source = await openSource(archive, identities, zone)
    const { objects, end, grain, notes } = source.chain
    context.print(
      `${zone} zone: ${counted(end, 'event')} in ${counted(objects.length, 'object')}, the newest of ${formatTimestamp(grain)}`,
    )
    for (const note of notes) context.print(`  ${note}`)
    sources.set(zone, source)
  }
  if (sources.size === 0)
    throw new TocsinError(
      'archive_empty',
      `There is neither key/ nor authority/ with objects in ${folder}.`,
    )
  return sources
}

/** Its own number among the locks of the database. */
const RECOVERY_LOCK = '3187640952217780631'

async function carryOut(
  context: CommandContext,
  config: Config,
  sources: MaybePointed,
  backup: SecretsBackup | undefined,
): Promise<CommandResult> {
  // Without the old master key, a new one would be made for new secrets; those of the backup would be lost behind it.
  if (backup !== undefined) await loadMasterKey(config.masterKeyFile, false)
  await using data = await context.deployment.openData(config, systemClock, 'command', 'recovery')
  const { zones } = data
  await using lock = await takeSessionLock(zones.key.address, RECOVERY_LOCK, false)
  if (lock === undefined) throw new TocsinError('recovery_busy')
  const recovered: Record<string, unknown> = {}
  for (const [zone, source] of sources) {
    const begun = performance.now()
    const bar = startProgress(context, `${zone} zone`, source.chain.end, 'events')
    const [identity = ''] = source.identities
    const options = {
      onProgress: bar.update,
      signal: context.signal,
      archiveTo: zoneArchive(config.archiveFolder, zone),
      recipient:
        config.archiveRecipients.length > 0 ? undefined : await identityToRecipient(identity),
    }
    const recover = async () => {
      if (!('point' in source)) return { log: await recoverZone(zones[zone], source, options) }
      const until = { ...options, now: systemClock.now() }
      const log = await recoverUntil(zones[zone], source, until)
      return { log, anew: log }
    }
    const { log, anew } = await recover().finally(bar.stop)
    await eraseOnceMore(zones, zone, source.chain.grain)
    const seconds = Number(((performance.now() - begun) / 1000).toFixed(1))
    context.print(
      log.alreadyThere === log.events
        ? `${zone} zone: was recovered before; root ${log.root}`
        : `${zone} zone: ${counted(log.events, 'event')} recovered in ${seconds} s; root ${log.root}`,
    )
    if (anew !== undefined) printRecoveredUntil(context, anew)
    recovered[zone] = { ...log, seconds, notes: source.chain.notes }
  }
  const wanted = [...sources.keys()]
  if (backup !== undefined) await restoreSecrets(zones, backup, wanted)
  const missing = await findMissing(zones, wanted)
  printMissing(context, missing)
  context.print(
    'The deployment that wrote this archive must not run any more: two would fork the log.',
  )
  return { document: { dryRun: false, zones: recovered, missingSecrets: missing } }
}

/** What was erased since the newest snapshot is in the archive as it was. @param grain of the newest event, unix seconds */
export async function eraseOnceMore(zones: OpenZones, zone: Zone, grain: number): Promise<void> {
  // The clock of a new machine may be behind: what was erased must not come back by it.
  const now = new Date(Math.max(systemClock.now().getTime(), grain * 1_000))
  if (zone === 'key') await eraseReports(zones.key, now)
  else await eraseCodes({ ...zones.authority, masterKey: zones.masterKey }, now)
}
