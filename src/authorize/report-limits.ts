// Authorize: how many self-reports a network may send; promises that an app's key, which anybody can read out of the app, sends no flood of texts, and that of addresses only HMACs are kept, in memory.

import { createHmac, type BinaryLike } from 'node:crypto'

/** Slows self-reports. */
export interface ReportLimits {
  /** Counts one. @returns 0 when it may be made, else the seconds after which the next may: whole, 1 or more */
  mayReport(realm: string, prefix: string): number
}

/** Reports of one prefix in one realm at once; then one more every so often. */
const AT_ONCE = 10
const REFILL_MS = 3 * 60_000
/** Prefixes that are remembered; beyond that, whoever reported longest ago is forgotten. */
const MOST_PREFIXES = 100_000

/** @param now milliseconds of a clock that never leaps. @param key 32 random bytes that nobody stores */
export function createReportLimits(now: () => number, key: BinaryLike): ReportLimits {
  // When the next report is free, were none made until then: what is behind now is room.
  const freeAt = new Map<string, number>()
  return {
    mayReport(realm, prefix) {
      const time = now()
      // Realms have no NUL in their names.
      const place = createHmac('sha256', key).update(`${realm}\0${prefix}`).digest('base64url')
      const free = Math.max(freeAt.get(place) ?? -Infinity, time - AT_ONCE * REFILL_MS)
      const next = free + REFILL_MS
      if (next > time) return Math.max(1, Math.ceil((next - time) / 1000))
      // Behind all others: a map keeps the order in which its keys came.
      freeAt.delete(place)
      freeAt.set(place, next)
      const [oldest] = freeAt.keys()
      if (freeAt.size > MOST_PREFIXES && oldest !== undefined) freeAt.delete(oldest)
      return 0
    },
  }
}
