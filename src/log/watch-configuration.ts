// Log: configuration from memory; promises that a change is seen within a second, that no look-up waits for a slow database while what is known is fresh, and that nothing is believed for long without it.

import { setTimeout } from 'node:timers/promises'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'

/** How old what is known may be, in milliseconds, before it is read again behind the answers. */
const FRESH_MS = 400
/** How old it may be before answers wait for that: less than the second that is promised. */
const STALE_MS = 800
/** How old what is known must be for another look, when something is not in it. */
const LOOK_AGAIN_MS = 20
/** How long answers wait for a slow database before they make do with what is known. */
const PATIENCE_MS = 2_000
/** After which time a reading is given up and another begun. */
const GIVE_UP_MS = 5_000
/** For how long what is known counts without the database. */
const AWAY_MS = 60_000

/** A reading that is under way. */
interface Reading {
  readonly startedAt: number
  /** Settles with it; rejects when it failed. */
  readonly done: Promise<void>
  /** Settles with it, or when it is slow. */
  readonly patience: Promise<unknown>
}

/**
 * What follows from the configuration, from memory. It is read again when the log says that the configuration changed.
 *
 * While the database is away, what was read counts for a minute; then looking it up throws `unavailable`.
 *
 * @param load reads it from the zone's tables
 * @param monotonicMs a clock that never goes back, in milliseconds
 * @returns what gives it; handed `isEnough`, it looks again, at most so often, before it gives what is not
 */
export function watchConfiguration<Known>(
  db: Queryable,
  load: () => Promise<Known>,
  monotonicMs: () => number,
): (isEnough?: (known: Known) => boolean) => Promise<Known> {
  let known: { readonly value: Known } | undefined
  let configurationSeq = -1
  // When what is known was true for certain: the moment before it was asked for.
  let readAt = -Infinity
  let failedAt = -Infinity
  let reading: Reading | undefined

  const read = async (startedAt: number) => {
    const head = await db.query<{ configuration_seq: number }>(
      sql`select configuration_seq from log_head`,
    )
    const latest = head.rows[0]?.configuration_seq ?? 0
    const loaded =
      latest === configurationSeq && known !== undefined ? known : { value: await load() }
    // One that was given up may answer after the one that followed it.
    if (startedAt < readAt) return
    known = loaded
    configurationSeq = latest
    readAt = startedAt
  }
  const startReading = (startedAt: number): Reading => {
    const done = read(startedAt)
    const settled = done.then(
      () => undefined,
      () => void (failedAt = monotonicMs()),
    )
    const started = { startedAt, done, patience: Promise.race([settled, sleep(PATIENCE_MS)]) }
    void settled.then(() => (reading === started ? (reading = undefined) : undefined))
    return started
  }
  const get = async () => {
    const now = monotonicMs()
    const age = now - readAt
    if (reading !== undefined && now - reading.startedAt > GIVE_UP_MS) reading = undefined
    // Right after a failure, another try would only make everybody wait for the next one.
    const mayRead = age > FRESH_MS && (age > AWAY_MS || now - failedAt > FRESH_MS)
    if (mayRead) reading ??= startReading(now)
    if (age > AWAY_MS) await orUnavailable(reading)
    else if (age > STALE_MS && mayRead) await reading?.patience
    if (known === undefined) throw new TocsinError('unavailable')
    return known.value
  }
  return async (isEnough) => {
    const first = await get()
    if (isEnough === undefined || isEnough(first)) return first
    const now = monotonicMs()
    // Anybody can ask for what there is not: one look for all who do so at the time.
    if (now - readAt > LOOK_AGAIN_MS) {
      reading ??= startReading(now)
      await reading.patience
    }
    return known?.value ?? first
  }
}

/** Waits for a reading without which nothing can be said. */
async function orUnavailable(reading: Reading | undefined): Promise<void> {
  const isLate = Symbol('late')
  const first = await Promise.race([reading?.done, sleep(GIVE_UP_MS, isLate)])
  if (first === isLate) throw new TocsinError('unavailable')
}

/** A pause for which no process stays alive. */
function sleep<Value>(ms: number, value?: Value): Promise<Value | undefined> {
  return setTimeout(ms, value, { ref: false })
}
