// Operate: the counts, and what the process says of itself, as Prometheus reads them; promises that counting costs nothing until somebody asks.

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

/** The text of one answer. */
export interface MetricsText {
  readonly contentType: string
  text(): Promise<string>
}

/**
 * Makes the text.
 *
 * @param lastPublished when this process last published with success: unix seconds, truncated to the time grain; undefined
 * while it has not
 */
export function describeMetrics(
  { counts, gauges }: Metrics,
  lastPublished: () => number | undefined,
): MetricsText {
  const registry = new Registry()
  // Event loop lag, memory, processor time.
  collectDefaultMetrics({ register: registry })
  const count = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    values: () => Iterable<readonly [labels: Record<Label, string>, value: number]>,
  ) =>
    registry.registerMetric(
      new Counter({
        name,
        help,
        labelNames,
        registers: [],
        collect() {
          this.reset()
          for (const [labels, value] of values()) this.inc(labels, value)
        },
      }),
    )
  count(
    'tocsin_requests_total',
    'Requests by route and class of status; decoys are left out.',
    ['route', 'status'],
    () =>
      [...counts.requests].flatMap(([route, classes]) =>
        classes.flatMap((value, digit) =>
          value === 0 ? [] : [[{ route, status: `${digit}xx` }, value] as const],
        ),
      ),
  )
  count(
    'tocsin_submissions_total',
    'Submissions by outcome: accepted, or the code they were answered with.',
    ['outcome'],
    () => [...counts.submissions].map(([outcome, value]) => [{ outcome }, value]),
  )
  count('tocsin_keys_total', 'Keys of submissions by what became of them.', ['outcome'], () =>
    Object.entries(counts.keys).map(([outcome, value]) => [{ outcome }, value]),
  )
  count(
    'tocsin_jwks_refreshes_total',
    "Refreshes of health authorities' public keys by result.",
    ['result'],
    () => Object.entries(counts.jwksRefreshes).map(([result, value]) => [{ result }, value]),
  )
  registry.registerMetric(
    new Gauge({
      name: 'tocsin_publisher_last_success_timestamp_seconds',
      help: 'When this process last published with success, truncated to the time grain; 0 while it has not.',
      registers: [],
      collect() {
        this.set(lastPublished() ?? 0)
      },
    }),
  )
  for (const { name, help, kind, label, values } of gauges)
    if (kind === 'counter')
      count(name, help, [label], () =>
        [...values()].map(([given, value]) => [{ [label]: given }, value] as const),
      )
    else
      registry.registerMetric(
        new Gauge({
          name,
          help,
          labelNames: [label],
          registers: [],
          collect() {
            this.reset()
            for (const [given, value] of values()) this.set({ [label]: given }, value)
          },
        }),
      )
  return { contentType: registry.contentType, text: () => registry.metrics() }
}
