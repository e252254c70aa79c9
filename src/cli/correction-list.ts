// Cli: the corrections of the key zone; promises to say of each who made it, why, and how much it concerned, and never which reports.

import { listCorrections } from '../correct/corrections-list.ts'
import { printable } from '../format/printable.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import type { Command } from './command.ts'
import { summaryOf } from './correction-options.ts'
import { withData } from './with-data.ts'

/** `tocsin correction list` */
export const correctionListCommand: Command = {
  summary:
    'Lists the withdrawals, reinstatements and amendments of a year, the newest first: who made each, why, and how much it concerned.',
  usage: 'correction list',
  options: {},
  run: (context) =>
    withData(context, async ({ zones }) => {
      const document = await listCorrections(zones.key.db)
      if (document.length === 0) context.print('None.')
      for (const correction of document) {
        context.print(
          `${correction.id}  ${formatTimestamp(correction.acceptedAt)}  ${summaryOf(correction)}`,
        )
        context.print(`  by ${printable(correction.by)}: ${printable(correction.reason)}`)
      }
      return { document }
    }),
}
