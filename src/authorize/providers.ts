// Authorize: providers (hospitals, labs, practices) of a realm; promises that one that is suspended or closed issues nothing, and that a closed one stays closed.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { lockRealm } from './realms.ts'
import { configured, type Actor, type AuthorityZone } from './zone.ts'

/** `active`; `suspended` issues nothing for now, and its codes don't count; `closed` is that for good. */
export type MemberState = 'active' | 'suspended' | 'closed'

/** The states. */
export const MEMBER_STATES: readonly MemberState[] = ['active', 'suspended', 'closed']

/** A provider. */
export interface Provider {
  readonly realm: string
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  readonly displayName: string
  readonly state: MemberState
}

const SET = 'provider.set'

/**
 * Adds a provider.
 *
 * @throws TocsinError `realm_unknown`, `provider_exists`, `provider_invalid`
 */
export function addProvider(
  zone: AuthorityZone,
  { realm, name, displayName }: Omit<Provider, 'state'>,
  by: Actor,
  now: Date,
): Promise<Provider> {
  checkName(name, 'provider_invalid')
  checkDisplayName(displayName, 'provider_invalid')
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    if ((await findProvider(tx, realm, name)) !== undefined)
      throw new TocsinError('provider_exists', `The realm has a provider "${name}" already.`)
    return setProvider(tx, zone, { realm, name, displayName, state: 'active' }, by, now)
  })
}

/**
 * Changes a provider's name for people, or its state.
 *
 * @throws TocsinError `realm_unknown`, `provider_unknown`, `provider_invalid`
 */
export function changeProvider(
  zone: AuthorityZone,
  realm: string,
  name: string,
  given: Partial<Pick<Provider, 'displayName' | 'state'>>,
  by: Actor,
  now: Date,
): Promise<Provider> {
  if (given.displayName !== undefined) checkDisplayName(given.displayName, 'provider_invalid')
  if (given.state !== undefined) checkState(given.state, 'provider_invalid')
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    const provider = await requireProvider(tx, realm, name)
    if (provider.state === 'closed' && given.state !== undefined && given.state !== 'closed')
      throw new TocsinError(
        'provider_invalid',
        'The provider was closed for good: add another one under a new name.',
      )
    return setProvider(tx, zone, { ...provider, ...given }, by, now)
  })
}

async function setProvider(
  tx: Transaction,
  zone: AuthorityZone,
  provider: Provider,
  by: Actor,
  now: Date,
): Promise<Provider> {
  await appendEvents(tx, zone.writer, [configured(SET, { ...provider, by })], now)
  return provider
}

/** All providers of a realm, or of all realms, by name. */
export async function listProviders(db: Queryable, realm: string | null): Promise<Provider[]> {
  const { rows } = await db.query<Provider>(
    sql`select realm, name, display_name as "displayName", state from provider
        where realm = ${realm} or ${realm}::text is null order by realm, name`,
  )
  return rows
}

/** @throws TocsinError `provider_unknown` */
export async function requireProvider(
  db: Queryable,
  realm: string,
  name: string,
): Promise<Provider> {
  const provider = await findProvider(db, realm, name)
  if (provider === undefined)
    throw new TocsinError('provider_unknown', `The realm has no provider "${name.slice(0, 40)}".`)
  return provider
}

async function findProvider(
  db: Queryable,
  realm: string,
  name: string,
): Promise<Provider | undefined> {
  return (await listProviders(db, realm)).find((provider) => provider.name === name)
}

/** Writes the table of providers. */
export const providerProjection: Projection = {
  types: [SET],
  tables: ['provider'],
  async apply(tx, events) {
    for (const { parts } of events) {
      const provider = parts[0]?.content as Provider
      const { realm, name, displayName, state } = provider
      await tx.query(
        sql`insert into provider (realm, name, display_name, state) values (${realm}, ${name}, ${displayName}, ${state})
            on conflict (realm, name) do update set display_name = excluded.display_name, state = excluded.state`,
      )
    }
  },
}

/** What refuses a provider, or a member of staff. */
type InvalidCode = 'provider_invalid' | 'staff_invalid'

/** @throws TocsinError `code` */
export function checkName(name: string, code: InvalidCode): void {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
    throw new TocsinError(
      code,
      'The name must be 1 to 40 lower-case letters, digits or hyphens, and not begin with a hyphen.',
    )
}

/** @throws TocsinError `code` */
export function checkDisplayName(text: string, code: InvalidCode): void {
  if (!/^[^\p{Cc}\ufeff]{1,100}$/u.test(text) || !text.isWellFormed())
    throw new TocsinError(code, 'The name for people must have 1 to 100 characters.')
}

/** @throws TocsinError `code` */
export function checkState(state: string, code: InvalidCode): void {
  if (!(MEMBER_STATES as readonly string[]).includes(state))
    throw new TocsinError(code, `The state must be one of ${MEMBER_STATES.join(', ')}.`)
}
