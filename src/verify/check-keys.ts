// Verify: the rules for the keys of an export; promises to look at every key before the first is handed on, and to hold none.

import { compareBytes } from '../format/bytes.ts'
import { readExport, type ExportEntry, type ExportHeader } from '../format/gaen-export.ts'
import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES, REPORT_TYPE_NAMES } from '../format/report-type.ts'
import { countRepeats } from './key-set.ts'
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
/** A key is uploaded until 15 days after its day; a revision follows until the report is erased, 18 days after that. */
const MAX_AGE_DAYS = { keys: 16, revisedKeys: 34 }

/**
 * Reads a whole export.bin.
 *
 * @param open gives it from its beginning, in one piece or several
 * @param maxKeys in both lists together
 * @throws VerificationError of the first key that breaks a rule, `too_many_keys`, `window_invalid`, `batch_inconsistent`
 * @throws FormatError `header_wrong`, `protobuf_malformed`
 */
export function checkContents(
  open: () => Uint8Array | Iterable<Uint8Array>,
  maxKeys: number,
): ExportContents {
  const lists = { keys: startList(), revisedKeys: startList() }
  const spans = { keys: startSpan(), revisedKeys: startSpan() }
  let farOnset = 0
  let revoked = 0
  const entries = readExport(open())
  let next = entries.next()
  for (; next.done !== true; next = entries.next()) {
    const { list, key } = next.value
    checkKey(next.value, lists[list].count)
    addToList(lists[list], key.keyData)
    if (lists.keys.count + lists.revisedKeys.count > maxKeys)
      throw new VerificationError('too_many_keys', `The file has more than ${maxKeys} keys.`)
    addToSpan(spans[list], key.rollingStart, key.rollingPeriod)
    if (Math.abs(key.daysSinceOnset ?? 0) > MAX_ONSET_DAYS) farOnset++
    if (list === 'keys' && key.reportType === EXPORT_REPORT_TYPES.negative) revoked++
  }
  const header = next.value
  checkHeader(header)
  const findings = [
    ...findOrder(open, 'keys', lists),
    ...findOrder(open, 'revisedKeys', lists),
    ...findImplausible(spans, header),
  ]
  if (revoked > 0)
    findings.push({
      code: 'keys_revoked',
      sentence: `${revoked} keys are published for the first time and revoked at once: phones never needed them.`,
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

/** From when to when the keys of a list were in use, in intervals. */
interface Span {
  firstStart: number
  lastStart: number
  lastEnd: number
}

function startSpan(): Span {
  return { firstStart: Infinity, lastStart: 0, lastEnd: 0 }
}

function addToSpan(span: Span, start: number, period: number): void {
  span.firstStart = Math.min(span.firstStart, start)
  span.lastStart = Math.max(span.lastStart, start)
  span.lastEnd = Math.max(span.lastEnd, start + period)
}

function findImplausible(
  spans: Readonly<Record<ExportEntry['list'], Span>>,
  { startTimestamp, endTimestamp }: ExportHeader,
): Finding[] {
  const findings: Finding[] = []
  const { keys, revisedKeys } = spans
  if (Math.max(keys.lastEnd, revisedKeys.lastEnd) * INTERVAL_SECONDS > endTimestamp)
    findings.push({
      code: 'keys_still_valid',
      sentence: 'A key was still in use when the file was made: its identifiers could be replayed.',
    })
  if (Math.max(keys.lastStart, revisedKeys.lastStart) * INTERVAL_SECONDS >= endTimestamp)
    findings.push({
      code: 'keys_in_future',
      sentence: "A key begins only after the file's time span: nobody can have used it yet.",
    })
  for (const list of ['keys', 'revisedKeys'] as const)
    if (spans[list].firstStart * INTERVAL_SECONDS < startTimestamp - MAX_AGE_DAYS[list] * 86_400)
      findings.push({
        code: 'keys_too_old',
        sentence: `One of ${list} began more than ${MAX_AGE_DAYS[list]} days before the file's time span: no phone remembers whom it met then.`,
      })
  return findings
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
  open: () => Uint8Array | Iterable<Uint8Array>,
  list: ExportEntry['list'],
  lists: Readonly<Record<ExportEntry['list'], ListState>>,
): Finding[] {
  const findings: Finding[] = []
  const { sorted, repeated, count } = lists[list]
  if (!sorted)
    findings.push({
      code: 'keys_unsorted',
      sentence: `${list} are not sorted: their order may show which belong together.`,
    })
  const repeats = sorted ? repeated : countRepeats(keysOf(open, list), count)
  if (repeats > 0)
    findings.push({
      code: 'keys_repeated',
      sentence: `${repeats} of ${list} come more than once.`,
    })
  return findings
}

function* keysOf(
  open: () => Uint8Array | Iterable<Uint8Array>,
  list: ExportEntry['list'],
): Generator<Uint8Array, void> {
  for (const { list: found, key } of readExport(open())) if (found === list) yield key.keyData
}
