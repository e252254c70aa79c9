// Authorize: delivers the orders of the outbox for as long as the process runs; promises one process at a time, the oldest first, growing pauses while a key server is away, and that a refusal is told and waits for a person.

import type { Address } from '../db/database.ts'
import { takeSessionLock, type SessionLock } from '../db/session-lock.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain } from '../log/append-event.ts'
import type { Logger } from '../operate/logger.ts'
import { deliverOrder, type KeyServer } from './deliver-orders.ts'
import { listOpenOrders, type WithdrawalOrder } from './withdrawal-orders.ts'
import type { AuthorityZone } from './zone.ts'

/** What delivering needs. */
export interface DeliveryContext {
  readonly zone: Pick<AuthorityZone, 'db' | 'writer'>
  /** The authority zone's login, for the lock's own connection. */
  readonly address: Address
  readonly server: KeyServer
  readonly now: () => Date
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number
  readonly logger: Logger
  /** Hears what each look found, in every process. */
  readonly onLook?: (found: OpenOrders) => void
}

/** The orders that no key server has taken yet, by realm. */
export interface OpenOrders {
  /** How many are to be handed in. */
  readonly waiting: ReadonlyMap<string, number>
  /** How many were refused, and wait for a person. */
  readonly refused: ReadonlyMap<string, number>
  /** How long the oldest that is to be handed in has waited: seconds, of times at a time grain. */
  readonly oldestSeconds: ReadonlyMap<string, number>
}

/** Deliveries that go on; disposing ends what is under way and gives the lock back. */
export interface RunningDelivery extends AsyncDisposable {
  /**
   * Hands in the orders whose time has come, unless another process does it.
   *
   * @throws TocsinError `unavailable` when the database can't be reached
   */
  deliverDue(): Promise<void>
}

/** How often it looks for orders, in milliseconds. */
const LOOK_INTERVAL_MS = 5_000
/** Pauses between the attempts for one order, in milliseconds: the first, and the longest. Each is twice the one before. */
export const FIRST_PAUSE_MS = 5_000
export const LONGEST_PAUSE_MS = 600_000

/** "ORDERSGO" in ASCII. */
const DELIVERY_LOCK = '5715705941611202383'

/** An order that could not be handed in yet. */
interface Pause {
  readonly length: number
  /** On the clock that never goes back, milliseconds. */
  readonly until: number
}

/** @param mode `timer` delivers as orders come due, `manual` when {@link RunningDelivery.deliverDue} is called */
export function runDelivery(context: DeliveryContext, mode: 'timer' | 'manual'): RunningDelivery {
  const { zone, address, server, now, monotonicMs, logger } = context
  const stop = new AbortController()
  const pauses = new Map<string, Pause>()
  let told: string | undefined
  let lock: SessionLock | undefined
  let isAway = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  /** Told is what is new: that orders wait, another reason for it, its end. */
  const tellWaiting = (reason: string | undefined) => {
    if (reason === told) return
    told = reason
    if (reason === undefined) logger.info('withdrawal orders are delivered again')
    else
      logger.error('withdrawal orders wait', new TocsinError('key_server_unreachable'), { reason })
  }
  const lookAtAll = async () => {
    const open = await listOpenOrders(zone.db)
    context.onLook?.(countOpen(open, now(), zone.writer.timeGrain))
    return open
  }
  const deliverAll = async () => {
    const open = await lookAtAll()
    const waiting = open.filter(({ refusal }) => refusal === null)
    const ids = new Set(waiting.map(({ id }) => id))
    for (const id of pauses.keys()) if (!ids.has(id)) pauses.delete(id)
    // Whoever has nothing to deliver needs no lock.
    if (waiting.length === 0) return
    if ((await lock?.isHeld()) !== true) lock = await takeSessionLock(address, DELIVERY_LOCK, false)
    if (lock === undefined) return
    const due = waiting.filter(({ id }) => (pauses.get(id)?.until ?? 0) <= monotonicMs())
    for (const order of due) {
      stop.signal.throwIfAborted()
      const outcome = await deliverOrder(zone, server, order, 'schedule', now, stop.signal)
      if (outcome.kind === 'waiting') {
        const length = Math.min(
          (pauses.get(order.id)?.length ?? FIRST_PAUSE_MS / 2) * 2,
          LONGEST_PAUSE_MS,
        )
        pauses.set(order.id, { length, until: monotonicMs() + length })
        tellWaiting(outcome.reason)
        if (outcome.isAway) break
        continue
      }
      tellWaiting(undefined)
      if (outcome.kind === 'refused')
        logger.error('a key server refused a withdrawal order', new TocsinError('order_refused'), {
          realm: order.realm,
          order: order.id,
          code: outcome.code,
        })
      else logger.info('a withdrawal order was delivered', { realm: order.realm, order: order.id })
    }
    if (due.length > 0) await lookAtAll()
  }
  const deliverDue = () => (running ??= deliverAll().finally(() => (running = undefined)))
  const tick = async () => {
    await deliverDue().then(
      () => (isAway = false),
      (error: unknown) => {
        if (!isAway && !stop.signal.aborted)
          logger.error('delivering withdrawal orders failed', error)
        isAway = true
      },
    )
    if (!stop.signal.aborted) timer = setTimeout(() => void tick(), LOOK_INTERVAL_MS)
  }
  if (mode === 'timer') void tick()
  return {
    deliverDue,
    async [Symbol.asyncDispose]() {
      stop.abort()
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock?.[Symbol.asyncDispose]()
    },
  }
}

function countOpen(open: readonly WithdrawalOrder[], now: Date, timeGrain: number): OpenOrders {
  const waiting = new Map<string, number>()
  const refused = new Map<string, number>()
  const oldestSeconds = new Map<string, number>()
  const seconds = truncateToGrain(now, timeGrain)
  // The oldest come first.
  for (const { realm, madeAt, refusal } of open) {
    const counts = refusal === null ? waiting : refused
    counts.set(realm, (counts.get(realm) ?? 0) + 1)
    const age = seconds - Math.floor(madeAt / timeGrain) * timeGrain
    if (refusal === null && !oldestSeconds.has(realm)) oldestSeconds.set(realm, Math.max(age, 0))
  }
  return { waiting, refused, oldestSeconds }
}
