// Correct: what all corrections have in common; promises one transaction that waits for other corrections and not for submissions, and that the same id does the same thing once.

import { hash, randomBytes } from 'node:crypto'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import { lockHead, writeEvents, type LockedHead } from '../log/append-event.ts'
import { readHead } from '../log/read-events.ts'
import type { NewEvent } from '../log/record.ts'
import { packSeqs } from '../submit/corrections.ts'
import {
  findCorrection,
  requireCorrection,
  type CorrectionKind,
  type CorrectionResult,
} from './corrections-list.ts'
import { bytesOf } from './selection.ts'
import type { KeyZone } from './zone.ts'

/** Who corrects, and why. */
export interface CorrectionRequest {
  /** 1 to 500 characters, nothing about a person. */
  readonly reason: string
  /** `command`, an operator's name, or `order of` an issuer. */
  readonly by: string
  /** The preview that was looked at: nothing is done when another one would be shown by now. */
  readonly previewId?: string
  /** 32 hex digits: sent again, it gets the first answer. */
  readonly id?: string
}

/** What a correction would do, found without a lock. */
export interface Plan {
  readonly previewId: string
  /** Whether its event changes what becomes of later reports. */
  readonly configures: boolean
  /** Makes the event, with the head locked: everybody waits meanwhile. */
  event(tx: Transaction, id: Uint8Array, head: LockedHead): Promise<NewEvent> | NewEvent
}

/** One correction at a time, so that none counts on what another one changes. No other lock of the database has this name. */
const CORRECTION_LOCK = '4860352273127485139'

const MAX_REASON = 500

/**
 * Carries out a correction: finds what it concerns, then locks the head, and appends one event.
 *
 * @param plan finds it, among the events below a number
 * @throws TocsinError `correction_invalid`, `correction_id_taken`, `preview_outdated`; whatever `plan` throws
 */
export async function carryOut(
  { db, writer }: KeyZone,
  kind: CorrectionKind,
  { reason, by, previewId, id }: CorrectionRequest,
  now: Date,
  plan: (tx: Transaction, until: number) => Promise<Plan>,
): Promise<CorrectionResult> {
  const length = Array.from(reason.trim()).length
  if (length === 0 || length > MAX_REASON)
    throw invalid(`the reason must have 1 to ${MAX_REASON} characters`)
  if (id !== undefined && !/^[0-9a-f]{32}$/i.test(id)) throw invalid('id must be 32 hex digits')
  const name = id === undefined ? randomBytes(ID_BYTES) : bytesOf(id)
  return db.transaction(async (tx) => {
    await tx.query(sql`select pg_advisory_xact_lock(${CORRECTION_LOCK}::bigint)`)
    const earlier = await findCorrection(tx, encodeHex(name))
    if (earlier !== undefined) {
      // Whoever asks for something else must not take the answer for a success.
      if (earlier.kind !== kind || earlier.by !== by || earlier.reason !== reason.trim())
        throw new TocsinError('correction_id_taken')
      return earlier
    }
    const { nextSeq } = await readHead(tx)
    const planned = await plan(tx, nextSeq)
    if (previewId !== undefined) refuseOutdated(previewId, planned.previewId)
    const head = await lockHead(tx, writer, 1, now, planned.configures ? 0 : -1)
    const event = await planned.event(tx, name, head)
    await writeEvents(tx, writer, head, [event]).written
    return requireCorrection(tx, encodeHex(name))
  })
}

const ID_BYTES = 16

/**
 * The name of what a preview shows: how much, and a digest of which.
 *
 * @param asked what was asked for, beside what it concerns
 * @param reports numbers of events, ascending
 * @param keys 16 bytes each, sorted
 */
export function previewIdOf(
  asked: unknown,
  { reports, keys }: { readonly reports: readonly number[]; readonly keys: readonly Uint8Array[] },
  keyCount: number,
): string {
  const bytes = Buffer.concat([
    Buffer.from(JSON.stringify(asked)),
    packSeqs(reports),
    Buffer.of(0),
    ...keys,
  ])
  return `r${reports.length}-k${keyCount}-${hash('sha256', bytes).slice(0, DIGEST_DIGITS)}`
}

const DIGEST_DIGITS = 16

/** @throws TocsinError `preview_outdated`, `correction_invalid` when it is no preview's id */
function refuseOutdated(given: string, current: string): void {
  if (given === current) return
  const [then, today] = [countsOf(given), countsOf(current)]
  if (then === undefined || today === undefined)
    throw invalid('the id of a preview looks like r12-k168-0123456789abcdef')
  const changes = [
    difference(today.reports - then.reports, 'report'),
    difference(today.keys - then.keys, 'key'),
  ].filter((change) => change !== undefined)
  throw new TocsinError(
    'preview_outdated',
    changes.length > 0
      ? `Since the preview it has become ${changes.join(' and ')}: look at a new preview.`
      : 'What is asked for is not what the preview showed, though it is as much: look at a new preview.',
  )
}

function countsOf(id: string): { reports: number; keys: number } | undefined {
  const match = /^r(\d{1,9})-k(\d{1,9})-[0-9a-f]{16}$/.exec(id)
  return match === null ? undefined : { reports: Number(match[1]), keys: Number(match[2]) }
}

function difference(count: number, thing: string): string | undefined {
  if (count === 0) return undefined
  const size = Math.abs(count)
  return `${size} ${thing}${size === 1 ? '' : 's'} ${count > 0 ? 'more' : 'fewer'}`
}

/** A refusal of what was asked for. */
export function invalid(problem: string): TocsinError {
  return new TocsinError('correction_invalid', `The correction can't be made: ${problem}.`)
}
