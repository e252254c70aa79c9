// Authorize: issuer handles, by which a provider's reports can be withdrawn; promises that one that is shared stands for ten certificates at least before the next one takes its place.

import { randomBytes } from 'node:crypto'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { VerificationCode } from './lock-codes.ts'
import { lockRealm } from './realms.ts'
import { nameProvider } from './zone.ts'

/** A handle: 22 characters of base64url, 128 random bits. */
export interface IssuerHandle {
  readonly handle: string
  readonly realm: string
  /** Empty for the realm's own codes. */
  readonly provider: string
  /** The batch whose own it is; null for the one of a provider's other codes. */
  readonly batch: string | null
  /** Days since the epoch: when it was made. */
  readonly day: number
}

const OPENED = 'handle.opened'

/** Certificates that must carry a handle before another is used. */
const FEWEST_CERTIFICATES = 10

/** A new handle, and the event that makes it known. */
export function openHandle(
  realm: string,
  provider: string,
  batch: string | null,
  day: number,
): { readonly handle: string; readonly event: NewEvent } {
  const handle = randomBytes(16).toString('base64url')
  const content: IssuerHandle = { handle, realm, provider, batch, day }
  return { handle, event: { type: OPENED, parts: [{ retention: 'configuration', content }] } }
}

/** The handles of providers that certificates carry now. */
export async function listHandlesInUse(db: Queryable): Promise<IssuerHandle[]> {
  const { rows } = await db.query<IssuerHandle>(
    sql`select distinct on (realm, provider) handle, realm, provider, batch, day from issuer_handle
        where batch is null order by realm, provider, seq desc`,
  )
  return rows
}

/**
 * Whether so many certificates carry a handle that another may be used. Those whose codes were erased count no longer: a
 * handle of a provider with few certificates stays the longer.
 */
async function hasEnoughCertificates(db: Queryable, handle: string): Promise<boolean> {
  const { rows } = await db.query<{ n: number }>(
    sql`select count(*) as n from
          (select 1 from verification_code where handle = ${handle} limit ${FEWEST_CERTIFICATES}) as carried`,
  )
  return (rows[0]?.n ?? 0) >= FEWEST_CERTIFICATES
}

/**
 * The handle for the certificate of a code: the batch's own, or its provider's of the moment, which is replaced once its day has
 * ended and enough certificates carry it.
 *
 * @param day today, days since the epoch
 * @returns the handle, and the event that opens it when it is new
 */
export async function chooseHandle(
  tx: Transaction,
  { handles }: { readonly handles: ReadonlyMap<string, IssuerHandle> },
  code: Pick<VerificationCode, 'realm' | 'provider' | 'batch'>,
  day: number,
): Promise<{ readonly handle: string; readonly events: readonly NewEvent[] }> {
  const own = code.batch?.handle
  if (own !== undefined && own !== null) return { handle: own, events: [] }
  const provider = code.provider ?? ''
  const current = handles.get(nameProvider(code.realm, provider))
  if (current !== undefined && (await isToGoOn(tx, current, day)))
    return { handle: current.handle, events: [] }
  // One at a time: two new handles would stand for few certificates each.
  await lockRealm(tx, code.realm)
  const opened = openedHere.get(tx) ?? new Map<string, string>()
  openedHere.set(tx, opened)
  const newest = (await listHandlesInUse(tx)).find(
    (each) => each.realm === code.realm && each.provider === provider,
  )
  const handle = opened.get(nameProvider(code.realm, provider))
  if (handle !== undefined) return { handle, events: [] }
  if (newest !== undefined && (await isToGoOn(tx, newest, day)))
    return { handle: newest.handle, events: [] }
  const made = openHandle(code.realm, provider, null, day)
  opened.set(nameProvider(code.realm, provider), made.handle)
  return { handle: made.handle, events: [made.event] }
}

/** What was opened in a transaction, and is in no table yet: another code of the same group takes it, too. */
const openedHere = new WeakMap<Transaction, Map<string, string>>()

async function isToGoOn(
  tx: Transaction,
  { handle, day }: IssuerHandle,
  today: number,
): Promise<boolean> {
  return day >= today || !(await hasEnoughCertificates(tx, handle))
}

/** Writes the table of handles. */
export const handleProjection: Projection = {
  types: [OPENED],
  tables: ['issuer_handle'],
  async apply(tx, events) {
    for (const event of events) {
      const { handle, realm, provider, batch, day } = contentOf(event)
      await tx.query(
        sql`insert into issuer_handle (handle, realm, provider, batch, day, seq)
            values (${handle}, ${realm}, ${provider}, ${batch}, ${day}::integer, ${event.seq}::bigint)`,
      )
    }
  },
}

function contentOf({ parts }: StoredEvent): IssuerHandle {
  return parts[0]?.content as IssuerHandle
}
