// Format: what a key's owner was told, by certificate and by export file; promises one table for both.

/** Report types as certificates name them. */
export type ReportType = 'confirmed' | 'likely' | 'user-report' | 'negative'

/** Report types as export files number them (export.proto, ReportType): `negative` reaches phones as REVOKED. */
export const EXPORT_REPORT_TYPES: Readonly<Record<ReportType, number>> = {
  confirmed: 1,
  likely: 2,
  'user-report': 3,
  negative: 5,
}

/** What phones are told to forget. */
export const REVOKED = EXPORT_REPORT_TYPES.negative

/** Names of all numbers that an export file may hold. */
export const REPORT_TYPE_NAMES: readonly string[] = [
  'UNKNOWN',
  'CONFIRMED_TEST',
  'CONFIRMED_CLINICAL_DIAGNOSIS',
  'SELF_REPORT',
  'RECURSIVE',
  'REVOKED',
]

/** Whether a value is a report type that a certificate may name. */
export function isReportType(value: unknown): value is ReportType {
  return typeof value === 'string' && Object.hasOwn(EXPORT_REPORT_TYPES, value)
}
