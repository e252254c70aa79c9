// Publish: the rows of the table of streams, as the database gives them; promises every column.

import type { ConfiguredStream, Stream, StreamKey } from './streams.ts'

/** A row of the table, with its signing keys. */
export interface StreamRow {
  name: string
  kind: string
  configuration_seq: number
  region: string
  input_regions: string[]
  excluded_regions: string[]
  travelers: Stream['travelers']
  report_types: number[]
  period: number
  window_age: number
  hold: number
  minimum: number
  maximum: number
  retention: number
  start: number
  through: number | null
  settings: Record<string, unknown>
  diagnosis_keys: boolean
  keys: StreamKey[] | null
}

/** The stream of a row. */
export function streamOfRow(row: StreamRow): ConfiguredStream {
  return {
    name: row.name,
    kind: row.kind,
    configurationSeq: row.configuration_seq,
    region: row.region,
    inputRegions: row.input_regions,
    excludedRegions: row.excluded_regions,
    travelers: row.travelers,
    reportTypes: row.report_types,
    period: row.period,
    windowAge: row.window_age,
    hold: row.hold,
    minimum: row.minimum,
    maximum: row.maximum,
    retention: row.retention,
    start: row.start,
    through: row.through,
    keys: row.keys ?? [],
    settings: row.settings,
    diagnosisKeys: row.diagnosis_keys,
  }
}
