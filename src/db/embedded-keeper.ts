// Db: starts the embedded PostgreSQL again when it ended by itself; promises that a database which was killed is back within seconds.

import { setTimeout as delay } from 'node:timers/promises'
import type { ServerProcess } from './embedded-server.ts'

/** Between an end and the next start, in milliseconds: longer each time, so that one that can't start is no burden. */
const FIRST_REST_MS = 100
const LONGEST_REST_MS = 10_000
/** One that ran for this long, in milliseconds, was well. */
const WELL_MS = 60_000

/**
 * Keeps a PostgreSQL running until it is stopped here. Whoever is connected loses the connection, and finds the database at
 * the same address again.
 *
 * @param restart clears what was left and starts it
 */
export function keepRunning(
  first: ServerProcess,
  restart: () => Promise<ServerProcess>,
): Pick<ServerProcess, 'stop'> {
  let server = first
  const stopping = new AbortController()
  const keep = async () => {
    let rest = FIRST_REST_MS
    for (;;) {
      const started = performance.now()
      await server.ended
      if (performance.now() - started > WELL_MS) rest = FIRST_REST_MS
      // Aborting it is how a stop ends this.
      await delay(rest, undefined, { ref: false, signal: stopping.signal })
      rest = Math.min(rest * 2, LONGEST_REST_MS)
      // When even that fails, for example on a full disk, the next turn tries again.
      server = await restart().catch(() => server)
      if (stopping.signal.aborted) return
    }
  }
  const kept = keep().catch(() => undefined)
  return {
    async stop() {
      stopping.abort()
      await server.stop()
      await kept
      // It may have been started again at this very moment.
      await server.stop()
    },
  }
}
