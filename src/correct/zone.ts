// Correct: what its parts need of the key zone; promises that all of them write through one log.

import type { Database } from '../db/database.ts'
import type { LogWriter } from '../log/append-event.ts'
import type { PublisherContext } from '../publish/publisher-context.ts'

/** The key zone's data. */
export interface KeyZone {
  readonly db: Database
  readonly writer: LogWriter
}

/** The key zone, and what each kind of key publishes: for corrections that concern reports of all of them. */
export interface CorrectedZone extends KeyZone, Pick<PublisherContext, 'encoders'> {}
