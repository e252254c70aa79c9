// Publish: ends a stream; promises that what was accepted by now is still in one of its windows, and that its files stay until their time.

import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { truncateToGrain, type LogWriter } from '../log/append-event.ts'
import { windowEnd } from './plan-windows.ts'
import { updateStream, type Stream } from './streams.ts'

/** A stream that has an end, and whether it is this call's doing. */
export interface Retired {
  readonly stream: Stream & { readonly through: number }
  readonly changed: boolean
}

/**
 * Ends a stream where the window ends that is open now: every key that can be published by now is in it or in an earlier one.
 * One that ends by then anyway is left as it is; one that has not begun never does.
 *
 * @throws TocsinError `stream_unknown`
 */
export async function retireStream(
  tx: Transaction,
  writer: LogWriter,
  name: string,
  now: Date,
): Promise<Retired> {
  let changed = false
  // The head's grain is where reports are accepted when the clock was moved back; from here on it can't move.
  const { rows } = await tx.query<{ grain: number }>(sql`select grain from log_head for update`)
  const grain = Math.max(truncateToGrain(now, writer.timeGrain), rows[0]?.grain ?? 0)
  const stream = await updateStream(
    tx,
    writer,
    name,
    ({ start, through, period }) => {
      const end = grain < start ? start : windowEnd(period, grain)
      if (through !== null && through <= end) return {}
      changed = true
      return { through: end }
    },
    now,
  )
  return { stream: { ...stream, through: stream.through ?? stream.start }, changed }
}
