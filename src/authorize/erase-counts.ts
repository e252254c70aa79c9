// Authorize: takes erased counts out of the table of counts; promises that what is left is what the remaining events give.

import type { Transaction } from '../db/database.ts'
import type { StoredEvent } from '../log/record.ts'
import { countsIn, STAT_EVENTS, writeCounts } from './stat-counts.ts'

/** Subtracts what these events count. */
export async function eraseCounts(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const counts = events.filter(({ type }) => STAT_EVENTS.includes(type)).flatMap(countsIn)
  await writeCounts(
    tx,
    counts.map((each) => ({ ...each, count: -each.count })),
  )
}
