// Authorize: what its parts need of the authority zone; promises that all of them write through one log.

import type { Database } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import type { LogWriter } from '../log/append-event.ts'
import type { NewEvent } from '../log/record.ts'

/** The authority zone's data, and the key to its secrets. */
export interface AuthorityZone {
  readonly db: Database
  readonly writer: LogWriter
  readonly masterKey: MasterKey
}

/**
 * Who did something, for the log: `key:` and the prefix of an API key, `staff:` and the name of a member of staff, or `command`.
 */
export type Actor = `key:${string}` | `staff:${string}` | 'command'

/** An event of configuration: what was done, and by whom. */
export function configured(
  type: string,
  content: { readonly by: Actor } & Readonly<Record<string, unknown>>,
): NewEvent {
  return { type, parts: [{ retention: 'configuration', content }] }
}

const DAY_MS = 86_400_000

/** The day of a time, UTC: days since the epoch. */
export function dayOf(now: Date): number {
  return Math.floor(now.getTime() / DAY_MS)
}

/** A provider of a realm as one text; the realm's own codes have the empty provider. */
export function nameProvider(realm: string, provider: string | null): string {
  return `${realm} ${provider ?? ''}`
}
