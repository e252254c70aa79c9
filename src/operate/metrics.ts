// Operate: what is counted for the operator; promises plain increments on the way of requests, and no label that could single out a person.

/** Keys of one submission, by what became of them. */
export interface KeyCounts {
  readonly inserted: number
  readonly revised: number
  readonly dropped: number
}

/** The counts since the process started. */
export interface Counts {
  /** By address as the route table writes it, then by the status's first digit. */
  readonly requests: ReadonlyMap<string, readonly number[]>
  /** By code; `accepted` for what has none. */
  readonly submissions: ReadonlyMap<string, number>
  readonly keys: KeyCounts
  readonly jwksRefreshes: { readonly ok: number; readonly failed: number }
}

/** What a part of Tocsin tells when somebody asks. */
export interface Gauge {
  /** As Prometheus names it. */
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  /** The name of its one label. */
  readonly label: string
  readonly values: () => Iterable<readonly [label: string, value: number]>
}

/** Counts. */
export interface Metrics {
  readonly counts: Counts
  /** What else is told: each part adds its own before the first answer. */
  readonly gauges: Gauge[]
  /** @param route an address of the route table, never one that was asked for */
  countRequest(route: string, status: number): void
  /** @param outcome a code of the error table, or `accepted` */
  countSubmission(outcome: string, keys: KeyCounts): void
  countJwksRefresh(ok: boolean): void
}

/** Counters that stand at zero. */
export function createMetrics(): Metrics {
  const requests = new Map<string, number[]>()
  const submissions = new Map<string, number>()
  const keys = { inserted: 0, revised: 0, dropped: 0 }
  const jwksRefreshes = { ok: 0, failed: 0 }
  return {
    counts: { requests, submissions, keys, jwksRefreshes },
    gauges: [],
    countRequest(route, status) {
      let classes = requests.get(route)
      if (classes === undefined) requests.set(route, (classes = [0, 0, 0, 0, 0, 0]))
      const digit = Math.trunc(status / 100)
      classes[digit] = (classes[digit] ?? 0) + 1
    },
    countSubmission(outcome, { inserted, revised, dropped }) {
      submissions.set(outcome, (submissions.get(outcome) ?? 0) + 1)
      keys.inserted += inserted
      keys.revised += revised
      keys.dropped += dropped
    },
    countJwksRefresh(ok) {
      jwksRefreshes[ok ? 'ok' : 'failed'] += 1
    },
  }
}
