// Main: the whole server in the order of its flow; promises to hand every step what it needs, and to stop cleanly.

import { authorityMetrics } from './authorize/authority-metrics.ts'
import { authorityProjections, openAuthorize } from './authorize/context.ts'
import { runUpkeep } from './authorize/run-upkeep.ts'
import { archiveContext, startArchivers } from './cli/archives.ts'
import type { Deployment, OpenData, RunningServer, ServerOptions } from './cli/deployment.ts'
import { explainContext } from './cli/explain-submission.ts'
import { orderContext, startDelivery } from './cli/order-delivery.ts'
import { runCommandLine } from './cli/run-command-line.ts'
import type { Config } from './config.ts'
import { createAdmitOperator, operatorProjection } from './correct/operators.ts'
import { openEmbedded, startEmbedded } from './db/embedded.ts'
import { zoneSecret } from './db/zone-secrets.ts'
import { openDirectoryStore } from './distribute/directory-store.ts'
import { createFileServer } from './distribute/serve-files.ts'
import { buildApp } from './http/app.ts'
import { explainRoutes } from './http/explain-routes.ts'
import { listen } from './http/listen.ts'
import { buildOperatorApp } from './http/operator-app.ts'
import type { Route } from './http/route.ts'
import { buildRoutes, type RouteContext } from './http/routes.ts'
import { archiveThrough } from './log/archiver.ts'
import type { Projection } from './log/projection.ts'
import { retentionProjection } from './log/retention-cursor.ts'
import type { Clock } from './operate/clock.ts'
import { watchHealth } from './operate/health.ts'
import { ENCODERS, KINDS } from './kinds.ts'
import { createLogger, type Logger } from './operate/logger.ts'
import { createMetrics, type Metrics } from './operate/metrics.ts'
import { openZones, type OpenZones } from './operate/open-zones.ts'
import { VERSION } from './operate/version.ts'
import { releaseProjection } from './publish/releases.ts'
import type { PublisherContext } from './publish/publisher-context.ts'
import { runPublisher } from './publish/run-publisher.ts'
import { loadSigner } from './publish/signer.ts'
import { streamProjection } from './publish/streams.ts'
import { correctionProjection } from './submit/corrections.ts'
import { createExplain } from './submit/explain.ts'
import { healthAuthorityProjection } from './submit/health-authorities.ts'
import { runKeyRefresh } from './submit/refresh-keys.ts'
import { reportProjection } from './submit/report.ts'
import { runRetention } from './submit/run-retention.ts'
import { statsProjection } from './submit/stats-projection.ts'
import { openRevisionKeys } from './submit/revision-keys.ts'
import { startSubmissionThread, type SubmissionThread } from './submit/submission-thread.ts'

/** Every table of the key zone that follows from events. */
export const keyProjections: readonly Projection[] = [
  healthAuthorityProjection,
  streamProjection,
  reportProjection,
  correctionProjection,
  statsProjection,
  releaseProjection,
  retentionProjection,
  operatorProjection,
  ...KINDS.flatMap(({ projections }) => projections),
]

/** See {@link Deployment.openData}. */
export async function openData(
  config: Config,
  clock: Clock,
  owner: 'server' | 'command',
  purpose?: 'recovery',
): Promise<OpenData> {
  const embedded =
    config.databaseUrl !== undefined
      ? undefined
      : await (owner === 'server' ? startEmbedded : openEmbedded)(config.dataFolder)
  try {
    const zones = await openZones({
      ownerUrl: embedded?.url ?? config.databaseUrl?.reveal() ?? '',
      zoneUrls: {
        ...(config.keyDatabaseUrl === undefined ? {} : { key: config.keyDatabaseUrl.reveal() }),
        ...(config.authorityDatabaseUrl === undefined
          ? {}
          : { authority: config.authorityDatabaseUrl.reveal() }),
      },
      masterKeyFile: config.masterKeyFile,
      demo: config.demo,
      server: embedded === undefined,
      timeGrain: config.timeGrain,
      poolSize: config.poolSize,
      projections: { key: keyProjections, authority: authorityProjections },
      now: () => clock.now(),
      forRecovery: purpose === 'recovery',
    })
    return {
      zones,
      where:
        embedded === undefined
          ? `PostgreSQL server of TOCSIN_DATABASE_URL (${zones.key.address.host ?? 'local'}/${zones.key.address.database ?? ''})`
          : `embedded PostgreSQL in ${embedded.directory}`,
      async [Symbol.asyncDispose]() {
        await zones[Symbol.asyncDispose]()
        await embedded?.close()
      },
    }
  } catch (error) {
    await embedded?.close()
    throw error
  }
}

/** What the publisher of a deployment works with. */
export function publisherContext(config: Config, zones: OpenZones, clock: Clock): PublisherContext {
  const archive = archiveContext(config, zones, 'key', () => clock.now())
  return {
    db: zones.key.db,
    copyDb: zones.key.copyDb,
    writer: zones.key.writer,
    store: openDirectoryStore(config.publicFolder),
    encoders: ENCODERS,
    loadSigner,
    archiveThrough: (seq) => archiveThrough(archive, seq),
    now: () => clock.now(),
  }
}

