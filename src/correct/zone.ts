// Correct: what its parts need of the key zone; promises that all of them write through one log.

import type { Database } from '../db/database.ts'
import type { LogWriter } from '../log/append-event.ts'

/** The key zone's data. */
export interface KeyZone {
  readonly db: Database
  readonly writer: LogWriter
}
