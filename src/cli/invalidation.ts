// Cli: invalidates codes, whichever; promises that a preview changes nothing but the log, which knows that somebody looked.

import {
  invalidateCodes,
  previewInvalidation,
  type InvalidationPreview,
} from '../authorize/invalidate-codes.ts'
import type { InvalidationScope } from '../authorize/invalidation-scope.ts'
import type { CommandContext, CommandOption, CommandResult } from './command.ts'
import { counted } from './counted.ts'
import { isGiven, noteLookUp, withAuthority } from './with-authority.ts'

/** What each such command takes. */
export const PREVIEW_OPTION = {
  preview: { type: 'boolean', help: 'say what would happen, and do nothing' },
} as const satisfies Record<string, CommandOption>

/** What those take whose codes have issuer handles of their own. */
export const INVALIDATION_OPTIONS = {
  retroactive: {
    type: 'boolean',
    help: 'also sign an order to withdraw the reports that were made with these codes; the server delivers it to the key server (withdrawal list)',
  },
  ...PREVIEW_OPTION,
} as const satisfies Record<string, CommandOption>

/** Invalidates the codes of a scope, or says what that would do. @throws TocsinError those of `invalidateCodes` */
export function runInvalidation(
  context: CommandContext,
  scope: InvalidationScope,
): Promise<CommandResult> {
  const retroactive = isGiven(context, 'retroactive')
  return withAuthority(context, async (zone, now) => {
    if (isGiven(context, 'preview')) {
      const preview = await previewInvalidation(zone, scope, now())
      await noteLookUp(zone, 'invalidation', scope.realm, now())
      for (const line of describe(preview, scope)) context.print(line)
      context.print('Nothing was changed.')
      return { document: { ...preview, invalidated: false } }
    }
    const done = await invalidateCodes(zone, scope, { retroactive }, 'command', now())
    for (const line of describe(done, scope)) context.print(line)
    context.print('They are invalid from now on.')
    if (done.order !== null) {
      context.print(
        `Withdrawal order ${done.order} is signed. A server that runs delivers it by itself:`,
      )
      context.print('tocsin withdrawal list says whether the key server has it.')
    } else if (retroactive) context.print('There is nothing to withdraw: no order was made.')
    return { document: { ...done, invalidated: true } }
  })
}

function describe(
  { unused, used, handles, certificates, canWithdraw }: InvalidationPreview,
  { scope }: InvalidationScope,
): string[] {
  const codes = `${counted(unused, 'code')} unused, ${used} used`
  if (handles === 0) return [codes, 'No report was made with them: there is nothing to withdraw.']
  const [have, stand] = handles === 1 ? ['this handle', 'stands'] : ['these handles', 'stand']
  return [
    codes,
    `${counted(handles, 'issuer handle')} ${stand} for the reports, on ${counted(certificates, 'certificate')} still known here`,
    canWithdraw
      ? `No other codes have ${have}: --retroactive signs an order to withdraw the reports.`
      : scope === 'batch'
        ? `Other codes have ${have}, too, so that --retroactive would be refused.`
        : `Other codes have ${have}, too: a single report is withdrawn by its tracking id, at the key server.`,
  ]
}
