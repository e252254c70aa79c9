// Authorize: statistics as CSV (RFC 4180) for existing readers and spreadsheets; promises that no text in it is taken for a formula.

import { csvCell } from '../operate/csv-cell.ts'
import type { CompositeReport, RealmData, RealmReport } from './stat-report.ts'
import type {
  IssuerReport,
  KeyReport,
  MemberReport,
  StaffReport,
  TextErrorReport,
} from './stat-subjects.ts'

type Cell = string | number

const CODES = ['codes_issued', 'codes_claimed', 'codes_invalid']
const TOKENS = [
  'tokens_claimed',
  'tokens_invalid',
  'code_claim_mean_age_seconds',
  'code_claim_age_distribution',
]
const PUBLISHED = [
  'publish_requests_unknown',
  'publish_requests_android',
  'publish_requests_ios',
  'total_teks_published',
  'requests_with_revisions',
  'requests_missing_onset_date',
  'tek_age_distribution',
  'onset_to_upload_distribution',
]
// Of later date than the others, and therefore behind them: readers may go by position.
const SELF_REPORTS = [
  'user_reports_issued',
  'user_reports_claimed',
  'user_report_tokens_claimed',
  'codes_invalid_unknown_os',
  'codes_invalid_ios',
  'codes_invalid_android',
  'user_reports_invalid_nonce',
  'user_reports_invalid_nonce_unknown_os',
  'user_reports_invalid_nonce_ios',
  'user_reports_invalid_nonce_android',
]

/** The elements of a distribution stand between bars. */
export function realmCsv({ statistics }: RealmReport): string {
  return toCsv(
    ['date', ...CODES, ...TOKENS, ...SELF_REPORTS],
    statistics.map((day) => [dateOf(day), ...codeCells(day.data), ...selfReportCells(day.data)]),
  )
}

/** The same with empty columns for what the key server counts. */
export function compositeCsv({ statistics }: CompositeReport): string {
  return toCsv(
    ['date', ...CODES, ...TOKENS, ...PUBLISHED, ...SELF_REPORTS],
    statistics.map((day) => [
      dateOf(day),
      ...codeCells(day.data),
      ...PUBLISHED.map(() => ''),
      ...selfReportCells(day.data),
    ]),
  )
}

/** One member of staff. */
export function memberCsv(report: MemberReport): string {
  const { realm_id, user_id, user_name, user_email, statistics } = report
  return toCsv(
    ['date', 'realm_id', 'user_id', 'user_name', 'user_email', 'codes_issued'],
    statistics.map((day) => [
      dateOf(day),
      realm_id,
      user_id,
      user_name,
      user_email,
      day.data.codes_issued,
    ]),
  )
}

/** One API key. */
export function keyCsv({ authorized_app_id, authorized_app_name, statistics }: KeyReport): string {
  return toCsv(
    ['date', 'authorized_app_id', 'authorized_app_name', 'codes_issued'],
    statistics.map((day) => [
      dateOf(day),
      authorized_app_id,
      authorized_app_name,
      day.data.codes_issued,
    ]),
  )
}

/** All staff: a line for each day and member; none when nothing is told. */
export function staffCsv({ realm_id, statistics }: StaffReport): string {
  const rows = (statistics ?? []).flatMap((day) =>
    day.issuer_data.map((each) => [
      dateOf(day),
      realm_id,
      each.user_id,
      each.name,
      each.email,
      each.codes_issued,
    ]),
  )
  return toCsv(['date', 'realm_id', 'user_id', 'name', 'email', 'codes_issued'], rows)
}

/** External issuers: a line for each day and issuer; none when nothing is told. */
export function issuerCsv({ realm_id, statistics }: IssuerReport): string {
  const rows = (statistics ?? []).flatMap((day) =>
    day.issuer_data.map((each) => [dateOf(day), realm_id, each.issuer_id, each.codes_issued]),
  )
  return toCsv(['date', 'realm_id', 'issuer_id', 'codes_issued'], rows)
}

/** Errors of the text gateway: a line for each day and code; none when nothing is told. */
export function textErrorCsv({ realm_id, statistics }: TextErrorReport): string {
  const rows = (statistics ?? []).flatMap((day) =>
    day.error_data.map((each) => [dateOf(day), realm_id, each.error_code, each.quantity]),
  )
  return toCsv(['date', 'realm_id', 'error_code', 'quantity'], rows)
}

function dateOf({ date }: { readonly date: string }): string {
  return date.slice(0, 10)
}

function codeCells(data: RealmData): Cell[] {
  return [
    data.codes_issued,
    data.codes_claimed,
    data.codes_invalid,
    data.tokens_claimed,
    data.tokens_invalid,
    data.code_claim_mean_age_seconds,
    data.code_claim_age_distribution.join('|'),
  ]
}

function selfReportCells(data: RealmData): Cell[] {
  const codes = data.codes_invalid_by_os
  const nonces = data.user_reports_invalid_nonce_by_os
  return [
    data.user_reports_issued,
    data.user_reports_claimed,
    data.user_report_tokens_claimed,
    codes.unknown_os,
    codes.ios,
    codes.android,
    data.user_reports_invalid_nonce,
    nonces.unknown_os,
    nonces.ios,
    nonces.android,
  ]
}

/** The header stands there without a line, too: a program that reads an empty file can't tell it from one cut off. */
function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(toCell).join(',')}\r\n`).join('')
}

function toCell(value: Cell): string {
  if (typeof value === 'number') return String(value)
  return csvCell(value)
}
