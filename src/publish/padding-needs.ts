// Publish: which streams of a family lack keys at the end of a window; promises to ask nothing of a stream that publishes nothing.

import type { Queryable } from '../db/database.ts'
import { countWindow, mayWait } from './count-window.ts'
import { nextDue, planWindows } from './plan-windows.ts'
import type { Standing } from './releases.ts'
import type { ConfiguredStream } from './streams.ts'
import { selectKeys, type ReleaseSpan } from './window-keys.ts'

/** A stream at the end of a window of its family. Times are unix seconds. */
export interface StreamNeed {
  readonly stream: ConfiguredStream
  /** Where the keys begin that it has not published, nor is about to. */
  readonly from: number
  /** Whether it is about to publish them, if there are any. */
  readonly isPublishing: boolean
  /** Whether there are any, real or not. */
  readonly hasKeys: boolean
  /** How many new devices' keys it should have by then, and has: see {@link readNeeds}. */
  readonly wanted: number
  readonly has: number
}

/** More windows of one stream than are ever settled at once. */
const MOST_WINDOWS = 2_000

/** The ends of a family's windows that nobody published, oldest first, up to and with one that is about to be. */
export function unsettledEnds(
  family: readonly ConfiguredStream[],
  standings: ReadonlyMap<string, Standing>,
  end: number,
): number[] {
  const published = Math.max(...family.map(({ name }) => standings.get(name)?.windowEnd ?? 0))
  const ends = family.flatMap((stream) =>
    planWindows(withoutAge(stream), standings.get(stream.name)?.windowEnd, end, MOST_WINDOWS).map(
      (window) => window.end,
    ),
  )
  const open = ends.filter((each) => each > published && each < end)
  return [...new Set([...open, end])].sort((a, b) => a - b)
}

/**
 * What each stream of a family needs at the end of some of its windows.
 *
 * A stream whose own window ends later needs its part of the minimum, so that padding is spread over the window as reports
 * are; else all would have come to it in its last hour. Only keys of reports that were accepted in the window
 * count: those that an earlier upload left behind until midnight may be many, and would leave a new report's other keys alone.
 *
 * @param minimum the family's
 */
export async function readNeeds(
  db: Queryable,
  family: readonly ConfiguredStream[],
  standings: ReadonlyMap<string, Standing>,
  end: number,
  minimum: number,
): Promise<StreamNeed[]> {
  const needs: StreamNeed[] = []
  for (const stream of family) {
    // It has nothing to do with what came before it.
    if (stream.start >= end) continue
    const standing = standings.get(stream.name) as Standing
    const { from, until } = await openWindow(db, stream, standing, end)
    const span = spanOf(standing, from, end)
    const isOpen = from < end && until !== undefined && until >= end
    const isPublishing = isOpen && (await willPublish(db, stream, span))
    const part = until === undefined ? 0 : (end - from) / (until - from)
    const wanted = isPublishing ? Math.ceil(minimum * part) : 0
    const has = wanted === 0 ? 0 : await countNew(db, stream, span, wanted)
    const hasKeys = has > 0 || (wanted > 0 && (await hasAny(db, stream, span)))
    needs.push({ stream, from, isPublishing, hasKeys, wanted, has })
  }
  return needs
}

/** Where the keys of a stream begin that go out with the window that lies around a moment, or ends there; and where it ends. */
async function openWindow(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  end: number,
): Promise<{ from: number; until: number | undefined }> {
  let from = standing.keysEnd
  let last = standing.windowEnd
  // Those in between wait for the stream's window age, and were settled before.
  for (const window of planWindows(withoutAge(stream), last, end, MOST_WINDOWS)) {
    if (window.end === end) return { from, until: end }
    last = window.end
    if (!(await isHeld(db, stream, spanOf(standing, from, last)))) from = last
  }
  return { from, until: nextDue(withoutAge(stream), last) }
}

function withoutAge(stream: ConfiguredStream): ConfiguredStream {
  return { ...stream, windowAge: 0 }
}

/** All that is stored by now. */
function spanOf({ number }: Standing, from: number, end: number): OpenSpan {
  return {
    number: number + 1,
    start: from,
    keysFrom: from,
    end,
    readSeq: Number.MAX_SAFE_INTEGER,
  }
}

type OpenSpan = ReleaseSpan & { readonly keysFrom: number }

async function isHeld(db: Queryable, stream: ConfiguredStream, span: OpenSpan): Promise<boolean> {
  return (await hasAny(db, stream, span)) && !(await willPublish(db, stream, span))
}

async function hasAny(db: Queryable, stream: ConfiguredStream, span: OpenSpan): Promise<boolean> {
  const { keys } = await countWindow(db, stream, span, { keys: 1, reports: 0 })
  return keys > 0
}

/**
 * Whether a stream would publish the keys of a span, if it has any. That is so, too, where all of them are padding that others
 * needed: a file below the minimum would say so.
 */
async function willPublish(
  db: Queryable,
  stream: ConfiguredStream,
  span: OpenSpan,
): Promise<boolean> {
  if (!mayWait(stream, span)) return true
  const limits = { keys: 1, reports: stream.hold }
  const { reports } = await countWindow(db, stream, span, limits)
  return reports >= stream.hold
}

/** Counts the keys of a span whose reports, or padding devices, were accepted in it; no further than a limit. */
async function countNew(
  db: Queryable,
  stream: ConfiguredStream,
  span: OpenSpan,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ n: number }>({
    text: `select count(*) as n from (
             select from (${selectKeys(stream, span)}) as chosen join report b using (seq)
             where b.grain >= $1 limit $2) as counted`,
    values: [span.keysFrom, limit],
  })
  return rows[0]?.n ?? 0
}
