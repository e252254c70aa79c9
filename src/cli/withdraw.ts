// Cli: withdraws reports or single keys; promises to show first what it would do.

import { previewWithdrawal, withdraw } from '../correct/withdraw.ts'
import type { Command } from './command.ts'
import {
  CORRECTION_OPTIONS,
  KEY_OPTIONS,
  REPORT_OPTIONS,
  requireSelection,
  runCorrection,
} from './correction-options.ts'
import { counted } from './counted.ts'
import { choiceOption } from './with-authority.ts'

/** `tocsin withdraw` */
export const withdrawCommand: Command = {
  summary:
    'Withdraws reports, or single keys, in the key zone: the next release of each stream revokes what was published, and nothing else of it is. Without --carry-out it shows what it would do. (tocsin withdrawal list shows the orders that the authority zone signed for key servers.)',
  usage:
    'withdraw SELECTION... [--scope retroactive|from-now-on|both]\n       tocsin withdraw SELECTION... [--scope ...] --reason TEXT --carry-out ID',
  options: {
    ...REPORT_OPTIONS,
    ...KEY_OPTIONS,
    scope: {
      type: 'string',
      help: 'retroactive (default): what was accepted before; from-now-on: what comes later; both',
    },
    ...CORRECTION_OPTIONS,
  },
  async run(context) {
    const selection = await requireSelection(context, 'withdraw')
    const scopes = ['retroactive', 'from-now-on', 'both'] as const
    const scope = choiceOption(context, 'scope', scopes) ?? 'retroactive'
    return runCorrection(context, {
      preview: (zone) => previewWithdrawal(zone, selection, scope),
      *describe({ alreadyWithdrawn, padding }) {
        if (alreadyWithdrawn > 0) yield `withdrawn already: ${alreadyWithdrawn}`
        if (padding > 0) yield `beside them: ${counted(padding, 'padding device')}`
        if (scope !== 'retroactive')
          yield 'and what comes later, until the withdrawal is reinstated'
      },
      carryOut: (zone, request, now) => withdraw(zone, { selection, scope, ...request }, now),
      *conclude({ id }) {
        yield 'The next release of each stream tells phones.'
        yield `To take it back: tocsin reinstate --withdrawal ${id}`
      },
    })
  },
}
