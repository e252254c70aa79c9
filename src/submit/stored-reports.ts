// Submit: looks up what is stored of reports and their keys; promises to change nothing.

import { byteaArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { decodeEvent, type StoredEvent } from '../log/record.ts'
import type { AcceptedReport, Candidate } from './accept-reports.ts'
import { reportContent } from './report.ts'
import type { KnownKey } from './settle-keys.ts'
import { nameOfBytes } from './validate-keys.ts'

/** Those reports of a group that are stored already, by their fingerprints' names. */
export async function findRepeated(
  tx: Queryable,
  group: readonly Candidate[],
): Promise<Map<string, AcceptedReport>> {
  const { rows } = await tx.query<{ record: Uint8Array }>({
    name: 'find-repeated',
    text: `select record from report join event using (seq) where fingerprint = any($1::bytea[])`,
    values: [byteaArray(group.map((candidate) => candidate.fingerprint))],
  })
  const reports = new Map<string, AcceptedReport>()
  for (const row of rows) addReport(reports, decodeEvent(row.record))
  return reports
}

/** Those of some keys that are stored, by their names. */
export async function findKnownKeys(
  tx: Queryable,
  keys: readonly Uint8Array[],
): Promise<Map<string, KnownKey>> {
  if (keys.length === 0) return new Map()
  const { rows } = await tx.query<{
    key_data: Uint8Array
    rolling_start: number
    rolling_period: number
    report_type: number
    revised_type: number | null
  }>({
    name: 'find-known-keys',
    text: `select k.key_data, k.rolling_start, k.rolling_period, k.report_type, r.report_type as revised_type
           from diagnosis_key k left join key_revision r using (key_data) where k.key_data = any($1::bytea[])`,
    values: [byteaArray(keys)],
  })
  return new Map(
    rows.map((row) => [
      nameOfBytes(row.key_data),
      {
        rollingStart: row.rolling_start,
        rollingPeriod: row.rolling_period,
        reportType: row.report_type,
        ...(row.revised_type === null ? {} : { revisedType: row.revised_type }),
      },
    ]),
  )
}

/** Takes note of a report by its fingerprint's name. */
export function addReport(reports: Map<string, AcceptedReport>, event: StoredEvent): void {
  const content = reportContent(event)
  reports.set(nameOfBytes(content.fingerprint), { content, grain: event.grain })
}
