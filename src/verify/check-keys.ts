// Verify: the rules for the keys of an export; promises to look at every key before the first is handed on, and to hold none.

import { compareBytes } from '../format/bytes.ts'
import { readExport, type ExportEntry, type ExportHeader } from '../format/gaen-export.ts'
import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import { REPORT_TYPE_NAMES } from '../format/report-type.ts'
import { VerificationError, type Finding, type VerificationProblem } from './verification-error.ts'

/** What an export holds, as far as one can say without holding it. */
export interface ExportContents {
  readonly header: ExportHeader
  readonly keys: number
  readonly revisedKeys: number
  readonly findings: readonly Finding[]
}

/** The last interval whose seconds still have 32 bits. */
const LAST_INTERVAL = Math.floor((2 ** 32 - 1) / INTERVAL_SECONDS)
/** Keys of people who fell ill earlier or later are no use to phones. */
const MAX_ONSET_DAYS = 14
const MAX_TRANSMISSION_RISK = 8

/**
 * Reads a whole export.bin.
 *
 * @throws VerificationError of the first key that breaks a rule, `window_invalid`, `batch_inconsistent`
 * @throws FormatError `header_wrong`, `protobuf_malformed`
 */
export function checkContents(exportBin: Uint8Array): ExportContents {
  const lists = { keys: startList(), revisedKeys: startList() }
  let lastEnd = 0
  let farOnset = 0
  const entries = readExport(exportBin)
  let next = entries.next()
  for (; next.done !== true; next = entries.next()) {
    const { list, key } = next.value
    checkKey(next.value, lists[list].count)
    addToList(lists[list], key.keyData)
    lastEnd = Math.max(lastEnd, key.rollingStart + key.rollingPeriod)
    if (Math.abs(key.daysSinceOnset ?? 0) > MAX_ONSET_DAYS) farOnset++
  }
  const header = next.value
  checkHeader(header)
  const findings = [
    ...findOrder(exportBin, 'keys', lists),
    ...findOrder(exportBin, 'revisedKeys', lists),
  ]
  if (lastEnd * INTERVAL_SECONDS > header.endTimestamp)
    findings.push({
      code: 'keys_still_valid',
      sentence: 'A key was still in use when the file was made: its identifiers could be replayed.',
    })
  if (farOnset > 0)
    findings.push({
      code: 'onset_out_of_range',
      sentence: `${farOnset} keys are more than ${MAX_ONSET_DAYS} days away from the onset of symptoms.`,
    })
  if (header.batchSize !== 1)
    findings.push({
      code: 'batch_not_single',
      sentence: `The file is ${header.batchNum} of ${header.batchSize}: phones wait for the others.`,
    })
  return { header, keys: lists.keys.count, revisedKeys: lists.revisedKeys.count, findings }
}

function checkHeader(header: ExportHeader): void {
  if (header.startTimestamp >= header.endTimestamp)
    throw new VerificationError(
      'window_invalid',
      `The file's time span ends (${header.endTimestamp}) before it begins (${header.startTimestamp}).`,
    )
  if (header.batchNum < 1 || header.batchNum > header.batchSize)
    throw new VerificationError(
      'batch_inconsistent',
      `The file says that it is ${header.batchNum} of ${header.batchSize}.`,
    )
}

/** @param index of the key in its list, from 0 */
function checkKey({ list, key }: ExportEntry, index: number): void {
  const refuse = (code: VerificationProblem, what: string) => {
    throw new VerificationError(code, `${list}[${index}] ${what}.`)
  }
  const { keyData, rollingStart, rollingPeriod, transmissionRisk, reportType } = key
  if (keyData.length !== 16) refuse('key_length_wrong', `has ${keyData.length} bytes; a key has 16`)
  if (rollingStart < 1 || rollingStart > LAST_INTERVAL)
    refuse('rolling_start_wrong', `starts at ${rollingStart}, which is no interval`)
  if (rollingPeriod < 1 || rollingPeriod > INTERVALS_PER_DAY)
    refuse(
      'rolling_period_wrong',
      `has a rolling period of ${rollingPeriod}; it must be 1 to ${INTERVALS_PER_DAY}`,
    )
  if (transmissionRisk < 0 || transmissionRisk > MAX_TRANSMISSION_RISK)
    refuse(
      'transmission_risk_wrong',
      `has a transmission risk of ${transmissionRisk}; it must be 0 to ${MAX_TRANSMISSION_RISK}`,
    )
  if (reportType !== undefined && REPORT_TYPE_NAMES[reportType] === undefined)
    refuse('report_type_wrong', `has the unknown report type ${reportType}`)
}

/** How far the order of a list was followed. */
interface ListState {
  count: number
  last: Uint8Array | undefined
  sorted: boolean
  repeated: number
}

function startList(): ListState {
  return { count: 0, last: undefined, sorted: true, repeated: 0 }
}

function addToList(state: ListState, keyData: Uint8Array): void {
  const order = state.last === undefined ? -1 : compareBytes(state.last, keyData)
  if (order > 0) state.sorted = false
  if (order === 0) state.repeated++
  state.last = keyData
  state.count++
}

function findOrder(
  exportBin: Uint8Array,
  list: ExportEntry['list'],
  lists: Readonly<Record<ExportEntry['list'], ListState>>,
): Finding[] {
  const findings: Finding[] = []
  const { sorted, repeated } = lists[list]
  if (!sorted)
    findings.push({
      code: 'keys_unsorted',
      sentence: `${list} are not sorted: their order may show which belong together.`,
    })
  const repeats = sorted ? repeated : countRepeats(exportBin, list)
  if (repeats > 0)
    findings.push({
      code: 'keys_repeated',
      sentence: `${repeats} of ${list} come more than once.`,
    })
  return findings
}

/** Sorts positions rather than keys: a position has 8 bytes. */
function countRepeats(exportBin: Uint8Array, list: ExportEntry['list']): number {
  const positions: number[] = []
  for (const entry of readExport(exportBin))
    if (entry.list === list) positions.push(entry.key.keyData.byteOffset - exportBin.byteOffset)
  const keyAt = (position: number) => exportBin.subarray(position, position + 16)
  const sorted = Float64Array.from(positions).sort((a, b) => compareBytes(keyAt(a), keyAt(b)))
  let repeats = 0
  for (let index = 1; index < sorted.length; index++)
    if (compareBytes(keyAt(sorted[index - 1] as number), keyAt(sorted[index] as number)) === 0)
      repeats++
  return repeats
}
