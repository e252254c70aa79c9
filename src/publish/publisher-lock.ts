// Publish: one publisher at a time; promises that a lost lock is noticed before anything more is published.

import type pg from 'pg'
import { connectOnce, type Address } from '../db/database.ts'
import { TocsinError } from '../errors.ts'

/** "RELEASES" in ASCII. */
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
 * Takes the publisher's lock on a connection of its own: a pool might hand the lock's session to somebody else.
 *
 * @param wait whether to wait for another publisher to stop
 * @returns undefined when another process has it and `wait` is false
 * @throws TocsinError `unavailable` when the database can't be reached
 */
export async function takePublisherLock(
  address: Address,
  wait: boolean,
): Promise<PublisherLock | undefined> {
  const client = await connectOnce(address)
  let held = true
  const lose = () => (held = false)
  client.on('error', lose)
  client.on('end', lose)
  const release = () => client.end().catch(() => undefined)
  try {
    if (!(await acquire(client, wait))) {
      await release()
      return undefined
    }
  } catch (error) {
    await release()
    throw new TocsinError('unavailable', undefined, { cause: error })
  }
  return {
    get held() {
      return held
    },
    mustHold: async () => {
      if (held) await client.query('select 1').catch(lose)
      if (!held) throw new TocsinError('publisher_lost')
    },
    [Symbol.asyncDispose]: release,
  }
}

async function acquire(client: pg.Client, wait: boolean): Promise<boolean> {
  if (wait) {
    await client.query('select pg_advisory_lock($1)', [PUBLISHER_LOCK])
    return true
  }
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_try_advisory_lock($1) as taken',
    [PUBLISHER_LOCK],
  )
  return rows[0]?.taken === true
}
