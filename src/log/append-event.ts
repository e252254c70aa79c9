// Log: the only writer of the event table; promises gapless numbers in the order of commits, and projections written in the same transaction.

import { randomBytes } from 'node:crypto'
import { bigintArray, byteaArray, textArray } from '../db/binary-array.ts'
import { sqlStateOf } from '../db/database-errors.ts'
import type { Transaction } from '../db/database.ts'
import { allWritten } from '../db/transactions.ts'
import { sql } from '../db/sql.ts'
import { insertContents } from './detached-parts.ts'
import { follows, type Projection } from './projection.ts'
import {
  encodeApart,
  SALT_LENGTH,
  type EncodedApart,
  type NewEvent,
  type StoredEvent,
} from './record.ts'

/** What appending needs to know of its zone. */
export interface LogWriter {
  /** Seconds to which times are truncated. */
  readonly timeGrain: number
  /** Every projection of the zone. */
  readonly projections: readonly Projection[]
}

/** Truncates a time to the grain, in unix seconds. */
export function truncateToGrain(now: Date, timeGrain: number): number {
  return Math.floor(now.getTime() / 1000 / timeGrain) * timeGrain
}

/** The head, locked: events up to `count` get numbers from `firstSeq` on. */
export interface LockedHead {
  readonly firstSeq: number
  readonly count: number
  /** When they are accepted: unix seconds, truncated to the time grain. */
  readonly grain: number
}

/**
 * Appends events and writes what follows from them, in the transaction of the caller.
 *
 * The head row is locked here and until the transaction ends, so this comes last: whoever holds it makes everybody wait.
 *
 * @returns the events with their numbers, in the order given
 */
export async function appendEvents(
  tx: Transaction,
  writer: LogWriter,
  events: readonly NewEvent[],
  now: Date,
): Promise<StoredEvent[]> {
  if (events.length === 0) return []
  // A change of configuration is what carries a part of that retention: readers compare this number to see it.
  const lastOfConfiguration = events.findLastIndex((event) =>
    event.parts.some((part) => part.retention === 'configuration'),
  )
  const head = await lockHead(tx, writer, events.length, now, lastOfConfiguration)
  const { stored, written } = writeEvents(tx, writer, head, events)
  await written
  return stored
}

/**
 * Locks the head until the transaction ends, for at most `count` events.
 *
 * The grain is the later of the clock's and the head's: an event that commits late cannot fall into a window that
 * was planned meanwhile.
 *
 * @param lastOfConfiguration which of the events, from 0, is the last that changes the configuration; -1 for none
 */
export async function lockHead(
  tx: Transaction,
  writer: LogWriter,
  count: number,
  now: Date,
  lastOfConfiguration = -1,
): Promise<LockedHead> {
  const { rows } = await tx.query<{ next_seq: number; grain: number }>({
    name: 'lock-head',
    text: `update log_head set
             next_seq = next_seq + $1,
             grain = greatest(grain, $2::bigint),
             configuration_seq = case when $3 < 0 then configuration_seq else next_seq + $3 end
           returning next_seq, grain`,
    values: [count, truncateToGrain(now, writer.timeGrain), lastOfConfiguration],
  })
  const head = rows[0]
  if (head === undefined) throw new Error('the log has no head row')
  return { firstSeq: head.next_seq - count, count, grain: head.grain }
}

/**
 * Takes the head without asking what it is, in one round trip with all that is sent behind it: for a writer that follows the
 * head. Whatever is sent behind it fails when this does.
 *
 * @throws HeadMoved when the head is another one
 */
export async function takeHead(tx: Transaction, head: LockedHead): Promise<void> {
  try {
    await tx.query({
      name: 'take-head',
      text: 'select take_head($1, $2, $3)',
      values: [head.firstSeq, head.count, head.grain],
    })
  } catch (error) {
    throw sqlStateOf(error) === HEAD_MOVED ? new HeadMoved() : error
  }
}

// What take_head raises.
const HEAD_MOVED = 'TC002'

/** Thrown when somebody else appended, or raised the grain, in between. */
export class HeadMoved extends Error {
  override readonly name = 'HeadMoved'
}

/**
 * Sends what stores events behind a locked head, and what follows from them. Numbers that are left over are given back.
 *
 * @returns the events with their numbers, in the order given; and when they are written
 */
export function writeEvents(
  tx: Transaction,
  writer: LogWriter,
  head: LockedHead,
  events: readonly NewEvent[],
): { readonly stored: StoredEvent[]; readonly written: Promise<void> } {
  const { firstSeq, grain } = head
  const stored = events.map((event, index) => ({ ...event, seq: firstSeq + index, grain }))
  const nextSeq = firstSeq + events.length
  const written = allWritten([
    // First, so that the database works on them while the events are encoded.
    ...project(tx, writer.projections, stored),
    ...(events.length === 0 ? [] : [insertEvents(tx, stored)]),
    ...(events.length === head.count
      ? []
      : [tx.query(sql`update log_head set next_seq = ${nextSeq}::bigint`)]),
  ])
  return { stored, written }
}

/** Raises the head's grain, so that every event from now on is accepted at or after it. */
export async function raiseGrain(tx: Transaction, grain: number): Promise<void> {
  await tx.query(sql`update log_head set grain = greatest(grain, ${grain}::bigint)`)
}

/** Runs every projection over the events of the types that it follows. */
export function project(
  tx: Transaction,
  projections: readonly Projection[],
  events: readonly StoredEvent[],
): Promise<void>[] {
  return projections.flatMap((projection) => {
    const followed = events.filter((event) => follows(projection, event.type))
    return followed.length === 0 ? [] : [projection.apply(tx, followed)]
  })
}

async function insertEvents(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const salts = randomBytes(
    SALT_LENGTH * events.reduce((sum, event) => sum + event.parts.length, 0),
  )
  let offset = 0
  const encoded: EncodedApart[] = events.map((event) => {
    const length = event.parts.length * SALT_LENGTH
    offset += length
    return encodeApart(event, salts.subarray(offset - length, offset))
  })
  const inserted = tx.query({
    name: 'insert-events',
    text: `insert into event (seq, type, record, leaf_hash)
           select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[])`,
    values: [
      bigintArray(events.map((event) => event.seq)),
      textArray(events.map((event) => event.type)),
      byteaArray(encoded.map((event) => event.record)),
      byteaArray(encoded.map((event) => event.leafHash)),
    ],
  })
  const contents = events.flatMap(({ seq, grain }, index) =>
    (encoded[index] as EncodedApart).contents.map((content) => ({ ...content, seq, grain })),
  )
  await allWritten(contents.length === 0 ? [inserted] : [inserted, insertContents(tx, contents)])
}
