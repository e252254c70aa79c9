// Recover: one zone's log and tables from its archive; promises the same rows as before, and that a run that was killed is gone on with.

import { TocsinError } from '../errors.ts'
import type { Archive } from '../log/archive-store.ts'
import { noteObject } from '../log/archive-rows.ts'
import { readLoaded, restoreHead, restoreRecipient, type LoadedLog } from '../log/load-events.ts'
import type { EventRow } from '../log/read-events.ts'
import { decodeKnownEvent, type StoredEvent } from '../log/record.ts'
import { rootOf, type Frontier } from '../log/tree.ts'
import { keptObjects } from './kept-objects.ts'
import type { Chain } from './plan-chain.ts'
import { readChain, type Claim } from './read-chain.ts'
import type { ArchiveContents } from './read-headers.ts'
import { removeAhead, writeBatch, type Batch, type RecoveryTarget } from './write-batch.ts'

/** An archive of one zone, and what it was found to hold. */
export interface RecoverySource {
  readonly archive: Archive
  readonly identities: readonly string[]
  readonly contents: ArchiveContents
  readonly chain: Chain
}

/** How to recover. */
export interface RecoveryOptions {
  /** Told of the number of events that are done. */
  readonly onProgress?: ((events: number) => void) | undefined
  /** Ends it between two batches. @throws TocsinError `recovery_unfinished` */
  readonly signal?: AbortSignal | undefined
  /** Bytes of records in a batch. */
  readonly batchBytes?: number | undefined
  /** Where the log will be archived from now on; without it, it is archived anew from its first event. */
  readonly archiveTo?: Archive | undefined
  /** To whom, when the configuration does not say it: `age1...` */
  readonly recipient?: string | undefined
}

/** What was recovered. */
export interface RecoveredLog {
  readonly events: number
  /** Root of the tree over all events, in hex. */
  readonly root: string
  /** Events that were there from a run that was interrupted, or from one that was not. */
  readonly alreadyThere: number
}

/** Bytes of records in a batch. Two batches are in memory, with all that was read of their events: the less of it outlives young memory, the less is to collect. */
const BATCH_BYTES = 1 << 20

/**
 * Recovers a log into a zone that was opened without beginning one. The head comes last: until then no server starts on it.
 *
 * @throws TocsinError `recovery_not_empty` when the zone holds another log; of reading the archive; `unavailable`
 */
export async function recoverZone(
  target: RecoveryTarget,
  source: RecoverySource,
  options: RecoveryOptions = {},
): Promise<RecoveredLog> {
  const { chain } = source
  const loaded = await readLoaded(target.db)
  refuseOther(loaded, chain)
  const alreadyThere = loaded.tree.size
  if (loaded.hasHead) return { events: chain.end, root: hexRoot(loaded.tree), alreadyThere }
  await removeAhead(target, alreadyThere)
  const claims = new Map(alreadyThere === 0 ? [] : [[alreadyThere, claimOf(loaded.tree)]])
  const reader = readChain(source.archive, source.identities, chain, source.contents, claims)
  const last = { grain: 0, configurationSeq: 0 }
  await writeAll(target, alreadyThere, noting(reader.pages, last), options)
  const lying = (await options.archiveTo?.list()) ?? []
  const kept = keptObjects(source.contents, chain, reader.frontiers, lying)
  await target.db.transaction(async (tx) => {
    // When each was verified nobody knows any more.
    for (const object of kept) await noteObject(tx, object, object.madeAt)
    if (options.recipient !== undefined) await restoreRecipient(tx, options.recipient)
    await restoreHead(tx, { logId: chain.logId, nextSeq: chain.end, ...last })
  })
  return { events: chain.end, root: hexRoot(reader.tree()), alreadyThere }
}

function refuseOther({ tree, hasHead }: LoadedLog, chain: Chain): void {
  const sameRoot =
    hexRoot(tree) === Buffer.from(chain.objects.at(-1)?.header.root ?? []).toString('hex')
  if (hasHead ? !(tree.size === chain.end && sameRoot) : tree.size > chain.end) throw notEmpty()
}

/** That the events which are there are those of the archive. */
export function claimOf(tree: Frontier): Claim {
  return { hash: hexRoot(tree), error: notEmpty }
}

/** The database holds something else. */
export function notEmpty(): TocsinError {
  return new TocsinError('recovery_not_empty')
}

/** A tree's root in hex. */
export function hexRoot(tree: Frontier): string {
  return Buffer.from(rootOf(tree)).toString('hex')
}

/** What a head says of the events below it. */
export interface LastEvent {
  grain: number
  configurationSeq: number
}

/** Decodes pages, and notes what the head will say. */
export async function* noting(
  pages: AsyncIterable<EventRow[]>,
  last: LastEvent,
): AsyncGenerator<Batch> {
  for await (const rows of pages) {
    const events = rows.map(({ record }) => decodeKnownEvent(record))
    for (const event of events) {
      last.grain = event.grain
      if (event.parts.some(({ retention }) => retention === 'configuration'))
        last.configurationSeq = event.seq
    }
    yield { rows, events }
  }
}

/** Writes batches while the next ones are read. @param from the events before it are there */
export async function writeAll(
  target: RecoveryTarget,
  from: number,
  pages: AsyncGenerator<Batch>,
  { onProgress, signal, batchBytes = BATCH_BYTES }: RecoveryOptions,
): Promise<void> {
  let writing: Promise<void> = Promise.resolve()
  let batch = emptyBatch()
  const write = async () => {
    await writing
    if (signal?.aborted === true) throw new TocsinError('recovery_unfinished')
    const { rows, events } = batch
    batch = emptyBatch()
    if (rows.length === 0) return
    writing = writeBatch(target, { rows, events })
    writing.then(
      () => onProgress?.((rows.at(-1)?.seq ?? 0) + 1),
      // Whoever waits for it is told.
      () => undefined,
    )
  }
  try {
    for await (const page of pages) {
      page.rows.forEach((row, index) => {
        if (row.seq < from) return
        batch.rows.push(row)
        batch.events.push(page.events[index] as StoredEvent)
        batch.bytes += row.record.length
      })
      if (batch.bytes >= batchBytes) await write()
    }
    await write()
  } finally {
    await writing.catch(() => undefined)
  }
  await writing
}

function emptyBatch(): { rows: EventRow[]; events: StoredEvent[]; bytes: number } {
  return { rows: [], events: [], bytes: 0 }
}
