// Authorize: hands an order to withdraw reports to a key server; promises at least once, that what became of it is in the log, and that only a definite refusal ends the attempts.

import { appendEvents } from '../log/append-event.ts'
import { postBounded } from '../operate/fetch-bounded.ts'
import type { KeyActor } from './signing-keys.ts'
import {
  lockOpenOrder,
  orderDelivered,
  orderRefused,
  type WithdrawalOrder,
} from './withdrawal-orders.ts'
import type { AuthorityZone } from './zone.ts'

/** What came of handing an order in: taken; refused for good, with a code; or neither, and it is to be tried again. */
export type OrderOutcome =
  | { readonly kind: 'taken'; readonly status: number }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  | {
      readonly kind: 'waiting'
      /** In a word or two, without anything that the key server said. */
      readonly reason: string
      /** Whether other orders would do no better now. */
      readonly isAway: boolean
    }

/** Where orders go. */
export interface KeyServer {
  /** As the log names it. */
  readonly address: string
  /** @throws the reason of `signal` when it aborts; the order may have been taken by then */
  hand(order: Pick<WithdrawalOrder, 'id' | 'jws'>, signal: AbortSignal): Promise<OrderOutcome>
}

/** For one answer: carrying out a large order takes a key server some seconds. */
const TIMEOUT_MS = 60_000
const MAX_ANSWER_BYTES = 16 * 1024

/** Statuses by which a key server asks to be tried again, beside all from 500 on. */
const TRY_AGAIN: readonly number[] = [408, 425, 429]

/** Refusals that pass by themselves: two clocks differ. */
const PASSING_CODES: readonly string[] = ['order_not_yet_valid']

/** What an answer that is no success means. @param code of the error table of a key server; undefined when it named none */
export function judgeRefusal(status: number, code: string | undefined): OrderOutcome {
  if (status >= 500 || TRY_AGAIN.includes(status))
    return { kind: 'waiting', reason: `status ${status}`, isAway: false }
  if (code !== undefined && PASSING_CODES.includes(code))
    return { kind: 'waiting', reason: code, isAway: false }
  return { kind: 'refused', status, code: code ?? `status_${status}` }
}

/** A key server at an address. @param url without a path of its own, such as `https://keys.example` */
export function remoteKeyServer(url: string): KeyServer {
  const address = `${url.replace(/\/+$/, '')}/v1/withdrawals`
  return {
    address,
    async hand({ id, jws }, signal) {
      const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES, signal }
      const answer = await postBounded(
        address,
        { body: jws, contentType: 'application/jwt' },
        bounds,
      )
      if (typeof answer === 'string') return { kind: 'waiting', reason: answer, isAway: true }
      const { status, body } = answer
      const { jti, code } = readFields(body)
      if (status < 200 || status > 299)
        return judgeRefusal(status, /^[a-z0-9_]{1,60}$/.test(code ?? '') ? code : undefined)
      // A web page that answers anything with 200 is no key server: the order would be lost.
      return jti === id
        ? { kind: 'taken', status }
        : { kind: 'waiting', reason: 'no key server', isAway: false }
    },
  }
}

/** The texts of an answer; none of anything that is no JSON object. */
function readFields(body: Uint8Array): { readonly jti?: string; readonly code?: string } {
  try {
    const value = (JSON.parse(Buffer.from(body).toString()) ?? {}) as Record<string, unknown>
    const textOf = (name: string) =>
      typeof value[name] === 'string' ? { [name]: value[name] } : {}
    return { ...textOf('jti'), ...textOf('code') }
  } catch {
    return {}
  }
}

/**
 * Hands one order in, and notes what became of it. Two who do so at once make one event of its delivery.
 *
 * @param by who wanted it: somebody, or the schedule
 * @throws the reason of `signal` when it aborts; TocsinError `unavailable`: the order may have been taken, and is to be handed in
 *   again
 */
export async function deliverOrder(
  zone: Pick<AuthorityZone, 'db' | 'writer'>,
  server: KeyServer,
  order: WithdrawalOrder,
  by: KeyActor,
  now: () => Date,
  signal: AbortSignal,
): Promise<OrderOutcome> {
  const outcome = await server.hand(order, signal)
  if (outcome.kind === 'waiting') return outcome
  const content = { id: order.id, address: server.address, status: outcome.status, by }
  const event =
    outcome.kind === 'taken'
      ? orderDelivered(content)
      : orderRefused({ ...content, code: outcome.code })
  await zone.db.transaction(async (tx) => {
    if (await lockOpenOrder(tx, order.id)) await appendEvents(tx, zone.writer, [event], now())
  })
  return outcome
}
