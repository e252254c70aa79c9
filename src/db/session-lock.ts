// Db: a lock of one name, held by a connection of its own; promises that one process at a time has it, and that whoever asks learns of its loss.

import type pg from 'pg'
import { TocsinError } from '../errors.ts'
import { connectOnce, type Address } from './database.ts'

/** A lock, while its connection lives; disposing ends that and gives the lock back. */
export interface SessionLock extends AsyncDisposable {
  /** False once the connection, and with it the lock, is known to be lost. */
  readonly held: boolean
  /** Asks the database in the lock's own session, so that a loss is noticed of which nobody was told. What is lost is given up. */
  readonly isHeld: () => Promise<boolean>
}

/**
 * Takes a lock on a connection of its own: a pool might hand the lock's session to somebody else.
 *
 * @param name the same in all processes that are to exclude each other, and no other lock's: 64 bits, signed, in decimal
 * @param wait whether to wait until whoever has it gives it back
 * @returns undefined when another session has it and `wait` is false
 * @throws TocsinError `unavailable` when the database can't be reached
 */
export async function takeSessionLock(
  address: Address,
  name: string,
  wait: boolean,
): Promise<SessionLock | undefined> {
  const client = await connectOnce(address)
  let held = true
  const lose = () => (held = false)
  client.on('error', lose)
  client.on('end', lose)
  const release = () => client.end().catch(() => undefined)
  try {
    if (!(await acquire(client, name, wait))) {
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
    isHeld: async () => {
      // A session that refuses to answer may live on, and would keep the lock from everybody.
      if (held) await client.query('select 1').catch(() => (lose(), release()))
      return held
    },
    [Symbol.asyncDispose]: release,
  }
}

async function acquire(client: pg.Client, name: string, wait: boolean): Promise<boolean> {
  if (wait) {
    await client.query('select pg_advisory_lock($1)', [name])
    return true
  }
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_try_advisory_lock($1) as taken',
    [name],
  )
  return rows[0]?.taken === true
}
