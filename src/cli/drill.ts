// Cli: tries a recovery without touching the deployment; promises a throw-away database, a comparison with the live one, and the time that it took.

import type { Config } from '../config.ts'
import { parseConfig } from '../config.ts'
import type { Zone } from '../db/zones.ts'
import { readTree } from '../log/load-events.ts'
import { readHead } from '../log/read-events.ts'
import { rootOf } from '../log/tree.ts'
import { systemClock } from '../operate/clock.ts'
import type { OpenZone } from '../operate/open-zones.ts'
import { differingTables, digestTables } from '../recover/compare-tables.ts'
import { recoverZone, type RecoveredLog } from '../recover/recover-zone.ts'
import type { Command, CommandContext, CommandResult } from './command.ts'
import type { OpenData } from './deployment.ts'
import { startProgress } from './progress.ts'
import { eraseOnceMore, openSources, type Sources } from './recover.ts'
import { makeThrowaway } from './throwaway.ts'

/** `tocsin drill` */
export const drillCommand: Command = {
  summary:
    'Recovers into a throw-away database, compares it with the live one and says how long it took. Changes nothing. Exit status 1 when they differ.',
  usage: 'drill --from ARCHIVE --identity FILE [--zone key|authority] [--no-compare]',
  options: {
    from: { type: 'string', help: 'the folder that has key/ and authority/ below it' },
    identity: { type: 'string', help: 'file with the identity that the archive is encrypted to' },
    zone: { type: 'string', help: 'only this zone: key or authority' },
    'no-compare': {
      type: 'boolean',
      help: 'for another machine: compares with what the archive says of itself alone',
    },
  },
  async run(context) {
    const config = parseConfig(context.env)
    const sources = await openSources(context)
    if (context.values['no-compare'] === true) return await drill(context, config, sources)
    await using live = await context.deployment.openData(config, systemClock, 'command')
    return await drill(context, config, sources, live)
  },
}

/** What became of a zone. */
interface DrilledZone extends RecoveredLog {
  readonly seconds: number
  /** Null when nothing was compared. */
  readonly live: Comparison | null
}

interface Comparison {
  readonly events: number
  /** Whether the first events, as many as were recovered, have the same root. */
  readonly rootAgrees: boolean
  /** Tables that differ; null when the live zone did not stand still at what was recovered. */
  readonly differingTables: readonly string[] | null
}

async function drill(
  context: CommandContext,
  config: Config,
  sources: Sources,
  live?: OpenData,
): Promise<CommandResult> {
  await using throwaway = await makeThrowaway(config, systemClock.now())
  context.note(`tocsin: recovering into ${throwaway.where}`)
  await using data = await context.deployment.openData(
    throwaway.config,
    systemClock,
    'command',
    'recovery',
  )
  const zones: Record<string, DrilledZone> = {}
  for (const [zone, source] of sources) {
    const begun = performance.now()
    const bar = startProgress(context, `${zone} zone`, source.chain.end, 'events')
    const { signal } = context
    const log = await recoverZone(data.zones[zone], source, {
      onProgress: bar.update,
      signal,
    }).finally(bar.stop)
    await eraseOnceMore(data.zones, zone, source.chain.grain)
    const seconds = Number(((performance.now() - begun) / 1000).toFixed(1))
    const compared =
      live === undefined ? null : await compareZones(data.zones[zone], live.zones[zone], log)
    zones[zone] = { ...log, seconds, live: compared }
    printZone(context, zone, zones[zone])
  }
  const agrees = Object.values(zones).every(({ live: each }) => each === null || isSame(each))
  context.print(agrees ? 'The archive gives what it should.' : 'THE ARCHIVE GIVES SOMETHING ELSE.')
  return { document: { agrees, zones }, exitCode: agrees ? 0 : 1 }
}

async function compareZones(
  recovered: OpenZone,
  live: OpenZone,
  { events, root }: RecoveredLog,
): Promise<Comparison> {
  const tree = await readTree(live.db, events)
  const rootAgrees = Buffer.from(rootOf(tree)).toString('hex') === root
  const before = await readHead(live.db)
  const digests = before.nextSeq === events ? await digestTables(live.db) : undefined
  const after = await readHead(live.db)
  const stoodStill = digests !== undefined && after.nextSeq === events
  return {
    events: after.nextSeq,
    rootAgrees,
    differingTables: stoodStill ? differingTables(digests, await digestTables(recovered.db)) : null,
  }
}

function isSame({ rootAgrees, differingTables: tables }: Comparison): boolean {
  return rootAgrees && (tables ?? []).length === 0
}

function printZone(context: CommandContext, zone: Zone, drilled: DrilledZone): void {
  const { events, seconds, root, live } = drilled
  context.print(`${zone} zone: ${events} events recovered in ${seconds} s; root ${root}`)
  if (live === null) return
  context.print(
    live.rootAgrees
      ? `  the live log has ${live.events} events, the same up to there`
      : `  the live log has ${live.events} events and OTHERS up to there`,
  )
  if (live.differingTables === null)
    context.print('  it goes on meanwhile, so its tables were not compared')
  else if (live.differingTables.length === 0) context.print('  every table is the same')
  else context.print(`  these tables DIFFER: ${live.differingTables.join(', ')}`)
}
