// Recover: from which objects of an archive a log is read; promises the farthest that one snapshot and the segments behind it reach, and to say what is in the way of more.

import { TocsinError } from '../errors.ts'
import type { ArchiveContents, DamagedObject, KnownObject } from './read-headers.ts'

/** The objects that give a log, in the order in which they are read. */
export interface Chain {
  readonly logId: Uint8Array
  /** Seconds to which the times of the log are truncated. */
  readonly timeGrain: number
  /** First the snapshot, if any. */
  readonly objects: readonly KnownObject[]
  /** All events below this number are in them. */
  readonly end: number
  /** Of the newest event, unix seconds. */
  readonly grain: number
  /** Up to which number any object says that events were archived. */
  readonly claimed: number
  /** What was passed over, in sentences. */
  readonly notes: readonly string[]
  /** Why it does not reach `claimed`, in sentences; empty when it does. */
  readonly problems: readonly string[]
}

/**
 * Plans it. A snapshot that is damaged is passed over for an older one, as long as the segments behind that are there.
 *
 * @throws TocsinError `archive_forked` when the objects are of several logs, `archive_damaged` when none can be begun with
 */
export function planChain({ known, damaged }: ArchiveContents): Chain {
  refuseSeveralLogs(known)
  const claimed = Math.max(...[...known, ...damaged].map(({ end }) => end))
  const begins = [
    ...known.filter(({ kind }) => kind === 'snapshot').sort((a, b) => b.end - a.end),
    undefined,
  ]
  const chains = begins.map((snapshot) => follow(snapshot, known))
  // Of those that reach as far, the one with the newest snapshot: the least is read, and the most is erased.
  const farthest = Math.max(...chains.map(endOf))
  const objects = chains.find((chain) => endOf(chain) === farthest) ?? []
  const last = objects.at(-1)
  if (last === undefined)
    throw new TocsinError(
      'archive_damaged',
      `${damaged[0]?.problem ?? 'Neither a snapshot nor the first segment is there.'} Nothing can be recovered without it: fetch another copy of the archive.`,
    )
  return {
    logId: last.header.logId,
    timeGrain: last.header.timeGrain,
    objects,
    end: last.end,
    grain: last.header.grain,
    claimed,
    notes: describePassedOver(objects, damaged),
    problems: last.end === claimed ? [] : describeMissing(last.end, claimed, known, damaged),
  }
}

function endOf(chain: readonly KnownObject[]): number {
  return chain.at(-1)?.end ?? 0
}

function refuseSeveralLogs(known: readonly KnownObject[]): void {
  const [first] = known
  const other = known.find(
    ({ header }) => first !== undefined && !same(header.logId, first.header.logId),
  )
  if (first !== undefined && other !== undefined)
    throw new TocsinError(
      'archive_forked',
      `${first.name} and ${other.name} are of two logs: put the objects of each into a folder of its own.`,
    )
}

/** The segments behind a snapshot, as far as one follows the other. */
function follow(snapshot: KnownObject | undefined, known: readonly KnownObject[]): KnownObject[] {
  const segments = known.filter(({ kind }) => kind === 'segment')
  const chain = snapshot === undefined ? [] : [snapshot]
  for (;;) {
    const last = chain.at(-1)
    const at = last?.end ?? 0
    const next = segments
      .filter(({ first, end }) => first <= at && end > at)
      // What names the one before was written behind it; of the others the longest, as a shorter one was left by a crash.
      .sort((a, b) => Number(isBehind(b, last)) - Number(isBehind(a, last)) || b.end - a.end)[0]
    if (next === undefined) return chain
    refuseUnlinked(next, last, segments)
    chain.push(next)
  }
}

function isBehind(
  { first, header: { previous } }: KnownObject,
  last: KnownObject | undefined,
): boolean {
  if (last === undefined) return previous === null
  const named = last.kind === 'snapshot' ? hex(last.header.previous) : last.digest
  return first === last.end && hex(previous) === named
}

/** A segment names the one before it: when that is there under another name, this one follows something that is not. */
function refuseUnlinked(
  segment: KnownObject,
  last: KnownObject | undefined,
  segments: readonly KnownObject[],
): void {
  const named = hex(segment.header.previous)
  const before = segments.filter(({ end }) => end === segment.first)
  const isLinked =
    segment.first === 0
      ? named === ''
      : before.length === 0
        ? last?.kind !== 'snapshot' || last.end !== segment.first || isBehind(segment, last)
        : before.some(({ digest }) => digest === named)
  if (!isLinked)
    throw new TocsinError(
      'archive_forked',
      `${segment.name} was written behind another segment than ${before[0]?.name ?? last?.name ?? 'none'}: take one of the two away.`,
    )
}

function describePassedOver(
  chain: readonly KnownObject[],
  damaged: readonly DamagedObject[],
): string[] {
  const end = endOf(chain)
  return damaged
    .filter((object) => object.end <= end)
    .map(({ problem, kind }) =>
      kind === 'snapshot'
        ? `${problem} It is passed over: ${chain[0]?.kind === 'snapshot' ? `${chain[0].name} and the segments behind it` : 'the segments'} hold the same.`
        : `${problem} It is not needed: other objects hold its events.`,
    )
}

function describeMissing(
  end: number,
  claimed: number,
  known: readonly KnownObject[],
  damaged: readonly DamagedObject[],
): string[] {
  const inTheWay = damaged.filter((object) => object.end > end && object.first <= end)
  const next = known
    .filter(({ kind, first }) => kind === 'segment' && first > end)
    .sort((a, b) => a.first - b.first)[0]
  const until = (next?.first ?? claimed) - 1
  return [
    ...inTheWay.map(({ problem }) => problem),
    inTheWay.length > 0
      ? `Without it events ${end} to ${claimed - 1} are lost.`
      : `The segment of events ${end} to ${until} is missing; without it events ${end} to ${claimed - 1} are lost.`,
    'Fetch another copy of the file; take away what this log never wrote.',
  ]
}

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes).toString('hex')
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
