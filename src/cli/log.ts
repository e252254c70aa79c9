// Cli: checks both zones' logs; promises to change nothing.

import { verifyLog } from '../log/verify-log.ts'
import type { Command } from './command.ts'
import { withData } from './with-data.ts'

/** `tocsin log verify` */
export const logVerifyCommand: Command = {
  summary:
    'Checks that each log is gapless, its tree is as recorded and every table says what the events say.',
  usage: 'log verify',
  options: {},
  run: (context) =>
    withData(context, async ({ zones }) => {
      const key = await verifyLog(zones.key.db, zones.key.writer.projections)
      const authority = await verifyLog(zones.authority.db, zones.authority.writer.projections)
      for (const [zone, findings] of Object.entries({ key, authority })) {
        context.print(`${zone} zone: ${findings.events} events, root ${findings.root}`)
        for (const problem of findings.problems) context.print(`  problem: ${problem}`)
      }
      const valid = key.problems.length + authority.problems.length === 0
      context.print(
        valid ? 'Everything agrees.' : 'The logs do not agree with themselves or their tables.',
      )
      return { document: { valid, key, authority }, exitCode: valid ? 0 : 1 }
    }),
}
