// Cli: takes withdrawals back; promises to show first what it would do.

import { previewReinstatement, reinstate } from '../correct/reinstate.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type Command } from './command.ts'
import {
  CORRECTION_OPTIONS,
  KEY_OPTIONS,
  readSelection,
  REPORT_OPTIONS,
  runCorrection,
} from './correction-options.ts'
import { counted } from './counted.ts'

/** `tocsin reinstate` */
export const reinstateCommand: Command = {
  summary:
    'Takes a withdrawal back: whole, with its rule for later reports; the part of it that a selection finds; or, without --withdrawal, all that is withdrawn of what a selection finds. Without --carry-out it shows what it would do.',
  usage:
    'reinstate [--withdrawal ID] [SELECTION...]\n       tocsin reinstate [--withdrawal ID] [SELECTION...] --reason TEXT --carry-out ID',
  options: {
    withdrawal: { type: 'string', help: 'id of a withdrawal: tocsin correction list' },
    ...REPORT_OPTIONS,
    ...KEY_OPTIONS,
    ...CORRECTION_OPTIONS,
  },
  async run(context) {
    const selection = await readSelection(context)
    const withdrawal = textOption(context, 'withdrawal')
    if (withdrawal === undefined && selection === undefined)
      throw new TocsinError('usage', 'Say what: --withdrawal, a selection, or both. See --help.')
    if (withdrawal !== undefined && !/^[0-9a-f]{32}$/i.test(withdrawal))
      throw new TocsinError(
        'usage',
        '--withdrawal is the 32 hex digits that tocsin correction list shows.',
      )
    const target = {
      ...(withdrawal === undefined ? {} : { withdrawal }),
      ...(selection === undefined ? {} : { selection }),
    }
    return runCorrection(context, {
      preview: (zone) => previewReinstatement(zone, target),
      *describe({ padding, endsRule }) {
        if (padding > 0) yield `beside them: ${counted(padding, 'padding device')}`
        if (endsRule) yield 'and the rule for what comes later ends'
      },
      carryOut: (zone, request, now) => reinstate(zone, { ...target, ...request }, now),
      conclude: () => ['The next release of each stream tells phones, as far as they listen.'],
    })
  },
}
