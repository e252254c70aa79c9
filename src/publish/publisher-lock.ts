// Publish: one publisher at a time; promises that a lost lock is noticed before anything more is published.

import type { Address } from '../db/database.ts'
import { takeSessionLock } from '../db/session-lock.ts'
import { TocsinError } from '../errors.ts'

/** Its own number among the locks of the database; another one would let publishers of two versions work side by side. */
const PUBLISHER_LOCK = '5928239386013451603'

/** The right to publish, while its connection lives. */
export interface PublisherLock extends AsyncDisposable {
  /** False once the connection, and with it the lock, is known to be lost. */
  readonly held: boolean
  /**
   * Asks the database in the lock's own session, so that a loss is noticed of which nobody was told.
   *
   * @throws TocsinError `publisher_lost`
   */
  readonly mustHold: () => Promise<void>
}

/**
 * Takes the publisher's lock.
 *
 * @param wait whether to wait for another publisher to stop
 * @returns undefined when another process has it and `wait` is false
 * @throws TocsinError `unavailable` when the database can't be reached
 */
export async function takePublisherLock(
  address: Address,
  wait: boolean,
): Promise<PublisherLock | undefined> {
  const lock = await takeSessionLock(address, PUBLISHER_LOCK, wait)
  if (lock === undefined) return undefined
  return {
    get held() {
      return lock.held
    },
    mustHold: async () => {
      if (!(await lock.isHeld())) throw new TocsinError('publisher_lost')
    },
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  }
}
