// Authorize: signed orders to key servers to withdraw what was reported under issuer handles; promises that an order says nothing but handles and days, and waits here until it is delivered.

import { randomBytes, sign, type KeyObject } from 'node:crypto'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { keyInUse } from './plan-signing-keys.ts'
import type { Realm } from './realms.ts'
import { listSigningKeys, loadSigningKey, type KeyActor } from './signing-keys.ts'
import { configured, type Actor, type AuthorityZone } from './zone.ts'

/** `typ` of an order's JWS: nobody can take a certificate for an order, or an order for a certificate. */
export const ORDER_TYPE = 'tocsin-withdrawal+jwt'

/** What an order says. */
export interface OrderClaims {
  /** The realm's, as in its certificates. */
  readonly iss: string
  readonly aud: string
  /** Unix seconds. */
  readonly iat: number
  /** 22 characters of base64url. A key server carries out an order once. */
  readonly jti: string
  /** Issuer handles. */
  readonly handles: readonly string[]
  /** The first and the last day on which the reports came, both included: unix seconds of their beginning, UTC. */
  readonly from: number
  readonly through: number
}

/** An order as it lies in the outbox. */
export interface WithdrawalOrder {
  /** Its `jti`. */
  readonly id: string
  readonly realm: string
  /** Unix seconds. */
  readonly madeAt: number
  /** ES256, compact. */
  readonly jws: string
  /** Whether the key server has it. */
  readonly delivered: boolean
  /** Unix seconds at a time grain; null while it has not. */
  readonly deliveredAt: number | null
  /** The code with which the key server refused it last; null when it did not, or has taken it since. */
  readonly refusal: string | null
}

/** Which reports are to be withdrawn. Days are days since the epoch, UTC; both are included. */
export interface Withdrawal {
  readonly handles: readonly string[]
  readonly fromDay: number
  readonly throughDay: number
}

const ORDERED = 'withdrawal.ordered'
const DELIVERED = 'withdrawal.delivered'
const REFUSED = 'withdrawal.refused'

/** The event's content; the table's row. */
type OrderedContent = Pick<WithdrawalOrder, 'id' | 'realm' | 'madeAt' | 'jws'>

/** What a key server answered. */
interface AnsweredContent {
  readonly id: string
  /** Where the order was handed in. */
  readonly address: string
  /** Of HTTP. */
  readonly status: number
  readonly by: KeyActor
}

/** The key that signs a realm's certificates now, for its orders. */
export interface OrderKey {
  readonly kid: string
  readonly privateKey: KeyObject
}

/** @throws TocsinError `signing_key_invalid` when there is none; `master_key_wrong` */
export async function loadOrderKey(
  zone: Pick<AuthorityZone, 'db' | 'masterKey'>,
  realm: string,
  now: Date,
): Promise<OrderKey> {
  const key = keyInUse(await listSigningKeys(zone.db, realm, 'certificate'), now)
  if (key === undefined)
    throw new TocsinError('signing_key_invalid', `Realm "${realm}" has no key that signs now.`)
  return { kid: key.kid, privateKey: await loadSigningKey(zone, key) }
}

