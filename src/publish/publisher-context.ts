// Publish: what publishing works with; promises that nothing else is reached for.

import type { Database } from '../db/database.ts'
import type { ObjectStore } from '../distribute/directory-store.ts'
import type { LogWriter } from '../log/append-event.ts'
import type { Signer } from './signer.ts'
import type { StreamEncoder } from './stream-encoder.ts'

/** What publishing needs. */
export interface PublisherContext {
  readonly db: Database
  /** Without pipelining, which COPY can't share. One connection is enough. */
  readonly copyDb: Database
  readonly writer: LogWriter
  readonly store: ObjectStore
  /** By the kinds of streams. */
  readonly encoders: ReadonlyMap<string, StreamEncoder>
  readonly loadSigner: (file: string) => Promise<Signer>
  /**
   * Waits until every event up to `seq` is archived. A release's files are put into the store only after its event is, so that
   * a recovery can't fork what phones have seen.
   */
  readonly archiveThrough: (seq: number) => Promise<void>
  readonly now: () => Date
}

/** What a step of publishing works with: the context, and the question whether it may go on. */
export interface LeaderContext extends PublisherContext {
  /** @throws TocsinError `publisher_lost` when somebody else may be publishing by now */
  readonly mustHold: () => Promise<void>
}
