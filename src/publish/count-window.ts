// Publish: how much a release would bring; promises to count no further than anybody needs to know.

import type { Queryable } from '../db/database.ts'
import type { Stream } from './streams.ts'
import { findChanges, selectKeys, selectRevised, type ReleaseSpan } from './window-keys.ts'

/** How long keys wait for company, in seconds. */
export const LONGEST_HOLD = 86_400

/** Whether the keys of a span may wait for more reports: for a day at the most, and not for a window that never comes. */
export function mayWait(
  { hold, through }: Pick<Stream, 'hold' | 'through'>,
  { end, keysFrom }: { readonly end: number; readonly keysFrom: number },
): boolean {
  return hold > 0 && end - keysFrom < LONGEST_HOLD && (through === null || end < through)
}

/** How many there are, or the limit when there are more. */
export interface WindowCounts {
  /** Keys that are published for the first time, padding included. */
  readonly keys: number
  /** Reports that brought them, without padding. */
  readonly reports: number
}

/** The keys that one report may bring at most; more would only be counted further than needed. */
const KEYS_OF_A_REPORT = 60

/** Counts the keys that a release publishes for the first time, and their reports. */
export async function countWindow(
  db: Queryable,
  stream: Stream,
  span: ReleaseSpan,
  limits: WindowCounts,
): Promise<WindowCounts> {
  const chosen = `(${selectKeys(stream, span, await findChanges(db, span))}) as chosen`
  const keys = await countRows(db, `select from ${chosen} limit ${limits.keys}`)
  if (limits.reports === 0 || keys === 0) return { keys, reports: 0 }
  const reports = await countRows(
    db,
    `select distinct seq from (select seq from ${chosen} where not padding limit ${limits.reports * KEYS_OF_A_REPORT}) as a_few
     limit ${limits.reports}`,
  )
  return { keys, reports }
}

/** Counts the keys that a release revises. */
export function countRevised(db: Queryable, stream: Stream, span: ReleaseSpan): Promise<number> {
  return countRows(db, `select from (${selectRevised(stream, span)}) as chosen`)
}

async function countRows(db: Queryable, select: string): Promise<number> {
  const { rows } = await db.query<{ n: number }>({
    text: `select count(*) as n from (${select}) as counted`,
    values: [],
  })
  return rows[0]?.n ?? 0
}
