// Cli: where a deployment hands in its withdrawal orders; promises that its own key zone judges them as it judges those that come over HTTP.

import { judgeRefusal, remoteKeyServer, type KeyServer } from '../authorize/deliver-orders.ts'
import {
  runDelivery,
  type DeliveryContext,
  type RunningDelivery,
} from '../authorize/run-delivery.ts'
import type { Config } from '../config.ts'
import { receiveOrder, type OrderContext } from '../correct/receive-order.ts'
import { TocsinError } from '../errors.ts'
import { ENCODERS } from '../kinds.ts'
import type { OpenZones } from '../operate/open-zones.ts'

/** What the key zone of a deployment receives orders with. */
export function orderContext(
  config: Config,
  zones: Pick<OpenZones, 'key'>,
  now: () => Date,
): OrderContext {
  return { zone: { ...zones.key, encoders: ENCODERS }, clockLeewaySeconds: config.clockLeeway, now }
}

/** The key server of a deployment: the one at TOCSIN_KEY_SERVER_URL, or its own key zone, in this process. */
export function keyServerOf(
  config: Config,
  zones: Pick<OpenZones, 'key'>,
  now: () => Date,
): KeyServer {
  return config.keyServerUrl === undefined
    ? ownKeyServer(orderContext(config, zones, now))
    : remoteKeyServer(config.keyServerUrl)
}

function ownKeyServer(context: OrderContext): KeyServer {
  return {
    address: 'own key zone',
    async hand({ jws }) {
      try {
        await receiveOrder(context, jws)
        return { kind: 'taken', status: 200 }
      } catch (error) {
        if (!(error instanceof TocsinError)) throw error
        return error.code === 'unavailable'
          ? { kind: 'waiting', reason: error.code, isAway: true }
          : judgeRefusal(error.status, error.code)
      }
    },
  }
}

/** Delivers the orders of a deployment for as long as it runs. @param mode as in {@link runDelivery} */
export function startDelivery(
  config: Config,
  zones: Pick<OpenZones, 'key' | 'authority'>,
  rest: Omit<DeliveryContext, 'zone' | 'address' | 'server'>,
  mode: 'timer' | 'manual',
): RunningDelivery {
  const { authority } = zones
  const server = keyServerOf(config, zones, rest.now)
  return runDelivery({ ...rest, zone: authority, address: authority.address, server }, mode)
}
