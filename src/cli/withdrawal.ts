// Cli: the orders to key servers to withdraw reports; promises that a list shows what each says, and that whoever takes or delivers an order leaves a line in the log.

import { deliverOrder } from '../authorize/deliver-orders.ts'
import {
  claimsOf,
  listWithdrawalOrders,
  requireWithdrawalOrder,
  type WithdrawalOrder,
} from '../authorize/withdrawal-orders.ts'
import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import type { Command, CommandContext } from './command.ts'
import { counted } from './counted.ts'
import { keyServerOf } from './order-delivery.ts'
import {
  chosenRealm,
  noteLookUp,
  ONE_REALM_OPTION,
  requiredArgument,
  withAuthority,
} from './with-authority.ts'
import { withData } from './with-data.ts'

/** `tocsin withdrawal list` */
export const withdrawalListCommand: Command = {
  summary:
    'Lists the signed orders to withdraw reports, the newest first, and whether the key server has them. The server delivers them by itself.',
  usage: 'withdrawal list [--realm NAME]',
  options: { realm: ONE_REALM_OPTION },
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const chosen = await chosenRealm(context, zone)
      const orders = await listWithdrawalOrders(zone.db, chosen)
      await noteLookUp(zone, 'withdrawal-orders', chosen, now())
      if (orders.length === 0)
        context.print(
          'None: tocsin batch invalidate and tocsin provider invalidate-codes make one with --retroactive.',
        )
      const document = orders.map(describeOrder)
      for (const { id, realm, madeAt, handles, from, through, ...order } of document) {
        const days = `${dateOf(from)} to ${dateOf(through)}`
        context.print(
          `${id}  of ${realm}, made ${formatTimestamp(madeAt)}, ${counted(handles, 'handle')}, reports of ${days}, ${stateOf(order)}`,
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
    const id = orderId(context, 'withdrawal show')
    return withAuthority(context, async (zone, now) => {
      const order = await requireWithdrawalOrder(zone.db, null, id)
      await noteLookUp(zone, 'withdrawal-order', order.realm, now())
      context.print(order.jws)
      return { document: { ...describeOrder(order), jws: order.jws } }
    })
  },
}

/** `tocsin withdrawal deliver` */
export const withdrawalDeliverCommand: Command = {
  summary:
    'Hands an order to the key server now (TOCSIN_KEY_SERVER_URL; the own key zone without it): one that was refused, once it is mended, or one that waits.',
  usage: 'withdrawal deliver ID\n       tocsin withdrawal deliver -- -ID',
  positionals: 1,
  options: {},
  async run(context) {
    const id = orderId(context, 'withdrawal deliver')
    return withData(context, async ({ zones, config, now }) => {
      const zone = zones.authority
      const order = await requireWithdrawalOrder(zone.db, null, id)
      if (order.delivered) {
        context.print('The key server has it already.')
        return { document: describeOrder(order) }
      }
      const server = keyServerOf(config, zones, now)
      const outcome = await deliverOrder(zone, server, order, 'command', now, context.signal)
      if (outcome.kind === 'refused')
        throw new TocsinError(
          'order_refused',
          `The key server refused the order: ${outcome.code}. Mend that, and deliver it again.`,
        )
      if (outcome.kind === 'waiting')
        throw new TocsinError(
          'key_server_unreachable',
          `The key server did not take the order (${outcome.reason}). It stays here.`,
        )
      context.print(`Delivered: ${server.address} has it, and its next release withdraws.`)
      return { document: describeOrder(await requireWithdrawalOrder(zone.db, null, id)) }
    })
  },
}

/** @throws TocsinError `usage` */
function orderId(context: CommandContext, command: string): string {
  const id = requiredArgument(context, 'ID', command)
  if (!/^[\w-]{22}$/.test(id))
    throw new TocsinError('usage', 'ID is the 22 characters that tocsin withdrawal list shows.')
  return id
}

function stateOf({ delivered, refusal }: Pick<WithdrawalOrder, 'delivered' | 'refusal'>): string {
  if (delivered) return 'delivered'
  return refusal === null ? 'not delivered yet' : `refused (${refusal})`
}

function describeOrder({ jws, ...order }: WithdrawalOrder) {
  const { handles, from, through } = claimsOf({ jws })
  return { ...order, handles: handles.length, from, through }
}

function dateOf(seconds: number): string {
  return formatTimestamp(seconds).slice(0, 10)
}
