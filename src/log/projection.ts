// Log: what follows from events; promises that tables hold nothing else, so that they can be made again.

import type { TableRows } from '../db/copy-rows.ts'
import type { Transaction } from '../db/database.ts'
import type { StoredEvent } from './record.ts'

/** Tables that follow from events of some types. The same code writes them at acceptance, checks them and rebuilds them. */
export interface Projection {
  /** The types of event that it follows; `*.report` stands for all that end like this. */
  readonly types: readonly string[]
  /** The tables that it alone writes. */
  readonly tables: readonly string[]
  /** Writes what follows from these events, which are all of its types and in order. Reads nothing but its own tables. */
  apply(tx: Transaction, events: readonly StoredEvent[]): Promise<void>
  /** The very rows that apply() inserts, for a recovery, which copies millions; left out where apply() does anything else than insert. */
  rowsOf?(events: readonly StoredEvent[]): BulkRows[]
}

/** Rows of many events. */
export interface BulkRows extends TableRows {
  /**
   * Whether they are so many that a connection of their own writes them, ahead of their events: each has the number of its event in the
   * column `seq`, by which those that an interrupted recovery left are found.
   */
  readonly ahead?: boolean
}

/** Whether a projection follows events of a type. */
export function follows({ types }: Pick<Projection, 'types'>, type: string): boolean {
  return types.some((each) => (each.startsWith('*') ? type.endsWith(each.slice(1)) : type === each))
}
