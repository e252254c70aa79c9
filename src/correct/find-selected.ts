// Correct: finds what a selection means among reports and keys; promises work that grows with what is found and with the span of time that is named, and never a report of padding.

import { byteaArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { sql, type Statement } from '../db/sql.ts'
import { firstSeqSince } from '../log/erase-parts.ts'
import { appsOf, bytesOf, type Selection } from './selection.ts'

/** What a selection means. With `keys` among its conditions no report is found, else no key. */
export interface Selected {
  /** Numbers of reports, ascending. */
  readonly reports: readonly number[]
  /** Single keys that reports brought, with the numbers of these. */
  readonly keys: readonly SelectedKey[]
  /** Keys that nobody uploaded yet: only where keys are the one condition. */
  readonly unknownKeys: readonly Uint8Array[]
}

/** A single key and the report that brought it. */
export interface SelectedKey {
  readonly keyData: Uint8Array
  readonly seq: number
}

/**
 * Finds what a selection means among the events below a number.
 *
 * @param until numbers from there on are not looked at: all below must have been committed
 */
export async function findSelected(
  db: Queryable,
  selection: Selection,
  until: number,
): Promise<Selected> {
  if (selection.keys !== undefined) return findKeys(db, selection, selection.keys, until)
  const { acceptedFrom, acceptedBefore } = selection
  const first = acceptedFrom === undefined ? 0 : await firstSeqSince(db, acceptedFrom, until)
  const end = acceptedBefore === undefined ? until : await firstSeqSince(db, acceptedBefore, until)
  const { rows } = await db.query<{ seq: number }>(
    statement((given) => {
      const conditions = conditionsOf(selection, given)
      return `select p.seq from report p where p.seq >= ${given(first)}::bigint and p.seq < ${given(end)}::bigint
                and ${conditions} order by p.seq`
    }),
  )
  return { reports: rows.map(({ seq }) => seq), keys: [], unknownKeys: [] }
}

/** The reports of a selection among a few events, `first` inclusive to `end` exclusive; reads each of them, and no other. */
export async function findSelectedAmong(
  db: Queryable,
  selection: Selection,
  first: number,
  end: number,
): Promise<number[]> {
  if (first >= end) return []
  const { rows } = await db.query<{ seq: number }>(
    statement(
      // Fenced off: by another index everything that a provider ever vouched for would be read.
      (given) => `with p as materialized (
          select * from report where seq >= ${given(first)}::bigint and seq < ${given(end)}::bigint)
        select p.seq from p where ${conditionsOf(selection, given)} order by p.seq`,
    ),
  )
  return rows.map(({ seq }) => seq)
}

async function findKeys(
  db: Queryable,
  selection: Selection,
  names: readonly string[],
  until: number,
): Promise<Selected> {
  const wanted = byteaArray(names.map(bytesOf))
  const { rows } = await db.query<{ key_data: Uint8Array; seq: number }>(
    statement(
      (given) => `select k.key_data, k.seq from diagnosis_key k join report p on p.seq = k.seq
        where k.key_data = any(${given(wanted)}::bytea[]) and k.seq < ${given(until)}::bigint and ${conditionsOf(selection, given)}
        order by k.key_data`,
    ),
  )
  const keys = rows.map(({ key_data: keyData, seq }) => ({ keyData, seq }))
  if (Object.keys(selection).length > 1) return { reports: [], keys, unknownKeys: [] }
  // Padding among them is known, and selected by nobody.
  const { rows: unknown } = await db.query<{ key_data: Uint8Array }>(
    sql`select key_data from unnest(${wanted}::bytea[]) as wanted(key_data)
        where not exists (select from diagnosis_key k where k.key_data = wanted.key_data) order by key_data`,
  )
  return { reports: [], keys, unknownKeys: unknown.map(({ key_data: keyData }) => keyData) }
}

/** Makes a parameter of a value. @returns its place in the statement */
type Give = (value: unknown) => string

function statement(write: (given: Give) => string): Statement {
  const values: unknown[] = []
  const text = write((value) => `$${values.push(value)}`)
  return { text, values }
}

/** Conditions on a row `p` of `report`. Only those that were named: a statement that passes over the others would use no index. */
function conditionsOf(selection: Selection, given: Give): string {
  const { trackingIds, issuerHandles, source, regions, acceptedFrom, acceptedBefore } = selection
  const apps = appsOf(selection)
  const handles = issuerHandles?.map((handle) => Buffer.from(handle, 'base64url'))
  const conditions = [
    // Padding came by no API.
    source === undefined ? 'p.source is not null' : `p.source = ${given(source)}`,
    ...(trackingIds === undefined
      ? []
      : [`p.tracking_id = any(${given(byteaArray(trackingIds.map(bytesOf)))}::bytea[])`]),
    ...(handles === undefined
      ? []
      : [`p.issuer_handle = any(${given(byteaArray(handles))}::bytea[])`]),
    ...(apps === undefined ? [] : [`p.app = any(${given(apps)}::text[])`]),
    ...(regions === undefined ? [] : [`p.regions && ${given(regions)}::text[]`]),
    // The number says it nearly always; not of what was accepted elsewhere before.
    ...(acceptedFrom === undefined ? [] : [`p.grain >= ${given(acceptedFrom)}::bigint`]),
    ...(acceptedBefore === undefined ? [] : [`p.grain < ${given(acceptedBefore)}::bigint`]),
  ]
  return conditions.join(' and ')
}
