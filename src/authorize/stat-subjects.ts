// Authorize: statistics of staff, API keys, external issuers and text gateways; promises that no subject's count of 1 to 9 is told, nor left over of the realm's total.

import type { Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { listApiKeys } from './api-keys.ts'
import { listStaff } from './staff.ts'
import type { StatCount, StatSubjectKind } from './stat-counts.ts'
import {
  dateOf,
  daysOf,
  readCounts,
  type StatDay,
  type StatPeriod,
  type StatRealm,
} from './stat-rows.ts'
import { tellCount, tellParts } from './stat-suppression.ts'

/** Codes issued on a day. */
export interface IssuedData {
  readonly codes_issued: number
}

/** One member of staff. The id is the name: nothing here is numbered. */
export interface MemberReport {
  readonly realm_id: number
  readonly user_id: string
  readonly user_name: string
  readonly user_email: string
  readonly statistics: readonly StatDay<IssuedData>[]
}

/** One API key. The id is the key's prefix. */
export interface KeyReport {
  readonly authorized_app_id: string
  readonly authorized_app_name: string
  readonly statistics: readonly StatDay<IssuedData>[]
}

/** A list for each day, the newest day first; empty when nothing at all may be told. */
export type ListReport<Field extends string, Item> =
  | Record<string, never>
  | {
      readonly realm_id: number
      readonly statistics: readonly ({ readonly date: string } & Readonly<
        Record<Field, readonly Item[]>
      >)[]
    }

/** Of each member of staff that has a count to be told on some day. */
export type StaffReport = ListReport<
  'issuer_data',
  IssuedData & { readonly user_id: string; readonly name: string; readonly email: string }
>

/** The same of external issuers. */
export type IssuerReport = ListReport<'issuer_data', IssuedData & { readonly issuer_id: string }>

/** The same of a gateway's error codes. */
export type TextErrorReport = ListReport<
  'error_data',
  { readonly error_code: string; readonly quantity: number }
>

/** What one member of staff issued. @throws TocsinError `not_found` */
export async function memberStats(
  db: Queryable,
  realm: StatRealm,
  name: string,
  period: StatPeriod,
): Promise<MemberReport> {
  const member = (await listStaff(db, realm.name)).find((each) => each.name === name)
  if (member === undefined) throw new TocsinError('not_found')
  const told = await readIssued(db, realm, ISSUERS, period)
  return {
    realm_id: realm.number,
    user_id: name,
    user_name: member.displayName,
    user_email: member.email ?? '',
    statistics: issuedDays(told.filter(isOf('staff', name)), period),
  }
}

/** What one API key issued. @throws TocsinError `not_found` */
export async function keyStats(
  db: Queryable,
  realm: StatRealm,
  prefix: string,
  period: StatPeriod,
): Promise<KeyReport> {
  const key = (await listApiKeys(db, realm.name)).find((each) => each.prefix === prefix)
  if (key === undefined) throw new TocsinError('not_found')
  const told = await readIssued(db, realm, ISSUERS, period)
  return {
    authorized_app_id: prefix,
    authorized_app_name: key.name,
    statistics: issuedDays(told.filter(isOf('key', prefix)), period),
  }
}

/** What each member of staff issued. */
export async function staffStats(
  db: Queryable,
  realm: StatRealm,
  period: StatPeriod,
): Promise<StaffReport> {
  const told = (await readIssued(db, realm, ISSUERS, period)).filter(isOf('staff'))
  const staff = new Map((await listStaff(db, realm.name)).map((each) => [each.name, each]))
  return listDays(realm, told, 'issuer_data', period, (name, count) => ({
    user_id: name,
    name: staff.get(name)?.displayName ?? '',
    email: staff.get(name)?.email ?? '',
    codes_issued: count,
  }))
}

/** What was issued for each external issuer. */
export async function issuerStats(
  db: Queryable,
  realm: StatRealm,
  period: StatPeriod,
): Promise<IssuerReport> {
  const told = await readIssued(db, realm, ['issuer'], period)
  return listDays(realm, told, 'issuer_data', period, (id, count) => ({
    issuer_id: id,
    codes_issued: count,
  }))
}

/** Why texts were not sent. No total is told anywhere, so each count is judged alone. */
export async function textErrorStats(
  db: Queryable,
  realm: StatRealm,
  period: StatPeriod,
): Promise<TextErrorReport> {
  const rows = await readCounts(db, realm, ['sms'], period)
  const told = rows.map((row) => ({ ...row, count: tellCount(row.count) }))
  return listDays(realm, told, 'error_data', period, (code, count) => ({
    error_code: code,
    quantity: count,
  }))
}

// Each code was issued by one of these: their counts make up the realm's, so they are judged together.
const ISSUERS: readonly StatSubjectKind[] = ['key', 'staff']

/** Codes that no key and no member of staff issued. */
const NOBODYS: ReadonlySet<string> = new Set(['user_reports_issued', 'paper_codes_issued'])

/** Codes issued by subject, as far as they may be told beside the realm's total. */
async function readIssued(
  db: Queryable,
  realm: StatRealm,
  kinds: readonly StatSubjectKind[],
  period: StatPeriod,
): Promise<StatCount[]> {
  const byDay = new Map<number, { total: number; others: number; subjects: StatCount[] }>()
  for (const row of await readCounts(db, realm, ['realm', ...kinds], period)) {
    const day = byDay.get(row.day) ?? { total: 0, others: 0, subjects: [] }
    byDay.set(row.day, day)
    if (row.subjectKind === 'realm' && NOBODYS.has(row.kind)) day.others += row.count
    if (row.kind !== 'codes_issued') continue
    if (row.subjectKind === 'realm') day.total = row.count
    else day.subjects.push(row)
  }
  return [...byDay.values()].flatMap(({ total, others, subjects }) => {
    const counts = subjects.map((row) => row.count)
    // Whoever knows how many were nobody's takes them off the total before.
    const told = tellParts(total, tellParts(total - others, counts))
    return subjects.map((row, index) => ({ ...row, count: told[index] ?? 0 }))
  })
}

function isOf(kind: StatSubjectKind, subject?: string): (row: StatCount) => boolean {
  return (row) => row.subjectKind === kind && (subject === undefined || row.subject === subject)
}

/** Every day, as a chart needs it. */
function issuedDays(told: readonly StatCount[], period: StatPeriod): StatDay<IssuedData>[] {
  const counts = new Map(told.map((row) => [row.day, row.count]))
  return daysOf(period).map((day) => ({
    date: dateOf(day),
    data: { codes_issued: counts.get(day) ?? 0 },
  }))
}

/** Every day with every subject: one whose counts are all hidden is not even named. */
function listDays<Field extends string, Item>(
  realm: StatRealm,
  told: readonly StatCount[],
  field: Field,
  period: StatPeriod,
  toItem: (subject: string, count: number) => Item,
): ListReport<Field, Item> {
  const seen = told.filter((row) => row.count > 0)
  const subjects = [...new Set(seen.map((row) => row.subject))].toSorted()
  if (subjects.length === 0) return {}
  const counts = new Map(seen.map((row) => [nameCell(row.day, row.subject), row.count]))
  const statistics = daysOf(period).map((day) => ({
    date: dateOf(day),
    [field]: subjects.map((subject) => toItem(subject, counts.get(nameCell(day, subject)) ?? 0)),
  }))
  return { realm_id: realm.number, statistics } as ListReport<Field, Item>
}

function nameCell(day: number, subject: string): string {
  return `${day} ${subject}`
}
