// Authorize: codes that are not to count any more: one, a batch, all of a provider; promises that none of them brings a certificate from then on, and that nothing is withdrawn that is not theirs.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { batchesInvalidated } from './batches.ts'
import { codesInvalidated } from './codes.ts'
import {
  contentOf,
  findTarget,
  macsOf,
  valuesOf,
  type InvalidationScope,
  type Target,
} from './invalidation-scope.ts'
import { findRealm, lockRealm, type Realm } from './realms.ts'
import {
  claimsOf,
  listWithdrawalOrders,
  loadOrderKey,
  makeWithdrawalOrder,
  type Withdrawal,
  type WithdrawalOrder,
} from './withdrawal-orders.ts'
import { dayOf, type Actor, type AuthorityZone } from './zone.ts'

export type { InvalidationScope } from './invalidation-scope.ts'

/** What invalidating would do, or has done. */
export interface InvalidationPreview {
  /** Codes that count, and have brought no certificate. */
  readonly unused: number
  /** Codes that have brought one. */
  readonly used: number
  /** Issuer handles that stand for their certificates. */
  readonly handles: number
  /** Certificates that carry these handles, as far as their codes are known: they would be withdrawn together. */
  readonly certificates: number
  /** Whether nobody else's certificates carry them, so that they can be withdrawn. */
  readonly canWithdraw: boolean
}

/** What was done. */
export interface Invalidation extends InvalidationPreview {
  /** The withdrawal order that covers the reports; null where none was asked for, or no handle stands for them. */
  readonly order: string | null
}

/**
 * What {@link invalidateCodes} would do.
 *
 * @throws TocsinError as that does
 */
export async function previewInvalidation(
  zone: Pick<AuthorityZone, 'db' | 'masterKey'>,
  scope: InvalidationScope,
  now: Date,
): Promise<InvalidationPreview> {
  const realm = await requireRealm(zone.db, scope.realm)
  const macs = await macsOf(zone, scope, now)
  return (await examine(zone.db, await findTarget(zone.db, scope, macs), realm, now, LOOK)).preview
}

/**
 * Invalidates codes: from now on none of them gets a token, and no token of theirs a certificate. Codes that the provider
 * issues later are not concerned. Repeated: what is invalid stays so.
 *
 * @param options `retroactive`: the reports made with them are to be withdrawn, too. The order waits in the outbox; asked for
 *   again on the same day, it is the same one.
 * @throws TocsinError `realm_unknown`, `code_invalid`, `batch_unknown`, `provider_unknown`; for a retroactive one
 *   `withdrawal_too_wide` when other codes' certificates carry the same handle, `signing_key_invalid`
 */
export async function invalidateCodes(
  zone: AuthorityZone,
  scope: InvalidationScope,
  { retroactive }: { readonly retroactive: boolean },
  by: Actor,
  now: Date,
): Promise<Invalidation> {
  const realm = await requireRealm(zone.db, scope.realm)
  const macs = await macsOf(zone, scope, now)
  const key = retroactive ? await loadOrderKey(zone, realm.name, now) : undefined
  return zone.db.transaction(async (tx) => {
    const target = await findTarget(tx, scope, macs)
    // Codes first, then the realm, then the log's head: in the order in which a certificate takes them.
    await examine(tx, target, realm, now, LOCK)
    await lockRealm(tx, realm.name)
    const { preview, valid, withdrawal } = await examine(tx, target, realm, now, LOOK)
    if (retroactive && !preview.canWithdraw) throw tooWide(target)
    const events = valid === 0 ? [] : [codesInvalidated(contentOf(target, by))]
    const batches = await batchesToInvalidate(tx, target)
    if (batches.length > 0) events.push(batchesInvalidated(batches, by))
    // What counted until now may have been reported since the order of before was carried out.
    let order =
      key !== undefined && valid === 0 ? await findOrder(tx, realm.name, withdrawal) : undefined
    if (key !== undefined && order === undefined && withdrawal.handles.length > 0) {
      const made = makeWithdrawalOrder(key, realm, withdrawal, by, now)
      order = made.order
      events.push(made.event)
    }
    await appendEvents(tx, zone.writer, events, now)
    return { ...preview, order: key === undefined ? null : (order?.id ?? null) }
  })
}

async function requireRealm(db: Queryable, name: string): Promise<Realm> {
  const realm = await findRealm(db, name)
  if (realm === undefined)
    throw new TocsinError('realm_unknown', `There is no realm "${name.slice(0, 40)}".`)
  return realm
}

const LOOK = false
const LOCK = true

interface Examined {
  readonly preview: InvalidationPreview
  /** Codes that are not invalid yet, whatever else they are. */
  readonly valid: number
  readonly withdrawal: Withdrawal
}

