// Log: the event by which a log begins anew at an earlier point of another one; promises that both logs' ids and the point are in it.

import type { NewEvent, Part } from './record.ts'

/** The type of the event of a recovery to an earlier point. */
export const LOG_RECOVERED = 'log.recovered'

/** What the log keeps of a recovery to an earlier point. Its first `untilSeq` events are the old log's. */
export interface LogRecoveredContent {
  /** From then on the log's. */
  readonly logId: Uint8Array
  /** The old log's. */
  readonly previousLogId: Uint8Array
  /** The number of the first event of the old log that was dropped. */
  readonly untilSeq: number
  /** The number behind its last event. */
  readonly endSeq: number
}

/** The event. @param more of its first part, and further parts, for what a zone has to say besides */
export function recoveredEvent(content: LogRecoveredContent, more: readonly Part[] = []): NewEvent {
  return { type: LOG_RECOVERED, parts: [{ retention: 'configuration', content }, ...more] }
}
