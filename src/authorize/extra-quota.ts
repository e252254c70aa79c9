// Authorize: codes beyond a day's quota, for an outbreak; promises that who allowed them is in the log, and that they are gone the next day.

import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { realmQuota, type QuotaState } from './quota.ts'
import { lockRealm } from './realms.ts'
import { statPart, type StatCount } from './stat-counts.ts'
import { dayOf, type Actor, type AuthorityZone } from './zone.ts'

/** So many more codes may be allowed at a time. */
export const MOST_EXTRA = 1_000_000

/**
 * Allows a realm so many codes more today (UTC), beside those that were allowed before.
 *
 * @throws TocsinError `realm_unknown`; `bad_request` for no such number, or where the realm issues as many as it likes
 */
export function allowExtra(
  { db, writer }: Pick<AuthorityZone, 'db' | 'writer'>,
  realmName: string,
  extra: number,
  by: Actor,
  now: Date,
): Promise<QuotaState> {
  if (!Number.isInteger(extra) || extra < 1 || extra > MOST_EXTRA)
    throw new TocsinError('bad_request', `extra must be a whole number from 1 to ${MOST_EXTRA}.`)
  const day = dayOf(now)
  return db.transaction(async (tx) => {
    const realm = await lockRealm(tx, realmName)
    if (realm.settings.dailyQuota === null)
      throw new TocsinError('bad_request', 'The realm has no daily quota: set dailyQuota first.')
    const count: StatCount = {
      realm: realm.name,
      day,
      kind: 'quota_extra',
      subjectKind: 'realm',
      subject: '',
      count: extra,
    }
    const what = { what: 'quota.extra', realm: realm.name, by }
    const parts = [statPart([count]), { retention: 'audit', content: what } as const]
    await appendEvents(tx, writer, [{ type: 'stats.counted', parts }], now)
    return realmQuota(tx, realm, day)
  })
}
