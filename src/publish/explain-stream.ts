// Publish: why a key is not in a stream yet, or in which file it is; promises an answer by the very rules that releases are made by.

import type { Queryable } from '../db/database.ts'
import { REPORT_TYPE_NAMES, REVOKED } from '../format/report-type.ts'
import { readHead } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { LONGEST_HOLD } from './count-window.ts'
import { countWindow } from './count-window.ts'
import {
  findCover,
  findPublished,
  type KeyState,
  type PublishedKey,
  type StoredKey,
} from './find-published.ts'
import { nextDue, windowEnd } from './plan-windows.ts'
import type { Standing } from './releases.ts'
import type { ConfiguredStream, Stream } from './streams.ts'

/**
 * How a key stands in a stream: `published`; `embargoed` until its own validity has ended; `window_open` and `settling` until the
 * release is due, `due` when it is not made yet; `held` until there are more reports; and never: `not_in_stream`, `before_start`,
 * `after_end`, `revoked` before it was published, `withdrawn`.
 */
export type KeyVerdict =
  | 'published'
  | 'embargoed'
  | 'window_open'
  | 'settling'
  | 'due'
  | 'held'
  | 'not_in_stream'
  | 'before_start'
  | 'after_end'
  | 'revoked'
  | 'withdrawn'

/** How a key stands, in a word and a sentence. Times are ISO 8601, UTC. */
export interface Standpoint {
  readonly verdict: KeyVerdict
  readonly says: string
  /** The window that it belongs to, as far as it is known. */
  readonly window?: { readonly start: string; readonly end: string }
  /** When the next release is due that can bring it. */
  readonly nextRelease?: string
}

/** What is to be said of a key in a stream. */
export interface ExplainedStream extends Standpoint {
  readonly stream: string
  readonly published: readonly PublishedKey[]
  /** What became of its change, when it was published before that. */
  readonly revision?: Standpoint
  /** The same of its newest correction: a withdrawal, a reinstatement or an amendment. */
  readonly correction?: Standpoint
}

/** Explains a key in one stream. @param now unix seconds */
export async function explainInStream(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  key: StoredKey,
  now: number,
): Promise<ExplainedStream> {
  const published = await findPublished(db, stream.name, key)
  const asKey = published.find(({ list }) => list === 'keys')
  if (asKey === undefined)
    return {
      stream: stream.name,
      published,
      ...(await explainWaiting(db, stream, standing, key, now)),
    }
  const says = `published in release ${asKey.release}, in ${asKey.path} (${asKey.state})`
  const revision = explainRevision(stream, standing, key, published, now)
  const correction = explainCorrection(stream, standing, key, published, now)
  return {
    stream: stream.name,
    verdict: 'published',
    says,
    published,
    ...(revision === undefined ? {} : { revision }),
    ...(correction === undefined ? {} : { correction }),
  }
}

/** Why a key is in no release of a stream. */
async function explainWaiting(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  { first, revision, withdrawn, corrected }: StoredKey,
  now: number,
): Promise<Standpoint> {
  if (withdrawn) return never('withdrawn', 'it is withdrawn')
  // What is reinstated comes with the window of that.
  if (corrected !== null && corrected >= (standing.windowEnd ?? stream.start))
    return explainPending(db, stream, standing, Math.max(corrected, first.available), now)
  const cover = await findCover(db, stream.name, first.available)
  const config = cover?.stream ?? stream
  const reportRefusal = refuseReport(config, first)
  const isRevoked = never('revoked', 'it was revoked before it was published, and so is nowhere')
  if (reportRefusal === undefined) {
    // Whatever it was revised to before it goes out is what goes out.
    const isMerged = cover === undefined || (revision?.seq ?? Infinity) < cover.readSeq
    const final = isMerged ? (revision ?? first) : first
    if (final.reportType === REVOKED) return isRevoked
    const typeRefusal = refuseType(config, final)
    if (cover === undefined)
      return typeRefusal === undefined
        ? explainPending(db, stream, standing, first.available, now)
        : never('not_in_stream', typeRefusal)
    if (isMerged || revision === undefined)
      return never('not_in_stream', typeRefusal ?? `release ${cover.number} was made without it`)
  } else if (revision === undefined || refuseReport(stream, revision) !== undefined)
    return never('not_in_stream', reportRefusal)
  // What is left comes into the stream only by its revision, in the window of that.
  if (revision.reportType === REVOKED) return isRevoked
  const typeRefusal = refuseType(stream, revision)
  if (typeRefusal !== undefined) return never('not_in_stream', typeRefusal)
  const later = await findCover(db, stream.name, revision.available)
  if (later === undefined) return explainPending(db, stream, standing, revision.available, now)
  return never('not_in_stream', `release ${later.number} was made without it`)
}

/** What became of the change of a key that was published; undefined when there is none. */
function explainRevision(
  stream: ConfiguredStream,
  standing: Standing,
  { revision }: StoredKey,
  published: readonly PublishedKey[],
  now: number,
): Standpoint | undefined {
  const asKey = published.find(({ list }) => list === 'keys')
  if (revision === undefined || asKey === undefined) return undefined
  const type = REPORT_TYPE_NAMES[revision.reportType] ?? ''
  if (revision.seq < asKey.readSeq)
    return { verdict: 'published', says: `published as ${type} from the first` }
  const asRevised = published.find(({ list }) => list === 'revisedKeys')
  if (asRevised !== undefined)
    return {
      verdict: 'published',
      says: `the change to ${type} is published in release ${asRevised.release}, in ${asRevised.path} (${asRevised.state})`,
    }
  if (revision.available < (standing.windowEnd ?? stream.start))
    return never('not_in_stream', `the release of that time was made without the change to ${type}`)
  return pendingIn(stream, standing, revision.available, now)
}

