// Log: how long parts of events are kept, by name; promises that whether a part is kept apart from its event follows from that alone.

/**
 * How long a part is kept: `report` 18 days after acceptance, `numbers` and `numbers-report`, which says whose they are, 21 whole days
 * after the day of acceptance, `code` 14 days after the verification code expired, `code-secret` 48 hours after that, `token` 24 hours
 * after the token expired, `phone` as long as the realm says, `statistics` 91 days, `audit` a year, `release` and `configuration` for
 * as long as the log.
 */
export type Retention = DetachedRetention | KeptRetention

/** A retention whose parts are *detached*: kept apart from their events (src/log/detached-parts.ts). */
export type DetachedRetention = 'numbers'

/** A retention whose parts are in their events' records. */
export type KeptRetention =
  | 'report'
  | 'numbers-report'
  | 'code'
  | 'code-secret'
  | 'token'
  | 'phone'
  | 'statistics'
  | 'audit'
  | 'release'
  | 'configuration'

const DETACHED: ReadonlySet<string> = new Set<DetachedRetention>(['numbers'])

/** Whether parts of a retention are kept apart. */
export function isDetached(retention: string): retention is DetachedRetention {
  return DETACHED.has(retention)
}
