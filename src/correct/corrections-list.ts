// Correct: what was corrected, by whom and why; promises to say of each how much it concerned, and never which.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import type {
  AMENDMENT,
  REINSTATEMENT,
  WithdrawalScope,
  WITHDRAWAL,
} from '../submit/corrections.ts'
import { bytesOf } from './selection.ts'

/** What a correction is. */
export type CorrectionKind = typeof WITHDRAWAL | typeof REINSTATEMENT | typeof AMENDMENT

/** A correction that was carried out. */
export interface CorrectionResult {
  /** 32 hex digits. */
  readonly id: string
  readonly kind: CorrectionKind
  /** Null for what is no withdrawal. */
  readonly scope: WithdrawalScope | null
  /** Who made it: `command`, an operator's name, or `order of` an issuer. */
  readonly by: string
  readonly reason: string
  /** How many reports it concerns, padding not among them, and how many keys. */
  readonly reports: number
  readonly keys: number
  /** How many of the keys had been published, counted in each stream. */
  readonly published: number
  /** How many padding devices it takes along. */
  readonly padding: number
  /** When: unix seconds at a time grain. */
  readonly acceptedAt: number
}

interface CorrectionRow extends Omit<CorrectionResult, 'id' | 'acceptedAt' | 'by'> {
  id: Uint8Array
  grain: number
  made_by: string
}

const COLUMNS = 'id, kind, scope, made_by, reason, reports, keys, published, padding, grain'

/** Every correction of which it is still known who made it and why (a year), the newest first. */
export async function listCorrections(db: Queryable): Promise<CorrectionResult[]> {
  const { rows } = await db.query<CorrectionRow>({
    text: `select ${COLUMNS} from correction order by seq desc`,
    values: [],
  })
  return rows.map(asResult)
}

/** One correction; undefined when there is none of that id. @param id 32 hex digits */
export async function findCorrection(
  db: Queryable,
  id: string,
): Promise<CorrectionResult | undefined> {
  const { rows } = await db.query<CorrectionRow>({
    text: `select ${COLUMNS} from correction where id = $1`,
    values: [bytesOf(id)],
  })
  return rows[0] === undefined ? undefined : asResult(rows[0])
}

/** One correction. @param id 32 hex digits @throws TocsinError `correction_unknown` */
export async function requireCorrection(db: Queryable, id: string): Promise<CorrectionResult> {
  const found = await findCorrection(db, id)
  if (found === undefined) throw new TocsinError('correction_unknown')
  return found
}

/** The number of a withdrawal's event. @param id 32 hex digits @throws TocsinError `correction_unknown` */
export async function requireWithdrawal(db: Queryable, id: string): Promise<number> {
  // A rule for what comes from now on stands longer than it is known who made it.
  const { rows } = await db.query<{ seq: number }>(
    sql`select seq from correction where id = ${bytesOf(id)} and kind = 'withdrawal'
        union select seq from standing_withdrawal where id = ${bytesOf(id)}`,
  )
  if (rows[0] === undefined)
    throw new TocsinError(
      'correction_unknown',
      'There is no withdrawal of this id: see tocsin correction list.',
    )
  return rows[0].seq
}

function asResult({ id, grain, made_by, ...row }: CorrectionRow): CorrectionResult {
  return { id: encodeHex(id), ...row, by: made_by, acceptedAt: grain }
}
