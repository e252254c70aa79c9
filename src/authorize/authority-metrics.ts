// Authorize: what the authority zone tells the operator in numbers; promises names of realms and jobs as labels, and nothing of a person.

import type { Gauge } from '../operate/metrics.ts'
import type { GuessLimits } from './guess-limits.ts'
import type { OpenOrders } from './run-delivery.ts'
import type { UpkeepRun } from './run-upkeep.ts'

/** Collects what upkeep did and which orders wait, and tells it with the realms that are braked. */
export function authorityMetrics(guesses: Pick<GuessLimits, 'brakes'>): {
  readonly gauges: readonly Gauge[]
  /** Takes note of a run of upkeep. */
  noteRun(run: UpkeepRun): void
  /** Takes note of the orders that no key server has taken yet. */
  noteOrders(found: OpenOrders): void
} {
  const erased = new Map<string, number>()
  let succeededAt: ReadonlyMap<string, number> = new Map()
  let unusual: readonly string[] = []
  let orders: OpenOrders = { waiting: new Map(), refused: new Map(), oldestSeconds: new Map() }
  return {
    noteOrders: (found) => (orders = found),
    noteRun(run) {
      for (const [kind, count] of Object.entries(run.erased))
        erased.set(kind, (erased.get(kind) ?? 0) + count)
      succeededAt = run.succeededAt
      unusual = run.unusualRealms
    },
    gauges: [
      {
        name: 'tocsin_authority_erased_total',
        help: 'What time erased in the authority zone, by kind; since this process started.',
        kind: 'counter',
        label: 'kind',
        values: () => erased,
      },
      {
        name: 'tocsin_authority_upkeep_last_success_timestamp_seconds',
        help: 'When each job of upkeep succeeded last in this process; none where another process does it.',
        kind: 'gauge',
        label: 'job',
        values: () => succeededAt,
      },
      {
        name: 'tocsin_authority_claims_unusual',
        help: 'Realms in which far fewer codes were claimed on the last full day than usual: 1 for each.',
        kind: 'gauge',
        label: 'realm',
        values: () => unusual.map((realm) => [realm, 1] as const),
      },
      {
        name: 'tocsin_authority_braked',
        help: 'Realms in which more codes are wrong than typing errors explain: 1 for each.',
        kind: 'gauge',
        label: 'realm',
        values: () => guesses.brakes().map(({ realm }) => [realm, 1] as const),
      },
      {
        name: 'tocsin_authority_orders_waiting',
        help: 'Withdrawal orders that the key server has not taken yet.',
        kind: 'gauge',
        label: 'realm',
        values: () => orders.waiting,
      },
      {
        name: 'tocsin_authority_orders_refused',
        help: 'Withdrawal orders that the key server refused: they wait for a person.',
        kind: 'gauge',
        label: 'realm',
        values: () => orders.refused,
      },
      {
        name: 'tocsin_authority_orders_oldest_seconds',
        help: 'How long the oldest withdrawal order has waited that is to be delivered.',
        kind: 'gauge',
        label: 'realm',
        values: () => orders.oldestSeconds,
      },
    ],
  }
}
