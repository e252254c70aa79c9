// Recover: one zone's log up to a point, as a new log; promises the zone as it was at the point, all at once, and that a run that was killed is gone on with.

import { randomBytes } from 'node:crypto'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { readTree, readLoaded, restoreHead, restoreRecipient } from '../log/load-events.ts'
import { readHead, type EventRow } from '../log/read-events.ts'
import { LOG_RECOVERED, type LogRecoveredContent } from '../log/recovered-event.ts'
import { decodeKnownEvent } from '../log/record.ts'
import { carryNothing, carryReleases, type Closing } from './carry-releases.ts'
import { zoneOf, type PointedSource } from './find-point.ts'
import { readChain } from './read-chain.ts'
import {
  claimOf,
  hexRoot,
  notEmpty,
  noting,
  writeAll,
  type LastEvent,
  type RecoveredLog,
  type RecoveryOptions,
} from './recover-zone.ts'
import { oneByOne, removeAhead, type RecoveryTarget } from './write-batch.ts'

/** What was recovered. */
export interface RecoveredUntil extends RecoveredLog, Partial<Omit<Closing, 'events'>> {
  /** The new log's id, in hex. */
  readonly logId: string
  /** How many events are the old log's; `events` counts the new ones, too. */
  readonly untilSeq: number
}

/** The log begins anew: its archive, too. */
export type UntilOptions = RecoveryOptions & { readonly now: Date }

/**
 * Recovers a log up to a point, into a zone that was opened without beginning one. What comes behind the events that are the old log's is one
 * transaction, head included.
 *
 * @throws TocsinError `recovery_not_empty` when the zone holds another log, `recovery_archive_occupied` when objects lie where the new log would be
 * archived; of reading the archive; `unavailable`
 */
export async function recoverUntil(
  target: RecoveryTarget,
  source: PointedSource,
  options: UntilOptions,
): Promise<RecoveredUntil> {
  const { chain, point } = source
  const { untilSeq, endSeq } = point
  const loaded = await readLoaded(target.db)
  const alreadyThere = loaded.tree.size
  if (loaded.hasHead) return await findRecovered(target, source)
  if (alreadyThere > untilSeq) throw notEmpty()
  await refuseOccupied(options)
  await removeAhead(target, alreadyThere)
  const claims = new Map(alreadyThere === 0 ? [] : [[alreadyThere, claimOf(loaded.tree)]])
  const { pages } = readChain(source.archive, source.identities, chain, source.contents, claims)
  const last: LastEvent = { grain: 0, configurationSeq: 0 }
  const { before, behind } = splitPages(pages, untilSeq)
  await writeAll(target, alreadyThere, noting(before, last), options)
  const content = {
    logId: randomBytes(LOG_ID_BYTES),
    previousLogId: chain.logId,
    untilSeq,
    endSeq,
  }
  const closing = await target.copyDb.transaction((tx) =>
    beginAnew(oneByOne(tx), target, source, { behind, last, content }, options),
  )
  // What a zone carries nothing of was read when the point was looked for.
  await pages.return(undefined)
  const { withdrawal, laterStreams } = closing
  const tree = await readTree(target.db)
  return {
    events: tree.size,
    root: hexRoot(tree),
    alreadyThere,
    logId: content.logId.toString('hex'),
    untilSeq,
    laterStreams,
    withdrawal,
  }
}

const LOG_ID_BYTES = 16

/** Objects of two logs in one folder could not be told apart when the next recovery needs them. */
async function refuseOccupied({ archiveTo }: RecoveryOptions): Promise<void> {
  const lying = (await archiveTo?.list()) ?? []
  if (lying.length > 0)
    throw new TocsinError(
      'recovery_archive_occupied',
      `Objects of another log lie in ${archiveTo?.folder}: name another folder by TOCSIN_ARCHIVE, and keep this one.`,
    )
}

/** Carries what must be, and makes the head with the event that says so. */
async function beginAnew(
  tx: Transaction,
  { writer }: RecoveryTarget,
  source: PointedSource,
  {
    behind,
    last,
    content,
  }: {
    readonly behind: AsyncIterable<EventRow[]>
    readonly last: LastEvent
    readonly content: LogRecoveredContent
  },
  { now, recipient }: UntilOptions,
): Promise<Closing> {
  const { point } = source
  const carried =
    zoneOf(source) === 'key'
      ? await carryReleases(tx, writer, point, behind, last)
      : carryNothing(point.untilSeq)
  const closing = await carried.closing(content)
  await restoreHead(tx, { logId: content.logId, nextSeq: carried.nextSeq, ...last })
  await appendEvents(tx, writer, closing.events, now)
  if (recipient !== undefined) await restoreRecipient(tx, recipient)
  return closing
}

/** Pages of events below a number, and then those of the others. */
function splitPages(
  pages: AsyncGenerator<EventRow[]>,
  point: number,
): { readonly before: AsyncIterable<EventRow[]>; readonly behind: AsyncIterable<EventRow[]> } {
  let rest: EventRow[] = []
  async function* readBefore(): AsyncGenerator<EventRow[]> {
    // One by one: to leave a loop over them would end them.
    for (let next = await pages.next(); next.done !== true; next = await pages.next()) {
      const page = next.value.filter(({ seq }) => seq < point)
      rest = next.value.slice(page.length)
      if (page.length > 0) yield page
      if (rest.length > 0) return
    }
  }
  async function* readBehind(): AsyncGenerator<EventRow[]> {
    if (rest.length > 0) yield rest
    yield* pages
  }
  return { before: readBefore(), behind: readBehind() }
}

/** An earlier run of the same recovery. @throws TocsinError `recovery_not_empty` when there is another log */
async function findRecovered(
  { db }: RecoveryTarget,
  { chain, point: { untilSeq, endSeq } }: PointedSource,
): Promise<RecoveredUntil> {
  const { rows } = await db.query<{ record: Uint8Array }>(
    sql`select record from event where seq >= ${untilSeq} and type = ${LOG_RECOVERED} order by seq desc limit 1`,
  )
  const [row] = rows
  const content =
    row && (decodeKnownEvent(row.record).parts[0]?.content as LogRecoveredContent | undefined)
  const { logId } = await readHead(db)
  if (
    content === undefined ||
    content.untilSeq !== untilSeq ||
    content.endSeq !== endSeq ||
    Buffer.compare(content.previousLogId, chain.logId) !== 0
  )
    throw notEmpty()
  const tree = await readTree(db)
  return {
    events: tree.size,
    root: hexRoot(tree),
    alreadyThere: tree.size,
    logId: Buffer.from(logId).toString('hex'),
    untilSeq,
  }
}
