// Submit: the body of an upload in ct-diag-server's two forms as keys; promises to refuse, with a sentence, whatever isn't whole records.

import { TocsinError } from '../errors.ts'
import { encodeBase64 } from '../format/bytes.ts'
import { DAY_RECORD_LENGTH, KEY_LENGTH, readRecord, RECORD_LENGTH } from '../format/ctdiag.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { SubmittedKey } from './parse-publish.ts'
import { refuseOverlaps } from './refuse-overlaps.ts'
import { chooseOnset, judgeKeys, problemOf } from './validate-keys.ts'

/** One of the two forms. */
export interface CtdiagForm {
  /** Of one record, in bytes; it begins with the key's 16. */
  readonly recordLength: number
  /** What the record at `offset` says beside its key. */
  readRest(
    bytes: Uint8Array,
    offset: number,
  ): Pick<SubmittedKey, 'rollingStart' | 'transmissionRisk'>
}

/** Records of 21 bytes. */
export const RECORDS: CtdiagForm = {
  recordLength: RECORD_LENGTH,
  readRest(bytes, offset) {
    const { rollingStart, transmissionRisk } = readRecord(bytes, offset)
    return { rollingStart, transmissionRisk }
  },
}

/** Records of 18 bytes, which have a day, and no risk. */
export const DAY_RECORDS: CtdiagForm = {
  recordLength: DAY_RECORD_LENGTH,
  readRest(bytes, offset) {
    const day = ((bytes[offset + 16] as number) << 8) | (bytes[offset + 17] as number)
    return { rollingStart: day * INTERVALS_PER_DAY, transmissionRisk: 0 }
  },
}

/** A key, and which record of the body it was: from 1. */
export interface RecordedKey extends SubmittedKey {
  readonly record: number
}

/** The forms have no room for a period: a key is valid for a day. */
const ROLLING_PERIOD = INTERVALS_PER_DAY

/**
 * A body must be whole records, at least one and not too many.
 *
 * @param maxKeys records at the most
 * @throws TocsinError `bad_request`
 */
export function refuseLength(
  body: Uint8Array,
  { recordLength }: CtdiagForm,
  maxKeys: number,
): void {
  const refuse = (sentence: string) => new TocsinError('bad_request', sentence)
  if (body.length === 0) throw refuse(`The body is empty: send records of ${recordLength} bytes.`)
  if (body.length % recordLength !== 0)
    throw refuse(`The body must be a whole number of records of ${recordLength} bytes.`)
  if (body.length / recordLength > maxKeys) throw refuse(tooManyRecords(maxKeys))
}

/** What is said of a body with more records than that. */
export function tooManyRecords(maxKeys: number): string {
  return `There may be at most ${maxKeys} records.`
}

/**
 * The keys of a body, each once: of records of one key the first counts.
 *
 * @param maxKeys records at the most
 * @throws TocsinError `bad_request` as {@link refuseLength} does
 */
export function parseRecords(body: Uint8Array, form: CtdiagForm, maxKeys: number): RecordedKey[] {
  refuseLength(body, form, maxKeys)
  const { recordLength, readRest } = form
  const count = body.length / recordLength
  const keys = new Map<string, RecordedKey>()
  for (let index = 0; index < count; index++) {
    const at = index * recordLength
    const key = encodeBase64(body.subarray(at, at + KEY_LENGTH))
    if (keys.has(key)) continue
    keys.set(key, { key, rollingPeriod: ROLLING_PERIOD, record: index + 1, ...readRest(body, at) })
  }
  return [...keys.values()]
}

/** No random key is this one; and an app that goes on behind it, as the last of its list, gets everything each time. */
const ZEROS = encodeBase64(new Uint8Array(KEY_LENGTH))

/** Whether one of the keys is nothing but zeros: the rules of all keys take it. */
export function hasZeros(keys: readonly RecordedKey[]): boolean {
  return keys.some(({ key }) => key === ZEROS)
}

/**
 * Refuses a body with a key that can't be taken: an app of these APIs is told of a whole upload or of none.
 *
 * @throws TocsinError `bad_request` when a key is too old, starts in the future, has a risk beyond 8 or nothing but zeros, or when
 * keys overlap
 */
export function refuseUntakeable(keys: readonly RecordedKey[], now: Date): void {
  // None of these rules asks for the onset.
  const { sorted, outcomes, passed } = judgeKeys(keys, chooseOnset(0, 0, now), now)
  const recorded = sorted as readonly RecordedKey[]
  const problems = recorded
    .flatMap(({ key, record }, index) => {
      const problem =
        key === ZEROS
          ? 'it is all zeros, which no random key is: make a new one'
          : problemOf(outcomes[index] ?? NaN)
      return problem === undefined ? [] : [{ record, problem }]
    })
    .sort((a, b) => a.record - b.record)
  const told = problems.map(({ record, problem }) => `record ${record}: ${problem}`).join('; ')
  if (problems.length > 0)
    throw new TocsinError(
      'bad_request',
      `Nothing was stored, as not every key can be taken: ${told}.`,
    )
  refuseOverlaps(passed, [], (keys) => {
    const records = keys
      .flatMap(({ position }) => recorded[position]?.record ?? [])
      .sort((a, b) => a - b)
    return `records ${records.slice(0, -1).join(', ')} and ${records.at(-1)}`
  })
}
