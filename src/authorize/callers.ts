// Authorize: who sent a request; promises that an API key that was revoked opens nothing a second later, and that of its use only the day is kept.

import type { Database } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, type LogWriter } from '../log/append-event.ts'
import {
  apiKeyUsed,
  prefixIn,
  recogniseApiKey,
  type ApiKeyType,
  type StoredApiKey,
} from './api-keys.ts'
import { isActive, knownRealm, type Known, type Knowledge } from './known.ts'
import type { OpenPeppers } from './peppers.ts'
import type { Realm } from './realms.ts'
import { dayOf, type Actor } from './zone.ts'

/** Who sent a request, and what is known at that moment. */
export interface Caller {
  readonly realm: Realm
  readonly apiKey: StoredApiKey
  readonly known: Known
}

/** Finds who sent an API key. @throws TocsinError `unauthorized`, `maintenance`, `unavailable` */
export type FindCaller = (sent: string | undefined, type: ApiKeyType) => Promise<Caller>

/** What finding callers needs. */
export interface CallerContext {
  readonly db: Database
  readonly writer: LogWriter
  readonly known: Knowledge
  readonly peppers: OpenPeppers
  readonly now: () => Date
}

/** Finds callers, and notes for each key the day of its last use. */
export function createFindCaller(context: CallerContext): FindCaller {
  const noted = new Map<string, number>()
  const noteUse = async (prefix: string, day: number) => {
    if ((noted.get(prefix) ?? -1) >= day) return
    noted.set(prefix, day)
    await context.db
      .transaction((tx) => appendEvents(tx, context.writer, [apiKeyUsed(prefix)], context.now()))
      // Tried again with the next request.
      .catch(() => noted.delete(prefix))
  }
  return async (sent, type) => {
    const prefix = prefixIn(sent)
    const [known, peppers] = await Promise.all([
      // One that was made a moment ago counts at once.
      context.known(({ apiKeys }) => prefix === undefined || apiKeys.has(prefix)),
      context.peppers(),
    ])
    const now = context.now()
    const apiKey = recogniseApiKey(known.apiKeys, peppers, sent, type, now)
    if (!isActive(known, apiKey.realm, apiKey.provider))
      throw new TocsinError('unauthorized', 'The provider of this API key is suspended or closed.')
    const realm = knownRealm(known, apiKey.realm)
    if (apiKey.lastUsedDay === null || apiKey.lastUsedDay < dayOf(now))
      await noteUse(apiKey.prefix, dayOf(now))
    return { realm, apiKey, known }
  }
}

/** Who a caller is, for the log. */
export function actorOf({ apiKey }: Pick<Caller, 'apiKey'>): Actor {
  return `key:${apiKey.prefix}`
}

/** @throws TocsinError `maintenance` while the realm is closed */
export function refuseWhileClosed({ settings }: Realm): void {
  if (settings.maintenance) throw new TocsinError('maintenance')
}
