// Cli: amends reports; promises to show first what it would do.

import { amend, previewAmendment } from '../correct/amend.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type Command } from './command.ts'
import {
  CORRECTION_OPTIONS,
  REPORT_OPTIONS,
  requireSelection,
  runCorrection,
} from './correction-options.ts'
import { choiceOption } from './with-authority.ts'

/** `tocsin amend` */
export const amendCommand: Command = {
  summary:
    'Changes the report type or the onset of whole reports. The newest amendment of a report counts. Without --carry-out it shows what it would do.',
  usage:
    'amend SELECTION... [--report-type TYPE] [--onset DAY]\n       tocsin amend SELECTION... [--report-type TYPE] [--onset DAY] --reason TEXT --carry-out ID',
  options: {
    ...REPORT_OPTIONS,
    'report-type': { type: 'string', help: 'confirmed, likely or user-report; default as it was' },
    onset: {
      type: 'string',
      help: 'the day on which symptoms began, for example 2027-01-31; default as it was',
    },
    ...CORRECTION_OPTIONS,
  },
  async run(context) {
    const selection = await requireSelection(context, 'amend')
    const types = ['confirmed', 'likely', 'user-report'] as const
    const reportType = choiceOption(context, 'report-type', types)
    const onset = textOption(context, 'onset')
    if (reportType === undefined && onset === undefined)
      throw new TocsinError('usage', 'Say what changes: --report-type, --onset, or both.')
    const changes = {
      ...(reportType === undefined ? {} : { reportType }),
      ...(onset === undefined ? {} : { onset }),
    }
    return runCorrection(context, {
      preview: (zone) => previewAmendment(zone, selection, changes),
      *describe({ alreadyAmended }) {
        if (alreadyAmended > 0) yield `amended before: ${alreadyAmended}`
      },
      carryOut: (zone, request, now) => amend(zone, { selection, ...changes, ...request }, now),
      conclude: () => ['The next release of each stream tells phones, as far as they listen.'],
    })
  },
}
