// Log: takes a log to its archive, segment by segment; promises one chain whoever writes, and that what it returned for is safe outside the database.

import { takeSessionLock } from '../db/session-lock.ts'
import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import type { ArchiveKind } from './archive-format.ts'
import { readArchiveEnd, removeUnconfirmed, requireNewest } from './archive-rows.ts'
import { readHead } from './read-events.ts'
import { writeObject, type ArchiveContext } from './write-archive.ts'

/** Bytes of records after which a segment is closed: what a reader must take whole, and what a kill makes write again. */
const SEGMENT_BYTES = 8 << 20

/** The locks' numbers among those of the database. A snapshot takes long, and no release may wait for it. */
const LOCKS: Readonly<Record<Zone, Readonly<Record<ArchiveKind, string>>>> = {
  key: { segment: '4306184520910276551', snapshot: '4306184520910276552' },
  authority: { segment: '4306184520910276553', snapshot: '4306184520910276554' },
}

/**
 * Waits until every event up to `seq` is archived, whoever does it; archives itself what is not, and what else was committed
 * by then. A release's files are put into the store only after its event is archived, so that a recovery can't fork what phones
 * have seen.
 *
 * @param seq Infinity for all that was committed before the call
 * @throws TocsinError `archive_failed`, `archive_damaged` when what was written last is gone, `log_invalid`, `unavailable`
 */
export async function archiveThrough(
  context: ArchiveContext,
  seq: number,
  mostBytes = SEGMENT_BYTES,
): Promise<void> {
  const { nextSeq } = await readHead(context.db)
  const until = Math.min(seq + 1, nextSeq)
  if ((await readArchiveEnd(context.db)).frontier.size >= until) return
  await requireNewest(context.db, context.archive)
  await withArchiveLock(context, 'segment', async (mustHold) => {
    for (;;) {
      const { frontier: start, previous } = await readArchiveEnd(context.db)
      if (start.size >= until) return
      const wanted = { kind: 'segment', start, until: nextSeq, mostBytes, previous } as const
      await writeObject(context, wanted, mustHold)
    }
  })
}

/** Does work that one process at a time may do, after what a killed one left was cleared away. */
export async function withArchiveLock<Result>(
  { zone, address, db, archive }: ArchiveContext,
  kind: ArchiveKind,
  work: (mustHold: () => Promise<void>) => Promise<Result>,
): Promise<Result> {
  await using lock = await takeSessionLock(address, LOCKS[zone][kind], true)
  if (lock === undefined) throw new TocsinError('unavailable')
  await removeUnconfirmed(db, archive, kind)
  return await work(async () => {
    if (!(await lock.isHeld())) throw new TocsinError('unavailable')
  })
}