/** See {@link Deployment.startServer}: the whole service, in the order of its flow. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, clock } = options
  const logger = options.logger ?? createLogger(config.logLevel)
  // Closed from the last to the first: here when something fails, else by whoever runs the server.
  await using opened = new AsyncDisposableStack()
  const { zones, where } = opened.use(await openData(config, clock, 'server'))
  const now = () => clock.now()
  await options.prepare?.(zones)
  const monotonicMs = () => performance.now()
  const mode = options.publisher ?? 'timer'
  const authorize = opened.use(
    await openAuthorize(
      { ...zones.authority, masterKey: zones.masterKey },
      { tokenIssuer: config.tokenIssuer, now, monotonicMs, logger },
    ),
  )
  const metrics = createMetrics()
  const authority = authorityMetrics(authorize.guesses)
  metrics.gauges.push(...authority.gauges)
  opened.use(
    runUpkeep(
      {
        zone: { ...zones.authority, masterKey: zones.masterKey },
        address: zones.authority.address,
        now,
        logger,
        onRun: authority.noteRun,
      },
      mode,
    ),
  )
  const delivery = opened.use(
    startDelivery(config, zones, { now, monotonicMs, logger, onLook: authority.noteOrders }, mode),
  )
  const { submit } = opened.use(await startSubmissions(config, zones, now))
  const archivers = opened.use(
    await startArchivers(config, zones, { now, monotonicMs, logger }, mode),
  )
  metrics.gauges.push(...archivers.gauges)
  const publisher = opened.use(
    runPublisher(publisherContext(config, zones, clock), zones.key.address, logger, mode),
  )
  const { db, writer, address } = zones.key
  opened.use(runRetention({ zone: zones.key, now, logger, metrics }, mode))
  opened.use(
    runKeyRefresh(
      {
        db,
        writer,
        address,
        logger,
        now,
        monotonicMs,
        onRefresh: ({ ok }) => metrics.countJwksRefresh(ok),
      },
      'timer',
    ),
  )
  const context: RouteContext = {
    submit,
    v1alpha1: config.v1alpha1,
    ofKinds: config.ofKinds,
    stats: {
      db: zones.key.db,
      audience: config.statsAudience,
      clockLeewaySeconds: config.clockLeeway,
      timeGrain: zones.timeGrain,
      now,
    },
    orders: orderContext(config, zones, now),
    authorize,
    keysSecret: await zoneSecret(db, zones.masterKey, 'fingerprint'),
    corrections: {
      zone: { ...zones.key, encoders: ENCODERS },
      admit: createAdmitOperator({ db, masterKey: zones.masterKey }, monotonicMs),
      now,
    },
    publicFolder: config.publicFolder,
    serveFile: createFileServer(config.publicFolder),
    health: watchHealth(
      [
        { part: 'key zone database', db: zones.key.db },
        { part: 'authority zone database', db: zones.authority.db },
      ],
      [
        { part: 'publishing', isWell: () => publisher.isWell },
        { part: 'archiving', isWell: () => archivers.isWell },
      ],
      monotonicMs,
    ),
    describe: { version: VERSION, demo: zones.demo, db: zones.key.db },
  }
  const { demo } = zones
  const { maintenance, trustedProxies } = config
  const app = await buildApp(buildRoutes(context, KINDS), VERSION, logger, {
    demo,
    maintenance,
    metrics,
    trustedProxies,
    now,
  })
  opened.defer(() => app.close())
  const url = await listen(app, config.host, config.port, 'TOCSIN_PORT')
  const operatorRoutes = explainRoutes(createExplain(explainContext(config, zones, now)))
  const operatorUrl = await serveOperator(opened, config, operatorRoutes, metrics, logger, () =>
    truncate(publisher.lastSuccess, zones.timeGrain),
  )
  const running = opened.move()
  return {
    url,
    ...(operatorUrl === undefined ? {} : { operatorUrl }),
    where,
    zones,
    publishDue: publisher.publishDue,
    deliverOrders: delivery.deliverDue,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Serves what is the operator's own, on a port of its own. @returns its address; undefined when there is none */
async function serveOperator(
  opened: AsyncDisposableStack,
  { host, operatorPort }: Config,
  routes: readonly Route[],
  metrics: Metrics,
  logger: Logger,
  lastPublished: () => number | undefined,
): Promise<string | undefined> {
  if (operatorPort === undefined) return undefined
  const app = await buildOperatorApp(routes, metrics, lastPublished, VERSION, logger)
  opened.defer(() => app.close())
  return listen(app, host, operatorPort, 'TOCSIN_OPERATOR_PORT')
}

/** Unix seconds, truncated to the time grain. */
function truncate(time: Date | undefined, timeGrain: number): number | undefined {
  return time === undefined ? undefined : Math.floor(time.getTime() / 1000 / timeGrain) * timeGrain
}

async function startSubmissions(
  config: Config,
  zones: OpenZones,
  now: () => Date,
): Promise<SubmissionThread> {
  const { address, db } = zones.key
  const settings = {
    timeGrain: zones.timeGrain,
    clockLeewaySeconds: config.clockLeeway,
    defaultRegion: config.defaultRegion,
    partialRevisions: config.partialRevisions,
    maxWaiting: config.maxWaiting,
    revisionKeys: await openRevisionKeys(db, zones.masterKey, now()),
    fingerprintSecret: await zoneSecret(db, zones.masterKey, 'fingerprint'),
  }
  return startSubmissionThread({ address, poolSize: config.poolSize, settings }, now)
}

/** Runs the command line in this process. @returns the exit status */
export function runTocsin(args: readonly string[]): Promise<number> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      // A second signal does not wait; a terminal that closes may send its own twice.
      if (stop.signal.aborted && name !== 'SIGHUP') process.exit(1)
      stop.abort()
    })
  // A launcher that starts us under a newer Node.js may be killed without a word: then nobody would stop us.
  process.once('disconnect', () => stop.abort())
  // Whoever reads our output may stop, as `head` does: that ends nothing.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const output = {
    out: (line: string) => process.stdout.write(`${line}\n`),
    err: (line: string) => process.stderr.write(`${line}\n`),
  }
  const deployment: Deployment = { openData, startServer, publisherContext }
  return runCommandLine(args, process.env, deployment, output, stop.signal)
}
