// Correct: how much a correction concerns, and how much of it is known outside; promises to count by index what was found, and nothing else.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { SelectedKey } from './find-selected.ts'
import {
  countConcerned,
  countOthers,
  countPublished,
  type PublishedCount,
} from '../publish/published-keys.ts'
import type { CorrectedZone } from './zone.ts'

/** What a correction concerns: whole reports, and single keys. */
export interface Concerned {
  /** Numbers of events, ascending. */
  readonly reports: readonly number[]
  /** 16 bytes each. */
  readonly keys: readonly Uint8Array[]
}

/** How many keys: those that the reports brought or revised, each once, and the single ones; identifiers of other kinds count alike. */
export async function countKeys(db: Queryable, { reports, keys }: Concerned): Promise<number> {
  if (reports.length === 0) return keys.length
  const seqs = bigintArray(reports)
  const { rows } = await db.query<{ n: number }>(
    sql`select count(*) + (select coalesce(sum(identifiers), 0) from report where seq = any(${seqs}::bigint[])) as n from (
          select key_data from diagnosis_key where seq = any(${seqs}::bigint[])
          union select key_data from key_revision where seq = any(${seqs}::bigint[])) as concerned`,
  )
  return (rows[0]?.n ?? 0) + keys.length
}

/** Those that a withdrawal holds already. */
export async function withdrawnAmong(
  db: Queryable,
  { reports, keys }: Concerned,
): Promise<{ readonly reports: ReadonlySet<number>; readonly keys: ReadonlySet<string> }> {
  const held = await db.query<{ report: number }>(
    sql`select report from report_mark where report = any(${bigintArray(reports)}::bigint[]) group by report having sum(change) > 0`,
  )
  const heldKeys = await db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from key_mark where key_data = any(${byteaArray(keys)}::bytea[])
        group by key_data having sum(change) > 0`,
  )
  return {
    reports: new Set(held.rows.map(({ report }) => report)),
    keys: new Set(heldKeys.rows.map(({ key }) => key)),
  }
}

/** Single keys of a report together, as one phone uploaded them. */
export function keysByReport(keys: readonly SelectedKey[]): Concerned[] {
  const groups = Map.groupBy(keys, ({ seq }) => seq)
  return [...groups.values()].map((group) => ({
    reports: [],
    keys: group.map(({ keyData }) => keyData),
  }))
}

/** The reports that brought single keys; those of keys that nobody uploaded are missing. */
export async function findKeyReports(
  db: Queryable,
  keys: readonly Uint8Array[],
): Promise<SelectedKey[]> {
  const { rows } = await db.query<SelectedKey>(
    sql`select key_data as "keyData", seq from diagnosis_key where key_data = any(${byteaArray(keys)}::bytea[])`,
  )
  return rows
}

/** What of it went out where. */
export interface Published {
  /** Stream by stream, release by release: how many keys it brought first. */
  readonly published: readonly PublishedCount[]
  /** Their sum: a key of two streams counts in each. */
  readonly publishedKeys: number
}

/** The streams that published any diagnosis key of it. */
export function streamsOf({ published }: Published): string[] {
  return [...new Set(keysAmong(published).map(({ stream }) => stream))]
}

/** What was published of diagnosis keys. */
export function keysAmong(published: readonly PublishedCount[]): PublishedCount[] {
  return published.filter(({ others }) => others === undefined)
}

/** How many keys are concerned, and what of it went out where. */
export async function countEffects(
  db: Queryable,
  kinds: Pick<CorrectedZone, 'encoders'>,
  concerned: Concerned,
): Promise<Effects> {
  const { keys, others, revisedByOthers, published } = await countConcerned(db, concerned)
  const ofOthers = others === 0 ? [] : await countOthers(db, kinds, concerned.reports)
  return {
    // Of the single ones nobody may have uploaded some.
    keys: keys + others + concerned.keys.length,
    revisedByOthers,
    published: addUp([...published, ...ofOthers]),
  }
}

function addUp(published: readonly PublishedCount[]): Published {
  return { published, publishedKeys: published.reduce((sum, each) => sum + each.keys, 0) }
}

/** See {@link countEffects}. */
export interface Effects {
  /** Those that the reports brought or revised, each once, and the single ones; identifiers of other kinds count alike. */
  readonly keys: number
  /** How many of them other reports have changed. */
  readonly revisedByOthers: number
  readonly published: Published
}

/** Tells what of it went out where, of diagnosis keys. */
export async function tellPublished(db: Queryable, concerned: Concerned): Promise<Published> {
  return addUp(await countPublished(db, concerned))
}
