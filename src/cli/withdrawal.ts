// Cli: the orders to key servers to withdraw reports; promises that a list shows what each says, and that whoever takes the order itself, to hand it in, leaves a line in the log.

import {
  claimsOf,
  listWithdrawalOrders,
  requireWithdrawalOrder,
  type WithdrawalOrder,
} from '../authorize/withdrawal-orders.ts'
import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import type { Command } from './command.ts'
import { counted } from './counted.ts'
import {
  chosenRealm,
  noteLookUp,
  ONE_REALM_OPTION,
  requiredArgument,
  withAuthority,
} from './with-authority.ts'

/** `tocsin withdrawal list` */
export const withdrawalListCommand: Command = {
  summary:
    'Lists the signed orders to withdraw reports, the newest first. This version keeps them and delivers none.',
  usage: 'withdrawal list [--realm NAME]',
  options: { realm: ONE_REALM_OPTION },
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const chosen = await chosenRealm(context, zone)
      const orders = await listWithdrawalOrders(zone.db, chosen)
      await noteLookUp(zone, 'withdrawal-orders', chosen, now())
      if (orders.length === 0)
        context.print('None: tocsin batch invalidate --retroactive makes one.')
      const document = orders.map(describeOrder)
      for (const { id, realm, madeAt, delivered, handles, from, through } of document) {
        const days = `${dateOf(from)} to ${dateOf(through)}`
        context.print(
          `${id}  of ${realm}, made ${formatTimestamp(madeAt)}, ${counted(handles, 'handle')}, reports of ${days}, ${delivered ? 'delivered' : 'not delivered'}`,
        )
      }
      return { document }
    }),
}

/** `tocsin withdrawal show` */
export const withdrawalShowCommand: Command = {
  summary:
    'Prints a signed order to withdraw reports (a JWS), to be handed to the key server by other means.',
  usage: 'withdrawal show ID\n       tocsin withdrawal show -- -ID',
  positionals: 1,
  options: {},
  async run(context) {
    const id = requiredArgument(context, 'ID', 'withdrawal show')
    if (!/^[\w-]{22}$/.test(id))
      throw new TocsinError('usage', 'ID is the 22 characters that tocsin withdrawal list shows.')
    return withAuthority(context, async (zone, now) => {
      const order = await requireWithdrawalOrder(zone.db, null, id)
      await noteLookUp(zone, 'withdrawal-order', order.realm, now())
      context.print(order.jws)
      return { document: { ...describeOrder(order), jws: order.jws } }
    })
  },
}

function describeOrder({ jws, ...order }: WithdrawalOrder) {
  const { handles, from, through } = claimsOf({ jws })
  return { ...order, handles: handles.length, from, through }
}

function dateOf(seconds: number): string {
  return formatTimestamp(seconds).slice(0, 10)
}
