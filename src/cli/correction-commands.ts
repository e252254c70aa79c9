// Cli: the part of the table of commands that corrects reports; promises what the whole table does.

import type { CommandRow } from './commands.ts'

/** Withdraw, reinstate, amend, and the list of what was done. */
export const CORRECTION_COMMANDS: Readonly<Record<string, CommandRow>> = {
  withdraw: {
    summary: 'withdraws reports or single keys of the key zone, after a preview',
    load: async () => (await import('./withdraw.ts')).withdrawCommand,
  },
  reinstate: {
    summary: 'takes a withdrawal back, whole or in part, after a preview',
    load: async () => (await import('./reinstate.ts')).reinstateCommand,
  },
  amend: {
    summary: 'changes the report type or the onset of reports, after a preview',
    load: async () => (await import('./amend.ts')).amendCommand,
  },
  'correction list': {
    summary: 'lists what was withdrawn, reinstated and amended, by whom and why',
    load: async () => (await import('./correction-list.ts')).correctionListCommand,
  },
}
