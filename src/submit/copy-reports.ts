// Submit: the rows of reports by the thousand, as COPY takes them; promises the very rows that the projection's own statements write.

import { CopyRows } from '../db/copy-rows.ts'
import type { BulkRows } from '../log/projection.ts'
import { FLAG_NOT_NEW, FLAG_REVISED } from './key-columns.ts'
import { eachKeyRow, type BroughtReport } from './key-rows.ts'

// What a row of a key takes: thirteen fields' lengths and the values.
const KEY_ROW = 90
const REPORT_ROW = 160
/** As most reports have; more only make the buffer grow. */
const KEYS_A_REPORT = 15

/** The rows of reports, their keys and their revisions. */
export function rowsOfReports(reports: readonly BroughtReport[]): BulkRows[] {
  const keyRows = new CopyRows(reports.length * KEYS_A_REPORT * KEY_ROW)
  const revisions = new CopyRows()
  for (const report of reports) {
    addKeys(keyRows, report)
    if (!report.isPadding) addRevisions(revisions, report)
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
        'seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source, identifiers',
      rows: reportRows(reports),
    },
  ]
}

function addKeys(rows: CopyRows, report: BroughtReport): void {
  const { seq, isPadding, content } = report
  const { keyData } = content.keys
  const isWanted = (flags: number) => isPadding || (flags & FLAG_NOT_NEW) === 0
  eachKeyRow(report, isWanted, (row) => {
    rows.start(9).bytea(keyData, row.index * 16, row.index * 16 + 16)
    rows.bigint(seq).bigint(row.available).integer(row.rollingStart)
    rows.smallint(row.rollingPeriod).smallint(row.transmissionRisk)
    rows.smallint(row.reportType).smallint(row.daysSinceOnset).boolean(isPadding)
  })
}

function addRevisions(rows: CopyRows, report: BroughtReport): void {
  const { keyData } = report.content.keys
  const isWanted = (flags: number) => (flags & FLAG_REVISED) !== 0
  eachKeyRow(report, isWanted, (row) => {
    rows.start(6).bytea(keyData, row.index * 16, row.index * 16 + 16)
    rows.bigint(report.seq).bigint(row.available).smallint(row.transmissionRisk)
    rows.smallint(row.reportType).smallint(row.daysSinceOnset)
  })
}

function reportRows(reports: readonly BroughtReport[]): CopyRows {
  const rows = new CopyRows(reports.length * REPORT_ROW)
  for (const { seq, content, acceptance, identifiers } of reports) {
    rows.start(10).bigint(seq).bytea(content.trackingId).bytea(content.fingerprint)
    rows.text(content.app).texts(content.regions).boolean(content.traveler)
    rows
      .bytea(content.issuerHandle ?? null)
      .bigint(acceptance)
      .text(content.source ?? null)
    if (identifiers === null) rows.null()
    else rows.integer(identifiers)
  }
  return rows
}
