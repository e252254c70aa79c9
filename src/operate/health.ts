// Operate: whether the service works, and which part of it does not; promises stable words, and that a database is asked once a second at the most.

import { setTimeout } from 'node:timers/promises'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'

/** A part that may be away. */
export type Part = 'key zone database' | 'authority zone database' | 'publishing' | 'archiving'

/** Tells what is away. */
export interface Health {
  /** The databases that are away. */
  missingDatabases(): Promise<readonly Part[]>
  /** Whatever is away: empty when all is well. */
  missingParts(): Promise<readonly Part[]>
}

/** How long an answer of the databases is believed, and how long is waited for one: milliseconds. */
const BELIEVED_MS = 1_000
const PATIENCE_MS = 2_000

/**
 * Watches the parts of a service.
 *
 * @param works what may fail beside them
 * @param monotonicMs a clock that never leaps, in milliseconds
 */
export function watchHealth(
  databases: readonly { readonly part: Part; readonly db: Queryable }[],
  works: readonly { readonly part: Part; readonly isWell: () => boolean }[],
  monotonicMs: () => number,
): Health {
  const watched = databases.map(({ part, db }) => ({ part, isThere: createPing(db) }))
  const ask = async () =>
    (
      await Promise.all(watched.map(async ({ part, isThere }) => ((await isThere()) ? [] : [part])))
    ).flat()
  let asked: { readonly missing: Promise<readonly Part[]>; until: number } | undefined
  const missingDatabases = () => {
    if (asked !== undefined && monotonicMs() < asked.until) return asked.missing
    const current = { missing: ask(), until: Infinity }
    asked = current
    void current.missing.then(() => (current.until = monotonicMs() + BELIEVED_MS))
    return current.missing
  }
  return {
    missingDatabases,
    async missingParts() {
      const failing = works.flatMap(({ part, isWell }) => (isWell() ? [] : [part]))
      return [...(await missingDatabases()), ...failing]
    },
  }
}

/** Whether a database answers in time. A question that stays open is not asked again beside itself: each would hold a connection. */
function createPing(db: Queryable): () => Promise<boolean> {
  let open: Promise<boolean> | undefined
  return async () => {
    open ??= db
      .query(sql`select 1`)
      .then(
        () => true,
        () => false,
      )
      .finally(() => (open = undefined))
    const patience = new AbortController()
    const tooLate = setTimeout(PATIENCE_MS, false, { signal: patience.signal, ref: false })
    try {
      return await Promise.race([open, tooLate])
    } finally {
      patience.abort()
      tooLate.catch(() => undefined)
    }
  }
}
