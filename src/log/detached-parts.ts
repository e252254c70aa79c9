// Log: contents of parts that are kept apart from their events; promises each stored once, in the transaction of its event, and forgotten by the day without a row rewritten.

/*
 * A part whose retention is detached (retentions.ts: `numbers`) is said to be so where its event is made:
 *
 *   { retention: 'numbers', content: Uint8Array, detached: true }
 *
 * Its content is a byte string. It lies, as these very bytes, in the table
 *
 *   event_content (seq bigint, part smallint, slot smallint, salt bytea, content bytea)
 *
 * and not in `event.record`, where that part stands as if it were erased. `part` is its place among the event's parts, from 0. Leaf hash and
 * digest are those of any part.
 *
 * `readEventRows` gives records with the contents in their place, as far as these are there: so the archive, its snapshots, the check of the log
 * and a recovery hold all of an event. `readEvent`, and whoever selects `event.record`, has records without them: content is undefined there.
 *
 * `readContents` streams contents without their events. What SQL wants of them itself joins `event_content` by `seq`: octet_length(content)
 * reads no content.
 *
 * `forgetContents` forgets them, in the order in which they came; src/submit/retention.ts says when.
 */

import { to as copyTo } from 'pg-copy-streams'
import { bigintArray, byteaArray, smallintArray } from '../db/binary-array.ts'
import { copyInto, CopyRows } from '../db/copy-rows.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql, type Statement } from '../db/sql.ts'
import { splitCopied } from './copied-contents.ts'
import { attachParts } from './detach-record.ts'
import { findParts } from './quick-record.ts'
import type { EventRow } from './read-events.ts'
import type { DetachedContent } from './record.ts'

/** The content of a part, and whose it is. */
export interface EventContent extends DetachedContent {
  readonly seq: number
  /** Of its event: unix seconds. */
  readonly grain: number
}

/** Days that have a slot of their own: those of the longest detached retention, and some for a time in which nobody erases. */
const SLOTS = 32

const DAY = 86_400

/** Where contents lie that were accepted then. @param grain unix seconds */
function slotOf(grain: number): number {
  return Math.floor(grain / DAY) % SLOTS
}

/** Stores contents behind their events. */
export async function insertContents(
  tx: Transaction,
  contents: readonly EventContent[],
): Promise<void> {
  await tx.query({
    name: 'insert-contents',
    text: `insert into event_content (seq, part, slot, salt, content)
           select * from unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bytea[], $5::bytea[])`,
    values: [
      bigintArray(contents.map(({ seq }) => seq)),
      smallintArray(contents.map(({ part }) => part)),
      smallintArray(contents.map(({ grain }) => slotOf(grain))),
      byteaArray(contents.map(({ salt }) => salt)),
      byteaArray(contents.map(({ content }) => content)),
    ],
  })
}

// Beside salt and content: the other columns and their lengths.
const ROW_BYTES = 64

/** Stores contents as they were. @param tx of a database without pipelining */
export async function copyContents(
  tx: Transaction,
  contents: readonly EventContent[],
): Promise<void> {
  const rows = new CopyRows(
    contents.reduce((sum, { content }) => sum + content.length + ROW_BYTES, 0),
  )
  for (const { seq, part, grain, salt, content } of contents)
    rows.start(5).bigint(seq).smallint(part).smallint(slotOf(grain)).bytea(salt).bytea(content)
  await copyInto(tx, { table: 'event_content', columns: 'seq, part, slot, salt, content', rows })
}

/** Bytes of contents that are in memory at a time. */
const PAGE_BYTES = 4 << 20

/**
 * Puts the contents that are there into events.
 *
 * @param rows events in order, not many more than a page
 * @returns the same, in pieces: a content that was forgotten meanwhile is left out
 */
export async function* attachContents(
  db: Queryable,
  rows: readonly EventRow[],
): AsyncGenerator<EventRow[]> {
  const sizes = await readSizes(db, ...endsOf(rows))
  let piece: EventRow[] = []
  let bytes = 0
  for (const row of rows) {
    const size = sizes.get(row.seq) ?? 0
    if (bytes > 0 && bytes + size > PAGE_BYTES) {
      yield await attached(db, piece, bytes)
      piece = []
      bytes = 0
    }
    piece.push(row)
    bytes += size
  }
  if (piece.length > 0) yield await attached(db, piece, bytes)
}

