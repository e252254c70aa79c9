// Recover: the point of a log that a recovery ends at; promises to say how far back an archive reaches, and what lies behind the point, before anything is recovered.

import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain } from '../log/append-event.ts'
import type { EventRow } from '../log/read-events.ts'
import { decodeKnownEvent } from '../log/record.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { releaseContent } from '../publish/earlier-events.ts'
import { RELEASE } from '../publish/releases.ts'
import { AMENDMENT, REINSTATEMENT, WITHDRAWAL } from '../submit/corrections.ts'
import { isReport } from '../submit/report-types.ts'
import type { CarryLimits } from './carry-event.ts'
import { planChain, type Chain } from './plan-chain.ts'
import { readChain } from './read-chain.ts'
import type { KnownObject } from './read-headers.ts'
import type { RecoverySource } from './recover-zone.ts'

/** Where to end: before an event, by its number; or with all that was accepted before a moment. */
export type Until = { readonly seq: number } | { readonly time: Date }

/** What a recovery to a point leaves out. */
export interface RecoveryPoint extends CarryLimits {
  /** The number of the first event that is left out. */
  readonly untilSeq: number
  /** The number behind the last event of the old log. */
  readonly endSeq: number
  /** Reports behind the point, and how many of them are carried, since releases were read from them. */
  readonly reports: number
  readonly carriedReports: number
  /** Corrections behind the point; they are undone. */
  readonly corrections: number
  /** Releases behind the point; they are carried. */
  readonly releases: number
}

/** An archive and the point to which it is recovered. */
export interface PointedSource extends RecoverySource {
  readonly point: RecoveryPoint
}

/**
 * Finds the point, and plans how the log is read up to it. A moment is truncated to the time grain: what was accepted in the grain that it
 * lies in is left out, for nobody can tell which of it came before.
 *
 * @param onProgress told of the number of events that were read
 * @returns undefined when nothing lies behind the point: then the whole log is what is asked for
 * @throws TocsinError `recovery_point_invalid`, `recovery_point_unreachable`; of reading the archive
 */
export async function findPoint(
  source: RecoverySource,
  until: Until,
  onProgress: (events: number) => void = () => undefined,
): Promise<PointedSource | undefined> {
  const { chain, contents } = source
  if ('seq' in until && until.seq > chain.end)
    throw invalid(`the log has ${chain.end} events, there is no event ${until.seq}`)
  const dropped = new DroppedEvents(until, chain, contents.known)
  const { pages, tree } = readChain(source.archive, source.identities, chain, contents)
  for await (const page of pages) {
    for (const row of page) dropped.add(row)
    onProgress(tree().size)
  }
  const point = dropped.point
  if (point === undefined) return undefined
  if (point.untilSeq === 0) throw invalid('nothing lies before the log\u2019s first event')
  return { ...source, chain: reachBack(source, point.untilSeq), point }
}

function invalid(problem: string): TocsinError {
  return new TocsinError(
    'recovery_point_invalid',
    `The log can't be recovered to this point: ${problem}.`,
  )
}

/** Looks for the point, and at what comes from there on. */
class DroppedEvents {
  readonly #until: Until
  readonly #end: number
  /** The time in unix seconds, at a time grain; and below which number all events are earlier, as headers say. */
  readonly #time: number
  readonly #earlier: number
  #untilSeq: number | undefined
  #reportsUntil = 0
  #streamsUntil = 0
  #releases = 0
  #corrections = 0
  readonly #reports: number[] = []

  constructor(until: Until, { end, timeGrain }: Chain, known: readonly KnownObject[]) {
    this.#until = until
    this.#end = end
    const time = 'time' in until ? truncateToGrain(until.time, timeGrain) : 0
    this.#time = time
    this.#earlier = Math.max(
      0,
      ...known.filter(({ header }) => header.grain < time).map((each) => each.end),
    )
  }

  add(row: EventRow): void {
    this.#untilSeq ??= this.#isBehind(row) ? row.seq : undefined
    if (this.#untilSeq === undefined) return
    if (isReport(row.type)) this.#reports.push(row.seq)
    if ([WITHDRAWAL, REINSTATEMENT, AMENDMENT].includes(row.type)) this.#corrections++
    if (row.type !== RELEASE) return
    this.#releases++
    this.#streamsUntil = row.seq
    const { files, readSeq } = releaseContent(decodeKnownEvent(row.record))
    // What no file was read from, nobody has seen.
    if (files.length > 0) this.#reportsUntil = Math.max(this.#reportsUntil, readSeq)
  }

  #isBehind({ seq, record }: EventRow): boolean {
    if ('seq' in this.#until) return seq >= this.#until.seq
    return seq >= this.#earlier && decodeKnownEvent(record).grain >= this.#time
  }

  get point(): RecoveryPoint | undefined {
    if (this.#untilSeq === undefined) return undefined
    const reportsUntil = this.#reportsUntil
    return {
      untilSeq: this.#untilSeq,
      endSeq: this.#end,
      reportsUntil,
      streamsUntil: this.#streamsUntil,
      reports: this.#reports.length,
      carriedReports: this.#reports.filter((seq) => seq < reportsUntil).length,
      corrections: this.#corrections,
      releases: this.#releases,
    }
  }
}

/**
 * The chain from a snapshot that was made at the point or before it: a later one lacks what was erased since.
 *
 * @throws TocsinError `recovery_point_unreachable`
 */
function reachBack({ contents, chain }: RecoverySource, point: number): Chain {
  const { known, damaged } = contents
  const segments = known.filter(({ kind }) => kind === 'segment')
  const snapshots = known.filter(({ kind }) => kind === 'snapshot').sort((a, b) => a.end - b.end)
  const plan = (begins: readonly KnownObject[]): Chain | undefined => {
    const objects = [...begins, ...segments]
    if (begins.length === 0 && !segments.some(({ first }) => first === 0)) return undefined
    const planned = planChain({ known: objects, damaged })
    return planned.end === chain.end ? planned : undefined
  }
  const planned = plan(snapshots.filter(({ end }) => end <= point))
  if (planned !== undefined) return planned
  const oldest = snapshots.find((snapshot) => plan([snapshot]) !== undefined)
  throw new TocsinError(
    'recovery_point_unreachable',
    oldest === undefined
      ? undefined
      : `The archive reaches back to event ${oldest.end}, behind what was accepted at ${formatTimestamp(oldest.header.grain)}: of what was before, it has only what is left of it since. Give a later point.`,
  )
}

/** The zone of an archive. */
export function zoneOf({ chain }: RecoverySource): Zone {
  return chain.objects.at(-1)?.header.zone ?? 'key'
}
