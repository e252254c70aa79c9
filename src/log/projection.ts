// Log: what follows from events; promises that tables hold nothing else, so that they can be made again.

import type { Transaction } from '../db/database.ts'
import type { StoredEvent } from './record.ts'

/** Tables that follow from events of some types. The same code writes them at acceptance, checks them and rebuilds them. */
export interface Projection {
  /** The types of event that it follows. */
  readonly types: readonly string[]
  /** The tables that it alone writes. */
  readonly tables: readonly string[]
  /** Writes what follows from these events, which are all of its types and in order. Reads nothing but its own tables. */
  apply(tx: Transaction, events: readonly StoredEvent[]): Promise<void>
}