/** What became of the newest correction of a key that was published; undefined when there is none. */
function explainCorrection(
  stream: ConfiguredStream,
  standing: Standing,
  { corrected, withdrawn }: StoredKey,
  published: readonly PublishedKey[],
  now: number,
): Standpoint | undefined {
  if (corrected === null) return undefined
  if (corrected >= (standing.windowEnd ?? stream.start))
    return pendingIn(stream, standing, corrected, now)
  const told = published.findLast(({ list }) => list === 'revisedKeys')
  const says =
    told === undefined
      ? 'its newest correction changes nothing that was published'
      : `its state of today is published in release ${told.release}, in ${told.path} (${told.state})`
  return { verdict: withdrawn ? 'withdrawn' : 'published', says }
}

/** When a key goes out that nothing keeps from it. */
async function explainPending(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  available: number,
  now: number,
): Promise<Standpoint> {
  const { windowEnd: lastEnd } = standing
  if (available < stream.start)
    return never('before_start', `the stream begins at ${formatTimestamp(stream.start)}, after it`)
  if (lastEnd !== undefined && available < lastEnd)
    return explainHeld(db, stream, standing, lastEnd)
  const pending = pendingIn(stream, standing, available, now)
  if (pending.window === undefined) return pending
  const start = Date.parse(pending.window.start) / 1000
  const hold =
    stream.hold === 0
      ? ''
      : `; with fewer than ${stream.hold} reports it is held, until ${formatTimestamp(lastRelease(stream, start))} at the latest`
  const padding =
    stream.minimum === 0
      ? ''
      : `; fewer than ${stream.minimum} keys are padded, which delays nothing`
  return { ...pending, says: `${pending.says}${hold}${padding}` }
}

/** In which window a moment falls that no release has covered, and when that is due. */
export function pendingIn(
  stream: Stream,
  standing: Standing,
  moment: number,
  now: number,
): Standpoint {
  if (stream.through !== null && moment >= stream.through)
    return never('after_end', `the stream ends at ${formatTimestamp(stream.through)}, before it`)
  const aligned = windowEnd(stream.period, moment)
  const start = Math.max(aligned - stream.period, standing.windowEnd ?? stream.start)
  const end = Math.min(aligned, stream.through ?? Infinity)
  const due = end + stream.windowAge
  const window = { start: formatTimestamp(start), end: formatTimestamp(end) }
  const place = { window, nextRelease: formatTimestamp(due) }
  const range = `${window.start} to ${window.end}`
  if (now < moment)
    return {
      verdict: 'embargoed',
      says: `not before ${formatTimestamp(moment)}, since it was still valid when it came; then in the window ${range}, due at ${place.nextRelease}`,
      ...place,
    }
  if (now < end)
    return {
      verdict: 'window_open',
      says: `the window ${range} is open; its release is due at ${place.nextRelease}`,
      ...place,
    }
  if (now < due)
    return {
      verdict: 'settling',
      says: `the window ${range} has ended and settles; its release is due at ${place.nextRelease}`,
      ...place,
    }
  return {
    verdict: 'due',
    says: `the window ${range} is due since ${place.nextRelease} and not made yet: a publisher makes it, or says in its log why it can't`,
    ...place,
  }
}

/** A key whose window was released without it, for want of company. */
async function explainHeld(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  lastEnd: number,
): Promise<Standpoint> {
  const { keysEnd, number } = standing
  const due = nextDue(stream, lastEnd)
  if (due === undefined) return never('after_end', 'the stream ended meanwhile')
  const end = due - stream.windowAge
  const { nextSeq: readSeq } = await readHead(db)
  const span = { number: number + 1, start: lastEnd, end, keysFrom: keysEnd, readSeq }
  const limits = { keys: 1, reports: stream.hold }
  const { reports } = await countWindow(db, stream, span, limits)
  const latest = formatTimestamp(lastRelease(stream, keysEnd))
  return {
    verdict: 'held',
    says: `held since ${formatTimestamp(keysEnd)}, with ${reports} of ${stream.hold} reports so far; tried again at ${formatTimestamp(due)}, out at ${latest} at the latest`,
    window: { start: formatTimestamp(keysEnd), end: formatTimestamp(end) },
    nextRelease: formatTimestamp(due),
  }
}

/** When keys go out at the latest that are held from some moment on. */
export function lastRelease({ period, windowAge, through }: Stream, heldFrom: number): number {
  const end = windowEnd(period, heldFrom + LONGEST_HOLD - 1)
  return Math.min(end, through ?? Infinity) + windowAge
}

/** How something stands that no later release brings. */
export function never(verdict: KeyVerdict, says: string): Standpoint {
  return { verdict, says }
}

/** Why no key of a report is in a stream: the words for what `matchReport` says. */
export function refuseReport(
  stream: Stream,
  { regions, traveler }: Pick<KeyState, 'regions' | 'traveler'>,
): string | undefined {
  const { inputRegions, excludedRegions, travelers } = stream
  const excluded = regions.filter((region) => excludedRegions.includes(region))
  if (excluded.length > 0) return `the stream leaves out ${excluded.join(', ')}`
  if (travelers === 'exclude' && traveler) return "the stream leaves out travelers' keys"
  if (travelers === 'include' && traveler) return undefined
  if (regions.some((region) => inputRegions.includes(region))) return undefined
  return `its report is of ${regions.join(', ')}, the stream takes ${inputRegions.join(', ')}`
}

/** Why a stream does not publish a report type: the words for what `matchType` says. */
function refuseType({ reportTypes }: Stream, { reportType }: KeyState): string | undefined {
  if (reportTypes.length === 0 || reportTypes.includes(reportType)) return undefined
  return `the stream does not publish ${REPORT_TYPE_NAMES[reportType] ?? ''}`
}
