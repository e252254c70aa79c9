// Log: snapshots of a log, and what they make superfluous; promises that an object goes only when a younger snapshot that was verified holds all of it.

import { TocsinError } from '../errors.ts'
import type { ArchiveObject } from './archive-format.ts'
import {
  forgetLost,
  listArchived,
  readArchiveEnd,
  removeObject,
  requireNewest,
  type ArchivedObject,
  type ArchiveSummary,
} from './archive-rows.ts'
import { archiveThrough, withArchiveLock } from './archiver.ts'
import { EMPTY_FRONTIER, encodeFrontier } from './tree.ts'
import { writeObject, type ArchiveContext } from './write-archive.ts'

/** How often a snapshot is made, and for how long everything is kept that it makes superfluous: seconds. */
const SNAPSHOT_EVERY = 86_400
const KEEP_FOR = 48 * 3_600

/**
 * Makes a snapshot of all that was committed before the call, then drops what is too old.
 *
 * @param options.anew by hand: where objects are lost, the snapshot is of what was archived before, needs none of them, and they are
 * forgotten
 * @throws TocsinError as {@link archiveThrough}
 */
export async function makeSnapshot(
  context: ArchiveContext,
  { anew = false } = {},
): Promise<ArchivedObject> {
  const lost = anew && (await isNewestLost(context))
  if (!lost) await archiveThrough(context, Infinity)
  return withArchiveLock(context, 'snapshot', async (mustHold) => {
    const { frontier, previous } = await readArchiveEnd(context.db)
    const wanted = {
      kind: 'snapshot',
      start: EMPTY_FRONTIER,
      until: frontier.size,
      mostBytes: Infinity,
      previous,
    } as const
    const made = await writeObject(context, wanted, mustHold)
    if (Buffer.compare(encodeFrontier(made.frontier), encodeFrontier(frontier)) !== 0) {
      await removeObject(context.db, context.archive, made)
      throw new TocsinError(
        'log_invalid',
        'The log was changed since it was archived: its events do not give the tree of the segments.',
      )
    }
    if (anew) await forgetLost(context.db, context.archive, await listArchived(context.db))
    await dropSuperfluous(context)
    return made
  })
}

/** Whether {@link requireNewest} refuses. */
async function isNewestLost({ db, archive }: ArchiveContext): Promise<boolean> {
  try {
    await requireNewest(db, archive)
    return false
  } catch (error) {
    if (error instanceof TocsinError && error.code === 'archive_damaged') return true
    throw error
  }
}

/** Whether the newest snapshot is a day old; without any, whether the oldest object is. */
export function isSnapshotDue(
  { lastSnapshot, oldest }: Pick<ArchiveSummary, 'lastSnapshot' | 'oldest'>,
  now: Date,
): boolean {
  const since = lastSnapshot ?? oldest
  return since !== undefined && since + SNAPSHOT_EVERY <= now.getTime() / 1000
}

/** Drops what {@link findSuperfluous} says; nothing while a snapshot on which that rests is not there as it was. */
async function dropSuperfluous({ db, archive, timeGrain, now }: ArchiveContext): Promise<void> {
  const sizes = new Map((await archive.list()).map(({ name, size }) => [name, size]))
  const objects = (await listArchived(db)).filter(
    ({ kind, name, size }) => kind === 'segment' || sizes.get(name) === size,
  )
  for (const object of findSuperfluous(objects, now(), timeGrain))
    await removeObject(db, archive, object)
}

/**
 * What may go: everything that the newest snapshot covers which is 48 h old, if there is a younger one besides.
 *
 * @param timeGrain to which the objects' times are truncated, seconds
 */
export function findSuperfluous<
  Object extends Pick<ArchiveObject, 'kind' | 'end'> & { readonly madeAt: number },
>(objects: readonly Object[], now: Date, timeGrain: number): Object[] {
  const snapshots = objects.filter(({ kind }) => kind === 'snapshot')
  const isOld = ({ madeAt }: Object) => madeAt + timeGrain + KEEP_FOR <= now.getTime() / 1000
  const kept = snapshots.filter(isOld).sort((a, b) => b.madeAt - a.madeAt || b.end - a.end)[0]
  if (kept === undefined || snapshots.every(isOld)) return []
  return objects.filter(
    (object) =>
      object !== kept &&
      object.end <= kept.end &&
      (object.kind === 'segment' || object.madeAt <= kept.madeAt),
  )
}
