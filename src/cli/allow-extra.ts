// Cli: codes beyond a day's quota; promises to say what may be issued today.

import { allowExtra, MOST_EXTRA } from '../authorize/extra-quota.ts'
import { TocsinError } from '../errors.ts'
import type { Command } from './command.ts'
import { counted } from './counted.ts'
import { countOrNone, requiredArgument, requireRealm, withAuthority } from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin realm allow-extra` */
export const realmAllowExtraCommand: Command = {
  summary:
    'Allows a realm with a dailyQuota so many codes more today (UTC), beside those that were allowed before; tomorrow they are gone.',
  usage: 'realm allow-extra NAME --codes N',
  positionals: 1,
  options: { codes: { type: 'string', help: `so many more, 1 to ${MOST_EXTRA}` } },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'realm allow-extra')
    requiredOption(context, 'codes')
    const extra = countOrNone(context, 'codes')
    if (typeof extra !== 'number' || extra < 1 || extra > MOST_EXTRA)
      throw new TocsinError('usage', `--codes must be a whole number from 1 to ${MOST_EXTRA}.`)
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, name)
      const quota = await allowExtra(zone, name, extra, 'command', now())
      context.print(
        `Realm ${name} may issue ${counted(quota.limit ?? 0, 'code')} today: ${quota.issued} issued, ${quota.remaining} left.`,
      )
      return { document: { realm: name, ...quota } }
    })
  },
}
