// Submit: the rows of reports by the thousand, as COPY takes them; promises the very rows that the projection's own statements write.

import { CopyRows } from '../db/copy-rows.ts'
import type { BulkRows } from '../log/projection.ts'
import { FLAG_NOT_NEW, FLAG_REVISED } from './key-columns.ts'
import { KeyRows, type BroughtReport } from './key-rows.ts'

// What a row of a key takes: thirteen fields' lengths and the values.
const KEY_ROW = 90
const REPORT_ROW = 160
/** As most reports have; more only make the buffer grow. */
const KEYS_A_REPORT = 15

/** The rows of reports, their keys and their revisions. */
export function rowsOfReports(reports: readonly BroughtReport[]): BulkRows[] {
  const keyRows = new CopyRows(reports.length * KEYS_A_REPORT * KEY_ROW)
  const revisions = new CopyRows()
  // Report by report: what is made on the way is soon gone again.
  for (const report of reports) {
    const keys = new KeyRows((flags) => report.isPadding || (flags & FLAG_NOT_NEW) === 0)
    keys.add(report)
    addKeys(keyRows, keys, report.isPadding)
    if (
      !report.isPadding &&
      report.content.keys.flags.some((flags) => (flags & FLAG_REVISED) !== 0)
    )
      addRevisions(revisions, report)
  }
  return [
    {
      table: 'diagnosis_key',
      columns:
        'key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset, padding',
      rows: keyRows,
      ahead: true,
    },
    {
      table: 'key_revision',
      columns: 'key_data, seq, available, transmission_risk, report_type, days_since_onset',
      rows: revisions,
    },
    {
      table: 'report',
      columns:
        'seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source',
      rows: reportRows(reports),
    },
  ]
}

function addKeys(rows: CopyRows, keys: KeyRows, padding: boolean): void {
  keys.keyData.forEach((keyData, index) => {
    rows.start(9).bytea(keyData)
    rows.bigint(keys.seq[index] as number).bigint(keys.available[index] as number)
    rows.integer(keys.rollingStart[index] as number)
    rows.smallint(keys.rollingPeriod[index] as number)
    rows.smallint(keys.transmissionRisk[index] as number)
    rows.smallint(keys.reportType[index] as number)
    rows.smallint(keys.daysSinceOnset[index] as number).boolean(padding)
  })
}

function addRevisions(rows: CopyRows, report: BroughtReport): void {
  const keys = new KeyRows((flags) => (flags & FLAG_REVISED) !== 0)
  keys.add(report)
  keys.keyData.forEach((keyData, index) => {
    rows.start(6).bytea(keyData)
    rows.bigint(keys.seq[index] as number).bigint(keys.available[index] as number)
    rows.smallint(keys.transmissionRisk[index] as number)
    rows.smallint(keys.reportType[index] as number)
    rows.smallint(keys.daysSinceOnset[index] as number)
  })
}

function reportRows(reports: readonly BroughtReport[]): CopyRows {
  const rows = new CopyRows(reports.length * REPORT_ROW)
  for (const { seq, content, acceptance } of reports) {
    rows.start(9).bigint(seq).bytea(content.trackingId).bytea(content.fingerprint)
    rows.text(content.app).texts(content.regions).boolean(content.traveler)
    rows
      .bytea(content.issuerHandle ?? null)
      .bigint(acceptance)
      .text(content.source ?? null)
  }
  return rows
}
