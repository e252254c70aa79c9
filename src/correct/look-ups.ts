// Correct: who looked something up in the key zone; promises that the log says what kind of thing, and never which.

import { appendEvents } from '../log/append-event.ts'
import type { NewEvent } from '../log/record.ts'
import type { KeyZone } from './zone.ts'

/** What can be looked up. */
export type LookUp = 'preview' | 'corrections' | 'correction' | 'report' | 'operators'

/** Puts into the log that somebody looks something up. @param by an operator's name, or `command` */
export async function noteLookUp(
  { db, writer }: KeyZone,
  what: LookUp,
  by: string,
  now: Date,
): Promise<void> {
  const looked: NewEvent = {
    type: 'looked-up',
    parts: [{ retention: 'audit', content: { what, by } }],
  }
  await db.transaction((tx) => appendEvents(tx, writer, [looked], now))
}
