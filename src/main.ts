// Main: the whole server in the order of its flow; promises to hand every step what it needs, and to stop cleanly.

import { authorityProjections, type AuthorizeContext } from './authorize/context.ts'
import type { Config } from './config.ts'
import { openEmbedded, startEmbedded } from './db/embedded.ts'
import { zoneSecret } from './db/zone-secrets.ts'
import { clearStaging, openDirectoryStore } from './distribute/directory-store.ts'
import { createFileServer } from './distribute/serve-files.ts'
import { buildApp } from './http/app.ts'
import { buildRoutes } from './http/routes.ts'
import type { Clock } from './operate/clock.ts'
import { createLogger, type Logger } from './operate/logger.ts'
import { openZones, type OpenZones } from './operate/open-zones.ts'
import { VERSION } from './operate/version.ts'
import { keyProjections } from './projections.ts'
import { publishDue, type PublisherContext, type PublishedRun } from './publish/publish-due.ts'
import { takePublisherLock, type PublisherLock } from './publish/publisher-lock.ts'
import { loadSigner } from './publish/signer.ts'
import { createAcceptReports } from './submit/accept-reports.ts'
import { createGroupCommit } from './submit/group-commit.ts'
import { createAuthorityCache } from './submit/health-authorities.ts'
import type { PublishContext } from './submit/publish-v1.ts'
import { createRevisionTokens } from './submit/revision-token.ts'
import { setUpDemo, type Demo } from './demo-deployment.ts'

/** The data of a deployment, open: what commands and the server work on. */
export interface OpenData extends AsyncDisposable {
  readonly zones: OpenZones
  /** Says where the data is, for people; holds no secret. */
  readonly where: string
}

/**
 * Opens the data that a configuration names, making what is missing.
 *
 * @param owner `server` for the one process that runs the service (a second on the same embedded data is refused);
 * `command` joins a running server's embedded database, or starts it for a while
 */
export async function openData(
  config: Config,
  clock: Clock,
  owner: 'server' | 'command',
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
  return {
    db: zones.key.db,
    copyDb: zones.key.copyDb,
    writer: zones.key.writer,
    store: openDirectoryStore(config.publicFolder),
    loadSigner,
    now: () => clock.now(),
  }
}

/** A server that runs. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly where: string
  /** What a newcomer needs; undefined for a real deployment. */
  readonly demo?: Demo
  /** Makes the releases that are due now; with the timer on, the timer does it. */
  publishDue(): Promise<PublishedRun>
  close(): Promise<void>
}

/** How to run a server. */
export interface ServerOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger?: Logger
  /** Whether releases are made as they come due (`timer`) or when {@link RunningServer.publishDue} is called. */
  readonly publisher?: 'timer' | 'manual'
}

/** Starts everything on one port. @throws TocsinError of {@link openData}; whatever listening throws */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, clock } = options
  const logger = options.logger ?? createLogger(config.logLevel)
  const data = await openData(config, clock, 'server')
  try {
    const { zones } = data
    const now = () => clock.now()
    const demo = zones.demo ? await setUpDemo(config, zones, now()) : undefined
    const authorize: AuthorizeContext = {
      ...zones.authority,
      masterKey: zones.masterKey,
      now,
      tokenIssuer: config.tokenIssuer,
    }
    const submit = await submitContext(config, zones, now)
    const publisher = startPublisher(config, zones, clock, logger, options.publisher ?? 'timer')
    const routes = buildRoutes({
      submit,
      authorize,
      serveFile: createFileServer(config.publicFolder),
      isReady: async () => {
        await Promise.all(
          [zones.key.db, zones.authority.db].map((db) =>
            db.query({ text: 'select 1', values: [] }),
          ),
        )
      },
      describe: { version: VERSION, where: data.where, demo: zones.demo, db: zones.key.db },
    })
    const app = await buildApp(routes, VERSION, logger)
    const url = await app.listen({ host: config.host, port: config.port })
    const close = async () => {
      await app.close()
      await publisher[Symbol.asyncDispose]()
      await data[Symbol.asyncDispose]()
    }
    return {
      url,
      where: data.where,
      ...(demo === undefined ? {} : { demo }),
      publishDue: publisher.publishDue,
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await data[Symbol.asyncDispose]()
    throw error
  }
}

/** Submissions that are committed together at the most: enough to share a commit, few enough to keep its locks short. */
const MAX_GROUP = 64

async function submitContext(
  config: Config,
  zones: OpenZones,
  now: () => Date,
): Promise<PublishContext> {
  const { db, writer } = zones.key
  return {
    findAuthority: createAuthorityCache(db, () => performance.now()),
    commit: createGroupCommit(MAX_GROUP, config.maxWaiting, createAcceptReports(db, writer, now)),
    tokens: createRevisionTokens(await zoneSecret(db, zones.masterKey, 'revision token')),
    fingerprintKey: await zoneSecret(db, zones.masterKey, 'fingerprint'),
    timeGrain: zones.timeGrain,
    clockLeewaySeconds: config.clockLeeway,
    now,
  }
}

/** How often the publisher looks whether something is due, in milliseconds. */
const PUBLISHER_INTERVAL_MS = 1_000

/** Publishes on a timer while it holds the lock; another process's publisher waits for it to go. */
function startPublisher(
  config: Config,
  zones: OpenZones,
  clock: Clock,
  logger: Logger,
  mode: 'timer' | 'manual',
) {
  const context = publisherContext(config, zones, clock)
  let lock: PublisherLock | undefined
  let running: Promise<PublishedRun> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const runOnce = async (): Promise<PublishedRun> => {
    if (lock?.held !== true) {
      lock = await takePublisherLock(zones.key.address, false)
      if (lock === undefined) return { releases: 0, files: 0, keys: 0 }
      await clearStaging(config.publicFolder)
    }
    const run = await publishDue(context)
    if (run.files > 0) logger.info('published', { ...run })
    return run
  }
  const publishNow = () => (running ??= runOnce().finally(() => (running = undefined)))
  const tick = async () => {
    await publishNow().catch((error: unknown) => logger.error('publishing failed', error))
    if (!stopped) timer = setTimeout(() => void tick(), PUBLISHER_INTERVAL_MS)
  }
  if (mode === 'timer') void tick()
  return {
    publishDue: publishNow,
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock?.[Symbol.asyncDispose]()
    },
  }
}
