// Cli: what a recovery would do; promises to read everything, to change nothing, and an exit status that says whether it would be refused.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { connectOnce, parseAddress } from '../db/database.ts'
import { openEmbedded } from '../db/embedded.ts'
import { loadMasterKey } from '../db/secrets.ts'
import { checkWrapped } from '../db/secrets-backup.ts'
import { schemaOf, type Zone } from '../db/zones.ts'
import { readThrough } from '../recover/open-source.ts'
import type { CommandContext, CommandResult } from './command.ts'
import { startProgress } from './progress.ts'
import type { MaybePointed } from './recover.ts'
import { kindsMissing, printMissing } from './recover-secrets.ts'
import type { SecretsBackup } from './secrets.ts'

/** `tocsin recover --dry-run` */
export async function tryRecovery(
  context: CommandContext,
  config: Config,
  sources: MaybePointed,
  backup: SecretsBackup | undefined,
): Promise<CommandResult> {
  for (const [zone, source] of sources) {
    const bar = startProgress(context, `${zone} zone`, source.chain.end, 'events')
    await readThrough(source, bar.update).finally(bar.stop)
  }
  const held = await findHeld(config, [...sources.keys()])
  const masterKey = existsSync(config.masterKeyFile)
    ? await loadMasterKey(config.masterKeyFile, false)
    : undefined
  if (backup !== undefined && masterKey !== undefined)
    for (const zone of sources.keys()) checkWrapped(masterKey, backup.zones[zone])
  if (held.size === 0) context.print('The database is empty: everything would be recovered.')
  let isRefused = false
  for (const [zone, source] of sources) {
    const log = held.get(zone)
    if (log === undefined) continue
    const outcome = judge(log, source)
    isRefused ||= outcome === 'refused'
    context.print(`${zone} zone: ${SENTENCES[outcome]}`)
  }
  if (masterKey === undefined && backup !== undefined) isRefused = true
  if (masterKey === undefined)
    context.print(
      backup === undefined
        ? `There is no master key in ${config.masterKeyFile}: a new one would be made.`
        : `There is no master key in ${config.masterKeyFile}: without it the secrets can not be used, and a recovery is refused.`,
    )
  // What is in a database that holds a log stays there.
  const missing = kindsMissing(
    backup,
    [...sources.keys()].filter((zone) => !held.has(zone)),
  )
  printMissing(context, missing)
  const zones = Object.fromEntries(
    [...sources].map(([zone, source]) => {
      const { chain } = source
      return [
        zone,
        {
          events: chain.end,
          newest: chain.grain,
          objects: chain.objects.map(({ name }) => name),
          notes: chain.notes,
          ...('point' in source ? { point: source.point } : {}),
        },
      ]
    }),
  )
  return {
    document: {
      dryRun: true,
      wouldRecover: !isRefused,
      zones,
      occupied: [...held.keys()],
      masterKey: masterKey !== undefined,
      missingSecrets: missing,
    },
    exitCode: isRefused ? 1 : 0,
  }
}

/** What a database holds of a zone: events, and once a log was begun or wholly recovered, its head. */
interface HeldLog {
  readonly head: { readonly logId: string; readonly nextSeq: number } | undefined
}

const SENTENCES = {
  'gone on with': 'an interrupted recovery lies there, and would be gone on with.',
  'there already': 'was recovered before: nothing would be done.',
  refused:
    'the database holds a log that goes another way, or on: a recovery is refused. Name an empty database.',
} as const

function judge(
  { head }: HeldLog,
  source: MaybePointed extends ReadonlyMap<Zone, infer Source> ? Source : never,
): keyof typeof SENTENCES {
  if (head === undefined) return 'gone on with'
  const { chain } = source
  const logId = Buffer.from(chain.logId).toString('hex')
  // A recovery to a point is a log of its own.
  const isSame = !('point' in source) && head.logId === logId && head.nextSeq === chain.end
  return isSame ? 'there already' : 'refused'
}

/** The zones of which the database holds any event, without making anything. */
async function findHeld(config: Config, zones: readonly Zone[]): Promise<Map<Zone, HeldLog>> {
  const held = new Map<Zone, HeldLog>()
  const { databaseUrl, dataFolder } = config
  if (databaseUrl === undefined && !existsSync(join(dataFolder, 'postgresql'))) return held
  const embedded = databaseUrl === undefined ? await openEmbedded(dataFolder) : undefined
  try {
    const client = await connectOnce(parseAddress(embedded?.url ?? databaseUrl?.reveal() ?? ''))
    try {
      for (const zone of zones) {
        const schema = schemaOf(zone)
        const there = await client.query<{ name: string | null }>(
          'select to_regclass($1)::text as name',
          [`${schema}.event`],
        )
        if ((there.rows[0]?.name ?? null) === null) continue
        const events = await client.query(`select 1 from ${schema}.event limit 1`)
        if (events.rowCount === 0) continue
        const heads = await client.query<{ logId: string; nextSeq: string }>(
          `select encode(log_id, 'hex') as "logId", next_seq as "nextSeq" from ${schema}.log_head`,
        )
        const [head] = heads.rows
        held.set(zone, {
          head: head && { logId: head.logId, nextSeq: Number(head.nextSeq) },
        })
      }
    } finally {
      await client.end()
    }
  } finally {
    await embedded?.close()
  }
  return held
}