/** Signs an order. @returns the order, and the event that puts it into the outbox */
export function makeWithdrawalOrder(
  { kid, privateKey }: OrderKey,
  realm: Pick<Realm, 'name' | 'issuer' | 'audience'>,
  { handles, fromDay, throughDay }: Withdrawal,
  by: Actor,
  now: Date,
): { readonly order: WithdrawalOrder; readonly event: NewEvent } {
  const id = randomBytes(ID_BYTES).toString('base64url')
  const madeAt = Math.floor(now.getTime() / 1000)
  const claims: OrderClaims = {
    iss: realm.issuer,
    aud: realm.audience,
    iat: madeAt,
    jti: id,
    handles,
    from: fromDay * DAY,
    through: throughDay * DAY,
  }
  const signed = `${encodePart({ alg: 'ES256', typ: ORDER_TYPE, kid })}.${encodePart(claims)}`
  const signature = sign('sha256', Buffer.from(signed), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  const jws = `${signed}.${signature.toString('base64url')}`
  const content: OrderedContent = { id, realm: realm.name, madeAt, jws }
  return {
    order: { ...content, delivered: false, deliveredAt: null, refusal: null },
    event: configured(ORDERED, { ...content, by }),
  }
}

/** The event of an order that a key server has taken. */
export function orderDelivered(content: AnsweredContent): NewEvent {
  return { type: DELIVERED, parts: [{ retention: 'configuration', content }] }
}

/** The event of an order that a key server does not carry out. @param content with the code of its refusal */
export function orderRefused(content: AnsweredContent & { readonly code: string }): NewEvent {
  return { type: REFUSED, parts: [{ retention: 'configuration', content }] }
}

const ID_BYTES = 16
const DAY = 86_400

/** What one of our own orders says; its signature is not looked at. */
export function claimsOf({ jws }: Pick<WithdrawalOrder, 'jws'>): OrderClaims {
  const [, payload = ''] = jws.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as OrderClaims
}

/** The orders of a realm, or of all realms, the newest first. @param realm null for all */
export async function listWithdrawalOrders(
  db: Queryable,
  realm: string | null,
): Promise<WithdrawalOrder[]> {
  const { rows } = await db.query<WithdrawalOrder>(
    sql`select id, realm, made_at as "madeAt", jws, delivered, delivered_at as "deliveredAt", refusal from withdrawal_order
        where realm = ${realm} or ${realm}::text is null order by made_at desc, id`,
  )
  return rows
}

/**
 * One order, to be handed to a key server by other means.
 *
 * @param realm whose it must be; null for whoever's
 * @throws TocsinError `withdrawal_order_unknown`
 */
export async function requireWithdrawalOrder(
  db: Queryable,
  realm: string | null,
  id: string,
): Promise<WithdrawalOrder> {
  const orders = await listWithdrawalOrders(db, realm)
  const order = orders.find((each) => each.id === id)
  if (order === undefined) throw new TocsinError('withdrawal_order_unknown')
  return order
}

/** The orders that no key server has taken yet, the oldest first; those that were refused among them. */
export async function listOpenOrders(db: Queryable): Promise<WithdrawalOrder[]> {
  const { rows } = await db.query<WithdrawalOrder>(
    sql`select id, realm, made_at as "madeAt", jws, delivered, delivered_at as "deliveredAt", refusal from withdrawal_order
        where not delivered order by made_at, id`,
  )
  return rows
}

/** Whether an order is still to be delivered; while it is, nobody else says what became of it in the time of the transaction. */
export async function lockOpenOrder(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    sql`select 1 from withdrawal_order where id = ${id} and not delivered for update`,
  )
  return rowCount !== 0
}

/** Writes the outbox. */
export const withdrawalOrderProjection: Projection = {
  types: [ORDERED, DELIVERED, REFUSED],
  tables: ['withdrawal_order'],
  async apply(tx, events) {
    // Rare, and what became of an order follows it: one after the other.
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, { type, grain, parts }: StoredEvent): Promise<void> {
  const content: unknown = parts[0]?.content
  if (type === ORDERED) {
    const { id, realm, madeAt, jws } = content as OrderedContent
    await tx.query(
      sql`insert into withdrawal_order (id, realm, made_at, jws) values (${id}, ${realm}, ${madeAt}::bigint, ${jws})`,
    )
  } else if (type === DELIVERED) {
    const { id } = content as AnsweredContent
    await tx.query(
      sql`update withdrawal_order set delivered = true, delivered_at = ${grain}::bigint, refused_at = null, refusal = null
          where id = ${id}`,
    )
  } else {
    const { id, code } = content as AnsweredContent & { readonly code: string }
    await tx.query(
      sql`update withdrawal_order set refused_at = ${grain}::bigint, refusal = ${code} where id = ${id}`,
    )
  }
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
