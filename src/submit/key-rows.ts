// Submit: the rows of keys that follow from reports; promises one rule for when a key can be published.

import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import type { StoredEvent } from '../log/record.ts'
import { FLAG_EMBARGOED, startsOf } from './key-columns.ts'
import { PADDING, type PaddingContent } from './padding-report.ts'
import type { ReportContent } from './report.ts'
import { isOtherReport, type OtherReportContent } from './report-types.ts'

/** A report as its rows need it: a real one, or what padding pretends. */
export interface BroughtReport {
  readonly seq: number
  readonly isPadding: boolean
  /** How many identifiers one of another kind brought; null for one of keys. */
  readonly identifiers: number | null
  readonly content: Omit<PaddingContent, 'accepted'> &
    Partial<Pick<ReportContent, 'issuerHandle' | 'source'>>
  /** Unix seconds at a time grain. */
  readonly acceptance: number
}

/** What an event of a report, or of padding, brings. */
export function broughtReport({ seq, type, grain, parts }: StoredEvent): BroughtReport {
  const isPadding = type === PADDING
  if (isOtherReport(type)) {
    const content = parts[0]?.content as OtherReportContent
    const identifiers = content.count
    return {
      seq,
      isPadding,
      identifiers,
      content: { ...NO_KEYS, ...content },
      acceptance: grain,
    }
  }
  const content = parts[0]?.content as ReportContent & PaddingContent
  const acceptance = isPadding ? content.accepted : grain
  return { seq, isPadding, identifiers: null, content, acceptance }
}

const EMPTY = new Uint8Array()

/** What reports of keys have and others do not. */
const NO_KEYS = {
  traveler: false,
  reportType: 'user-report',
  keys: {
    keyData: EMPTY,
    rollingStart: EMPTY,
    rollingPeriod: EMPTY,
    transmissionRisk: EMPTY,
    daysSinceOnset: EMPTY,
    flags: EMPTY,
  },
} as const satisfies Partial<ReportContent>

/** What follows from one key of a report. */
export interface KeyRow {
  /** Which of the report's keys it is: its 16 bytes begin at 16 times that. */
  readonly index: number
  readonly available: number
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly transmissionRisk: number
  readonly reportType: number
  readonly daysSinceOnset: number
}

/**
 * Gives the rows of a report's keys, in their order.
 *
 * @param isWanted tells by its flags whether a key has a row
 */
export function eachKeyRow(
  { content, acceptance }: BroughtReport,
  isWanted: (flags: number) => boolean,
  take: (row: KeyRow) => void,
): void {
  const { flags, rollingPeriod, transmissionRisk, daysSinceOnset } = content.keys
  const reportType = EXPORT_REPORT_TYPES[content.reportType]
  const starts = startsOf(content.keys)
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index] ?? 0
    if (!isWanted(flag)) continue
    const start = starts.getUint32(index * 4)
    const period = rollingPeriod[index] ?? 0
    take({
      index,
      available:
        (flag & FLAG_EMBARGOED) !== 0
          ? availableAfter(start + period, content.timeGrain, acceptance)
          : acceptance,
      rollingStart: start,
      rollingPeriod: period,
      transmissionRisk: transmissionRisk[index] ?? 0,
      reportType,
      daysSinceOnset: ((daysSinceOnset[index] ?? 0) << 24) >> 24,
    })
  }
}

/** Rows that follow from some keys of reports, column by column, as the statements take them. */
export class KeyRows {
  readonly count: number
  /** 16 bytes each. */
  readonly keyData: Uint8Array
  readonly seq: Float64Array
  readonly available: Float64Array
  readonly rollingStart: Int32Array
  readonly rollingPeriod: Int16Array
  readonly transmissionRisk: Int16Array
  readonly reportType: Int16Array
  readonly daysSinceOnset: Int16Array

  /** @param isWanted tells by its flags whether a key has a row */
  constructor(reports: readonly BroughtReport[], isWanted: (flags: number) => boolean) {
    let count = 0
    for (const { content } of reports)
      for (const flags of content.keys.flags) if (isWanted(flags)) count++
    this.count = count
    this.keyData = new Uint8Array(count * 16)
    this.seq = new Float64Array(count)
    this.available = new Float64Array(count)
    this.rollingStart = new Int32Array(count)
    this.rollingPeriod = new Int16Array(count)
    this.transmissionRisk = new Int16Array(count)
    this.reportType = new Int16Array(count)
    this.daysSinceOnset = new Int16Array(count)
    let at = 0
    for (const report of reports) {
      const { keyData } = report.content.keys
      eachKeyRow(report, isWanted, (row) => {
        for (let byte = 0; byte < 16; byte++)
          this.keyData[at * 16 + byte] = keyData[row.index * 16 + byte] as number
        this.seq[at] = report.seq
        this.available[at] = row.available
        this.rollingStart[at] = row.rollingStart
        this.rollingPeriod[at] = row.rollingPeriod
        this.transmissionRisk[at] = row.transmissionRisk
        this.reportType[at] = row.reportType
        this.daysSinceOnset[at] = row.daysSinceOnset
        at++
      })
    }
  }
}

/** From when on an embargoed key may be published, in unix seconds: the first time grain strictly after its end, never before its acceptance. */
export function availableAfter(endInterval: number, timeGrain: number, acceptance: number): number {
  const end = endInterval * INTERVAL_SECONDS
  return Math.max(Math.floor(end / timeGrain) * timeGrain + timeGrain, acceptance)
}
