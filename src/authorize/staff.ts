// Authorize: the staff of a realm and what each may do; promises that nobody gives more rights than they have, and that one who has left can do nothing.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import {
  checkDisplayName,
  checkName,
  checkState,
  requireProvider,
  type MemberState,
} from './providers.ts'
import { lockRealm } from './realms.ts'
import { configured, type Actor, type AuthorityZone } from './zone.ts'

/**
 * What a member of staff may do: `issue` codes, issue in `bulk` and in batches, see `statistics`, `manage` providers, staff, API
 * keys, apps and settings.
 */
export type StaffRole = 'issue' | 'bulk' | 'statistics' | 'manage'

/** The roles. */
export const STAFF_ROLES: readonly StaffRole[] = ['issue', 'bulk', 'statistics', 'manage']

/** A member of staff. */
export interface StaffMember {
  readonly realm: string
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  readonly displayName: string
  readonly email: string | null
  /** Whose codes they issue; null for the realm's own. */
  readonly provider: string | null
  readonly roles: readonly StaffRole[]
  readonly state: MemberState
  /** Codes a day; null for what the realm says. */
  readonly dailyQuota: number | null
}

const SET = 'staff.set'

/** What can be said of a member of staff. */
export type StaffFields = Omit<StaffMember, 'realm' | 'name'>

/**
 * Adds a member of staff, or changes one.
 *
 * @param given for a new one displayName and roles are needed
 * @throws TocsinError `realm_unknown`, `staff_exists`, `staff_unknown`, `staff_invalid`, `provider_unknown`
 */
export function setStaff(
  zone: AuthorityZone,
  { realm, name }: Pick<StaffMember, 'realm' | 'name'>,
  given: Partial<StaffFields>,
  mode: 'add' | 'change',
  by: Actor,
  now: Date,
): Promise<StaffMember> {
  checkName(name, 'staff_invalid')
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    const known = (await listStaff(tx, realm)).find((member) => member.name === name)
    if (mode === 'add' && known !== undefined)
      throw new TocsinError('staff_exists', `The realm has a member of staff "${name}" already.`)
    if (mode === 'change' && known === undefined)
      throw new TocsinError('staff_unknown', `The realm has no member of staff "${name}".`)
    const member = { ...NEW_MEMBER, realm, name, ...known, ...given }
    await checkMember(tx, member)
    await appendEvents(tx, zone.writer, [configured(SET, { ...member, by })], now)
    return member
  })
}

const NEW_MEMBER: StaffFields = {
  displayName: '',
  email: null,
  provider: null,
  roles: [],
  state: 'active',
  dailyQuota: null,
}

async function checkMember(tx: Transaction, member: StaffMember): Promise<void> {
  checkDisplayName(member.displayName, 'staff_invalid')
  checkState(member.state, 'staff_invalid')
  if (member.email !== null && !isEmail(member.email))
    throw new TocsinError('staff_invalid', 'The e-mail address does not have the form of one.')
  if (member.roles.length === 0 || !member.roles.every((role) => STAFF_ROLES.includes(role)))
    throw new TocsinError('staff_invalid', `The roles must be some of ${STAFF_ROLES.join(', ')}.`)
  checkDailyQuota(member.dailyQuota)
  if (member.provider !== null) await requireProvider(tx, member.realm, member.provider)
}

function isEmail(text: string): boolean {
  return text.isWellFormed() && /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,190}$/u.test(text)
}

/** @throws TocsinError `staff_invalid` */
export function checkDailyQuota(quota: number | null): void {
  if (quota !== null && (!Number.isInteger(quota) || quota < 1 || quota > 1_000_000))
    throw new TocsinError('staff_invalid', 'The codes a day must be from 1 to 1000000.')
}

/** The staff of a realm, or of all realms, by name. */
export async function listStaff(db: Queryable, realm: string | null): Promise<StaffMember[]> {
  const { rows } = await db.query<StaffMember>(
    sql`select realm, name, display_name as "displayName", email, provider, roles, state, daily_quota as "dailyQuota"
        from staff where realm = ${realm} or ${realm}::text is null order by realm, name`,
  )
  return rows
}

/** Writes the table of staff. */
export const staffProjection: Projection = {
  types: [SET],
  tables: ['staff'],
  async apply(tx, events) {
    for (const { parts } of events) {
      const member = parts[0]?.content as StaffMember
      await tx.query(
        sql`insert into staff (realm, name, display_name, email, provider, roles, state, daily_quota)
            values (${member.realm}, ${member.name}, ${member.displayName}, ${member.email}, ${member.provider},
                    ${member.roles}::text[], ${member.state}, ${member.dailyQuota}::integer)
            on conflict (realm, name) do update set display_name = excluded.display_name, email = excluded.email,
              provider = excluded.provider, roles = excluded.roles, state = excluded.state, daily_quota = excluded.daily_quota`,
      )
    }
  },
}
