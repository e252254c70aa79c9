// Cli: checks both zones' logs, in the database or in an archive; promises to change nothing.

import { TocsinError } from '../errors.ts'
import { readIdentities } from '../log/archive-recipients.ts'
import { verifyLog, type LogFindings } from '../log/verify-log.ts'
import { verifyArchive, type ArchiveFindings } from '../recover/verify-archive.ts'
import { zonesOf } from './archive.ts'
import { zoneArchive } from './archives.ts'
import { textOption, type Command, type CommandContext, type CommandResult } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin log verify` */
export const logVerifyCommand: Command = {
  summary:
    'Checks that each log is gapless, its tree is as recorded and every table says what the events say. With --from it reads an archive instead, without any database: every object, their chain and the tree from the oldest that is kept on. Exit status 1 when something is wrong.',
  usage: 'log verify [--zone key|authority] [--from ARCHIVE --identity FILE]',
  options: {
    zone: { type: 'string', help: 'key or authority; both when left out' },
    from: {
      type: 'string',
      help: 'folder of the archive, with the folders key and authority in it',
    },
    identity: { type: 'string', help: 'file of the identity that the archive is encrypted to' },
  },
  async run(context) {
    const from = textOption(context, 'from')
    if (from !== undefined) return verifyFrom(context, from, requiredOption(context, 'identity'))
    if (textOption(context, 'identity') !== undefined)
      throw new TocsinError('usage', '--identity goes with --from.')
    return verifyDatabase(context)
  },
}

async function verifyDatabase(context: CommandContext): Promise<CommandResult> {
  const wanted = zonesOf(context)
  return withData(context, async ({ zones }) => {
    const found: Record<string, LogFindings> = {}
    for (const zone of wanted) {
      const findings = await verifyLog(zones[zone].db, zones[zone].writer.projections)
      found[zone] = findings
      context.print(`${zone} zone: ${findings.events} events, root ${findings.root}`)
      for (const problem of findings.problems) context.print(`  problem: ${problem}`)
    }
    return conclude(context, found, 'The logs do not agree with themselves or their tables.')
  })
}

async function verifyFrom(
  context: CommandContext,
  folder: string,
  identityFile: string,
): Promise<CommandResult> {
  const wanted = zonesOf(context)
  const identities = await readIdentities(identityFile)
  const found: Record<string, ArchiveFindings> = {}
  for (const zone of wanted) {
    const findings = await verifyArchive(zoneArchive(folder, zone), zone, identities)
    found[zone] = findings
    const { objects, events, root, problems, apart } = findings
    context.print(`${zone} zone: ${objects} objects, ${events} events, root ${root}`)
    for (const problem of problems) context.print(`  problem: ${problem}`)
    for (const name of apart) context.print(`  no part of the chain: ${name}`)
  }
  return conclude(context, found, 'The archive is not whole.')
}

function conclude(
  context: CommandContext,
  found: Readonly<Record<string, { readonly problems: readonly string[] }>>,
  verdict: string,
): CommandResult {
  const valid = Object.values(found).every(({ problems }) => problems.length === 0)
  context.print(valid ? 'Everything agrees.' : verdict)
  return { document: { valid, ...found }, exitCode: valid ? 0 : 1 }
}
