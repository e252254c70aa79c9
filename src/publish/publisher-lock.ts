// Publish: one publisher at a time; promises that a lost lock is noticed before anything more is published.

import type pg from 'pg'
import { connectOnce, type Address } from '../db/database.ts'

/** "RELEASES" in ASCII. */
const PUBLISHER_LOCK = '5928239386013451603'

/** The right to publish, while its connection lives. */
export interface PublisherLock extends AsyncDisposable {
  /** False once the connection, and with it the lock, was lost. */
  readonly held: boolean
}

/**
 * Takes the publisher's lock on a connection of its own: a pool might hand the lock's session to somebody else.
 *
 * @param wait whether to wait for another publisher to stop
 * @returns undefined when another process has it and `wait` is false
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
  if (!(await acquire(client, wait))) {
    await client.end()
    return undefined
  }
  return {
    get held() {
      return held
    },
    [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
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
