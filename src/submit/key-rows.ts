// Submit: the rows of keys that follow from reports; promises one rule for when a key can be published.

import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import type { StoredEvent } from '../log/record.ts'
import { FLAG_EMBARGOED, unpackColumns } from './key-columns.ts'
import { PADDING, type PaddingContent } from './padding-report.ts'
import type { ReportContent } from './report.ts'

/** A report as its rows need it: a real one, or what padding pretends. */
export interface BroughtReport {
  readonly seq: number
  readonly isPadding: boolean
  readonly content: Omit<PaddingContent, 'accepted'> &
    Partial<Pick<ReportContent, 'issuerHandle' | 'source'>>
  /** Unix seconds at a time grain. */
  readonly acceptance: number
}

/** What an event of a report, or of padding, brings. */
export function broughtReport({ seq, type, grain, parts }: StoredEvent): BroughtReport {
  const isPadding = type === PADDING
  const content = parts[0]?.content as ReportContent & PaddingContent
  return { seq, isPadding, content, acceptance: isPadding ? content.accepted : grain }
}

/** Rows that follow from some keys of reports, column by column, as the statements take them. */
export class KeyRows {
  readonly keyData: Uint8Array[] = []
  readonly seq: number[] = []
  readonly available: number[] = []
  readonly rollingStart: number[] = []
  readonly rollingPeriod: number[] = []
  readonly transmissionRisk: number[] = []
  readonly reportType: number[] = []
  readonly daysSinceOnset: number[] = []
  readonly #isWanted: (flags: number) => boolean

  /** @param isWanted tells by its flags whether a key has a row */
  constructor(isWanted: (flags: number) => boolean) {
    this.#isWanted = isWanted
  }

  add({ seq, content, acceptance }: BroughtReport): void {
    const reportType = EXPORT_REPORT_TYPES[content.reportType]
    for (const key of unpackColumns(content.keys)) {
      if (!this.#isWanted(key.flags)) continue
      const end = key.rollingStart + key.rollingPeriod
      const embargoed = (key.flags & FLAG_EMBARGOED) !== 0
      this.keyData.push(key.keyData)
      this.seq.push(seq)
      this.available.push(
        embargoed ? availableAfter(end, content.timeGrain, acceptance) : acceptance,
      )
      this.rollingStart.push(key.rollingStart)
      this.rollingPeriod.push(key.rollingPeriod)
      this.transmissionRisk.push(key.transmissionRisk)
      this.reportType.push(reportType)
      this.daysSinceOnset.push(key.daysSinceOnset)
    }
  }
}

/** From when on an embargoed key may be published, in unix seconds: the first time grain strictly after its end, never before its acceptance. */
export function availableAfter(endInterval: number, timeGrain: number, acceptance: number): number {
  const end = endInterval * INTERVAL_SECONDS
  return Math.max(Math.floor(end / timeGrain) * timeGrain + timeGrain, acceptance)
}
