// Http: what is served on the operator's own port; promises that nothing of it can be reached through the public one.

import type { FastifyInstance } from 'fastify'
import type { Logger } from '../operate/logger.ts'
import type { Metrics } from '../operate/metrics.ts'
import { buildApp } from './app.ts'
import type { Route } from './route.ts'

/**
 * Builds the operator's server; it does not listen yet.
 *
 * @param routes what it serves beside metrics
 * @param lastPublished when this process last published with success: unix seconds, truncated to the time grain
 */
export async function buildOperatorApp(
  routes: readonly Route[],
  metrics: Metrics,
  lastPublished: () => number | undefined,
  version: string,
  logger: Logger,
): Promise<FastifyInstance> {
  // Loaded here, so that no command waits for what it never shows.
  const { describeMetrics } = await import('../operate/prometheus.ts')
  const { contentType, text } = describeMetrics(metrics, lastPublished)
  const metricsRoute: Route = {
    methods: ['GET', 'HEAD'],
    url: '/metrics',
    operationId: 'metrics',
    summary: 'Counts for Prometheus, none of which singles out a person',
    tag: 'operate',
    replies: { 200: { description: 'The counts', contentType: 'text/plain' } },
    handle: async () => ({
      status: 200,
      headers: { 'content-type': contentType },
      body: await text(),
    }),
  }
  return buildApp([metricsRoute, ...routes], version, logger)
}