/** Counts what a target is. @param lock whether nobody else may change its codes before the transaction ends */
async function examine(
  db: Queryable,
  target: Target,
  realm: Realm,
  now: Date,
  lock: boolean,
): Promise<Examined> {
  const seconds = Math.floor(now.getTime() / 1000)
  const { rows } = await db.query<{ unused: number; used: number; valid: number }>({
    text: `select count(*) filter (where handle is not null) as used, count(*) filter (where not invalidated) as valid,
             count(*) filter (where handle is null and not invalidated and greatest(expires_at, long_expires_at) > $6::bigint) as unused
           from (select handle, invalidated, expires_at, long_expires_at from verification_code
                 where realm = $1 and ((seq = $2::bigint and place = $3::integer) or batch = $4 or provider = $5)
                 order by seq, place ${lock ? 'for update' : ''}) as concerned`,
    values: [...valuesOf(target), seconds],
  })
  const { unused = 0, used = 0, valid = 0 } = rows[0] ?? {}
  const handles = await handlesOf(db, target, dayOf(now))
  const names = handles.map(({ handle }) => handle)
  const carried = await db.query<{ n: number }>(
    sql`select count(*) as n from verification_code where handle = any(${names}::text[])`,
  )
  return {
    preview: {
      unused,
      used,
      handles: handles.length,
      certificates: carried.rows[0]?.n ?? 0,
      canWithdraw:
        target.scope === 'provider' || (target.scope === 'batch' && target.handle !== null),
    },
    valid,
    withdrawal: {
      handles: names,
      fromDay: Math.min(...handles.map(({ day }) => day)),
      // A phone may send a certificate in as long as it lives.
      throughDay: dayOf(new Date(now.getTime() + realm.settings.certificateLife * 1000)),
    },
  }
}

/** Key servers have deleted by then what was reported under a handle, whatever clocks say: they keep reports for 18 days. */
const FORGOTTEN_DAYS = 30

interface UsedHandle {
  readonly handle: string
  /** Days since the epoch: when it was made. */
  readonly day: number
}

/** The handles of a target; of a provider those that may still matter, also where the codes themselves are erased by now. */
async function handlesOf(db: Queryable, target: Target, today: number): Promise<UsedHandle[]> {
  if (target.scope === 'provider') {
    const { rows } = await db.query<UsedHandle>(
      sql`select handle, day from (
            select h.handle, h.day, h.seq, coalesce(b.expires_at / 86400,
                     lead(h.day) over (partition by h.batch is null order by h.seq)) as until
            from issuer_handle h left join code_batch b on b.id = h.batch
            where h.realm = ${target.realm} and h.provider = ${target.provider}) as made
          where until is null or until >= ${today - FORGOTTEN_DAYS}::bigint order by seq`,
    )
    return rows
  }
  const own = target.scope === 'batch' ? target.handle : null
  const [, seq, place, batch] = valuesOf(target)
  const { rows } = await db.query<UsedHandle>(
    sql`select handle, day from issuer_handle
        where handle = ${own} or (${own}::text is null and handle in (
          select c.handle from verification_code c
          where (c.seq = ${seq}::bigint and c.place = ${place}::integer) or c.batch = ${batch}::text))
        order by seq`,
  )
  return rows
}

/** The batches that are invalid as a whole from now on. */
async function batchesToInvalidate(tx: Transaction, target: Target): Promise<string[]> {
  if (target.scope === 'code') return []
  const [, , , batch, provider] = valuesOf(target)
  const { rows } = await tx.query<{ id: string }>(
    sql`select id from code_batch where realm = ${target.realm} and not invalidated
          and (id = ${batch}::text or provider = ${provider}::text) order by id`,
  )
  return rows.map(({ id }) => id)
}

/** The order of before that covers a withdrawal; undefined when there is none. */
async function findOrder(
  tx: Transaction,
  realm: string,
  { handles, throughDay }: Withdrawal,
): Promise<WithdrawalOrder | undefined> {
  return (await listWithdrawalOrders(tx, realm)).find((order) => {
    const claims = claimsOf(order)
    const named = new Set(claims.handles)
    return claims.through >= throughDay * 86_400 && handles.every((handle) => named.has(handle))
  })
}

function tooWide({ scope }: Target): TocsinError {
  return new TocsinError(
    'withdrawal_too_wide',
    scope === 'code'
      ? "Other codes' reports carry the same handle and would go as well: invalidate the code from now on. One report alone is withdrawn at the key server, by its tracking id."
      : 'The batch has fewer than 10 codes and no handle of its own, so that other reports would go as well: invalidate it from now on. Single reports are withdrawn at the key server, by their tracking ids.',
  )
}