/** Where an event stands. */
export interface EventPlace {
  readonly seq: number
  /** Unix seconds; undefined where it can't be read. */
  readonly grain: number | undefined
}

/** How many bytes of contents events have, from the first to the last, by their numbers; those without any are left out. */
export async function readSizes(
  db: Queryable,
  first: EventPlace,
  last: EventPlace,
): Promise<Map<number, number>> {
  const { rows } = await db.query<{ seq: number; size: number }>(
    select('seq, sum(octet_length(content))::bigint as size', first, last, 'group by seq'),
  )
  return new Map(rows.map(({ seq, size }) => [seq, size]))
}

async function attached(
  db: Queryable,
  rows: readonly EventRow[],
  bytes: number,
): Promise<EventRow[]> {
  if (bytes === 0) return [...rows]
  const found = await db.query<DetachedContent & { readonly seq: number }>(
    select('seq, part, salt, content', ...endsOf(rows)),
  )
  const contents = new Map<number, DetachedContent[]>()
  for (const { seq, ...content } of found.rows)
    contents.set(seq, [...(contents.get(seq) ?? []), content])
  return rows.map((row) => {
    const own = contents.get(row.seq)
    return own === undefined ? row : { ...row, record: attachParts(row.record, own) }
  })
}

function endsOf(rows: readonly EventRow[]): [EventPlace, EventPlace] {
  const placeOf = ({ seq, record }: EventRow) => ({ seq, grain: findParts(record)?.grain })
  return [placeOf(rows.at(0) as EventRow), placeOf(rows.at(-1) as EventRow)]
}

/** Looks at the contents of events that follow one another, in the slots of their days alone: others may be on their way out. */
function select(columns: string, first: EventPlace, last: EventPlace, grouped = ''): Statement {
  // In the text: with parameters, every slot would be locked.
  const slots = slotsBetween(first.grain, last.grain).join(', ')
  return {
    text: `select ${columns} from event_content where slot in (${slots}) and seq >= $1 and seq <= $2 ${grouped}`,
    values: [first.seq, last.seq],
  }
}

function slotsBetween(first: number | undefined, last: number | undefined): number[] {
  const all = Array.from({ length: SLOTS }, (_, slot) => slot)
  // A record that was changed: log verify reads those, too.
  if (first === undefined || last === undefined) return all
  const days = Math.floor(last / DAY) - Math.floor(first / DAY) + 1
  if (!(days >= 1 && days < SLOTS)) return all
  return all.slice(0, days).map((day) => slotOf(first + day * DAY))
}

/** How many contents there are. */
export async function countContents(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>(sql`select count(*) as n from event_content`)
  return rows[0]?.n ?? 0
}

/**
 * The contents of many events, each as one piece, in no particular order; memory is flat.
 *
 * @param tx of a database without pipelining
 * @param wanted a statement without parameters that gives a column `seq`, each number once
 */
export async function* readContents(tx: Transaction, wanted: string): AsyncGenerator<Uint8Array> {
  const source = tx.client.query(
    copyTo(
      `copy (select content from (${wanted}) as wanted join event_content using (seq)) to stdout (format binary)`,
    ),
  )
  let failed = false
  source.once('error', () => (failed = true))
  try {
    yield* splitCopied(source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
  } finally {
    // Who gives up must take the rest all the same: a connection has no other way out of a COPY.
    if (!failed && !source.readableEnded) for await (const _ of source);
  }
}

/**
 * Forgets the contents of all events below a number. A day of which nothing younger is there leaves at once, however much it was.
 *
 * @returns how many there were
 */
export async function forgetContents(tx: Transaction, below: number): Promise<number> {
  const due = await tx.query<{ slot: number }>(
    sql`select distinct slot from event_content where seq < ${below} order by slot`,
  )
  let forgotten = 0
  for (const { slot } of due.rows) {
    const { rows } = await tx.query<{ n: number }>(sql`select forget_slot(${slot}, ${below}) as n`)
    forgotten += rows[0]?.n ?? 0
  }
  return forgotten
}
