// Verify: what the keys of an export have in common, and what a curious outsider could conclude; promises counts only, never a key, and a bound to what it holds.

import { equalBytes } from '../format/bytes.ts'
import {
  EXPORT_MAGIC,
  readExport,
  type ExportEntry,
  type ExportHeader,
  type ExportKey,
} from '../format/gaen-export.ts'
import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import { checkContents } from './check-keys.ts'
import { drawConclusions, type Conclusion, type MetadataCounts } from './draw-conclusions.ts'
import type { Limits } from './limits.ts'
import type { Finding } from './verification-error.ts'
import { asVerification, unpack } from './verify-export.ts'

/** How often each value comes. */
export interface Distribution {
  /** By value; null stands for none. */
  readonly values: readonly { readonly value: number | null; readonly count: number }[]
  /** Keys with other values, when there are too many different ones. */
  readonly others: number
}

/** What is counted of a list of keys. */
export interface KeyStatistics {
  readonly reportType: Distribution
  /** Whole days from a key's begin to the end of the file's time span. */
  readonly ageDays: Distribution
  readonly daysSinceOnset: Distribution
  readonly transmissionRisk: Distribution
  readonly rollingPeriod: Distribution
}

/** What an export gives away. */
export interface Analysis {
  readonly header: ExportHeader
  readonly keys: number
  readonly revisedKeys: number
  readonly statistics: Readonly<Record<ExportEntry['list'], KeyStatistics>>
  readonly conclusions: readonly Conclusion[]
  readonly findings: readonly Finding[]
}

/**
 * Analyzes an export, whoever signed it.
 *
 * @param bytes a zip, or export.bin alone
 * @param crowd how many keys must share their metadata, so that none stands out
 * @throws VerificationError of a file that is broken, or whose keys break a rule
 */
export function analyzeExport(bytes: Uint8Array, limits: Limits, crowd: number): Analysis {
  return asVerification(() => {
    const isBare = equalBytes(bytes.subarray(0, EXPORT_MAGIC.length), EXPORT_MAGIC)
    const { open, findings } = isBare ? { open: () => bytes, findings: [] } : unpack(bytes, limits)
    const contents = checkContents(open, limits.maxKeys)
    const { header, keys, revisedKeys } = contents
    const counters = { keys: startCounters(header), revisedKeys: startCounters(header) }
    const metadata: MetadataCounts = { counts: new Map(), others: 0 }
    for (const { list, key } of readExport(open())) {
      counters[list].add(key)
      if (list === 'keys') addMetadata(metadata, key)
    }
    const all = [...findings, ...contents.findings]
    return {
      header,
      keys,
      revisedKeys,
      statistics: { keys: counters.keys.read(), revisedKeys: counters.revisedKeys.read() },
      conclusions: drawConclusions(metadata, all, keys, crowd),
      findings: all,
    }
  })
}

/** Real files have some hundred; a hostile one could have as many as keys. */
const MAX_COMBINATIONS = 50_000

function addMetadata(metadata: MetadataCounts, key: ExportKey): void {
  const { rollingStart, rollingPeriod, transmissionRisk, reportType, daysSinceOnset } = key
  const name = [
    rollingStart,
    rollingPeriod,
    transmissionRisk,
    reportType ?? '',
    daysSinceOnset ?? '',
  ].join()
  const before = metadata.counts.get(name)
  if (before !== undefined) before.count++
  else if (metadata.counts.size >= MAX_COMBINATIONS) metadata.others++
  else
    metadata.counts.set(name, { rollingStart, rollingPeriod, reportType, daysSinceOnset, count: 1 })
}

function startCounters({ endTimestamp }: ExportHeader) {
  const counters = {
    reportType: startCounter(),
    ageDays: startCounter(),
    daysSinceOnset: startCounter(),
    transmissionRisk: startCounter(),
    rollingPeriod: startCounter(),
  }
  return {
    add(key: ExportKey) {
      const age = endTimestamp - key.rollingStart * INTERVAL_SECONDS
      counters.reportType.add(key.reportType ?? null)
      counters.ageDays.add(Math.floor(age / (INTERVALS_PER_DAY * INTERVAL_SECONDS)))
      counters.daysSinceOnset.add(key.daysSinceOnset ?? null)
      counters.transmissionRisk.add(key.transmissionRisk)
      counters.rollingPeriod.add(key.rollingPeriod)
    },
    read: (): KeyStatistics => ({
      reportType: counters.reportType.read(),
      ageDays: counters.ageDays.read(),
      daysSinceOnset: counters.daysSinceOnset.read(),
      transmissionRisk: counters.transmissionRisk.read(),
      rollingPeriod: counters.rollingPeriod.read(),
    }),
  }
}

// Days of half a year, and every rolling period.
const MAX_VALUES = 200

function startCounter() {
  const counts = new Map<number | null, number>()
  let others = 0
  return {
    add(value: number | null) {
      const before = counts.get(value)
      if (before === undefined && counts.size >= MAX_VALUES) others++
      else counts.set(value, (before ?? 0) + 1)
    },
    read(): Distribution {
      const values = Array.from(counts, ([value, count]) => ({ value, count }))
      values.sort((a, b) => (a.value ?? -Infinity) - (b.value ?? -Infinity))
      return { values, others }
    },
  }
}
