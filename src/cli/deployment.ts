// Cli: what commands are given of a deployment; promises that they never need to know how it is put together.

import type { Config } from '../config.ts'
import type { Clock } from '../operate/clock.ts'
import type { Logger } from '../operate/logger.ts'
import type { OpenZones } from '../operate/open-zones.ts'
import type { PublisherContext, PublishedRun } from '../publish/publish-due.ts'

/** The data of a deployment, open: what commands and the server work on. */
export interface OpenData extends AsyncDisposable {
  readonly zones: OpenZones
  /** Says where the data is, for people; holds no secret. */
  readonly where: string
}

/** A server that runs; disposing stops it cleanly. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string
  /** Where metrics and what else is the operator's own are served, when it is. */
  readonly operatorUrl?: string
  readonly where: string
  readonly zones: OpenZones
  /** Makes the releases that are due now; with the timer on, the timer does it. */
  publishDue(): Promise<PublishedRun>
  /** Hands in the withdrawal orders whose time has come; with the timer on, the timer does it. */
  deliverOrders(): Promise<void>
}

/** How to run a server. */
export interface ServerOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger?: Logger
  /**
   * Whether releases are made and orders delivered as they come due (`timer`), or when {@link RunningServer.publishDue} and
   * {@link RunningServer.deliverOrders} are called.
   */
  readonly publisher?: 'timer' | 'manual'
  /** Runs when the data is open, before anything is served. */
  readonly prepare?: (zones: OpenZones) => Promise<void>
}

/** What main hands to commands. */
export interface Deployment {
  /**
   * Opens the data that a configuration names, making what is missing.
   *
   * @param owner `server` for the one process that runs the service (a second on the same embedded data is refused);
   * `command` joins a running server's embedded database, or starts it for a while
   * @param purpose `recovery` leaves the logs as they are
   */
  openData(
    config: Config,
    clock: Clock,
    owner: 'server' | 'command',
    purpose?: 'recovery',
  ): Promise<OpenData>
  /** Starts everything on one port. @throws TocsinError of {@link openData}; whatever listening throws */
  startServer(options: ServerOptions): Promise<RunningServer>
  /** What a publisher works with. */
  publisherContext(config: Config, zones: OpenZones, clock: Clock): PublisherContext
}
