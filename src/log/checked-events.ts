// Log: a log's rows, checked one after the other; promises to tell of each gap, change, step back in time and wrong root.

import type { EventRow, LogHead } from './read-events.ts'
import { LOG_RECOVERED } from './recovered-event.ts'
import { decodeEvent, leafHashOf, type DetachedPart, type StoredEvent } from './record.ts'
import type { Retention } from './retentions.ts'
import { appendLeaf, EMPTY_FRONTIER, encodeFrontier, rootOf, type Frontier } from './tree.ts'

/** Says what is wrong, in a sentence without a full stop. */
export type Tell = (problem: string) => void

/** A recorded root with its frontier. */
export interface RecordedTree {
  readonly root: Uint8Array
  readonly frontier: Uint8Array
}

/** The events of a log as far as they were read. */
export class CheckedEvents {
  readonly #checkpoints: Map<number, RecordedTree>
  readonly #tell: Tell
  #frontier: Frontier = EMPTY_FRONTIER
  #nextSeq = 0
  #grain = 0
  #configurationSeq = 0
  #logId: unknown
  #contents = 0
  #oldestWhole: number | undefined

  /**
   * @param checkpoints the recorded roots, by size of the tree
   * @param tell is called for each problem
   */
  constructor(checkpoints: ReadonlyMap<number, RecordedTree>, tell: Tell) {
    this.#checkpoints = new Map(checkpoints)
    this.#tell = tell
  }

  /** How many events were read. */
  get count(): number {
    return this.#frontier.size
  }

  /** How many contents that are kept apart they had. */
  get contents(): number {
    return this.#contents
  }

  /** The root of the tree over them. */
  get root(): Uint8Array {
    return rootOf(this.#frontier)
  }

  /** Takes the next row; gives its event, or undefined when it can't be read. */
  add(row: EventRow): StoredEvent | undefined {
    if (row.seq > this.#nextSeq) this.#tell(describeGap(this.#nextSeq, row.seq - 1))
    this.#nextSeq = row.seq + 1
    this.#frontier = appendLeaf(this.#frontier, row.leafHash)
    this.#compareCheckpoint()
    const event = this.#read(row)
    if (event === undefined) return undefined
    if (event.grain < this.#grain)
      this.#tell(`event ${row.seq} has an earlier grain than the one before`)
    this.#grain = event.grain
    if (event.parts.some(({ retention, content }) => content === undefined && !canGo(retention)))
      this.#tell(`event ${row.seq} lacks a part that is kept as long as the log`)
    for (const part of event.parts) if (part.detached === true) this.#seeDetached(row.seq, part)
    if (event.parts.some((part) => part.retention === 'configuration'))
      this.#configurationSeq = row.seq
    // A recovery to an earlier point begins another log.
    if (row.seq === 0 || event.type === LOG_RECOVERED)
      this.#logId = (event.parts[0]?.content as { logId?: unknown } | undefined)?.logId
    return event
  }

  #read(row: EventRow): StoredEvent | undefined {
    try {
      if (!same(leafHashOf(row.record), row.leafHash)) this.#tell(`event ${row.seq} was changed`)
      const event = decodeEvent(row.record)
      if (event.seq === row.seq && event.type === row.type) return event
      this.#tell(`the row of event ${row.seq} holds event ${event.seq} of type "${event.type}"`)
    } catch {
      this.#tell(`the record of event ${row.seq} can't be read`)
    }
    return undefined
  }

  /** They are forgotten in the order in which they came. */
  #seeDetached(seq: number, { content }: DetachedPart): void {
    if (content !== undefined) {
      this.#contents++
      this.#oldestWhole ??= seq
    } else if (this.#oldestWhole !== undefined)
      this.#tell(
        `event ${seq} lacks what is kept apart from it, and the older event ${this.#oldestWhole} does not`,
      )
  }

  #compareCheckpoint(): void {
    const { size } = this.#frontier
    const recorded = this.#checkpoints.get(size)
    if (recorded === undefined) return
    this.#checkpoints.delete(size)
    if (!same(this.root, recorded.root))
      this.#tell(`the root over the first ${size} events is not the recorded one`)
    if (!same(encodeFrontier(this.#frontier), recorded.frontier))
      this.#tell(`the frontier over the first ${size} events is not the recorded one`)
  }

  /** Compares the head row with the events, when all were taken. */
  compareHead(head: LogHead): void {
    if (head.nextSeq !== this.#nextSeq)
      this.#tell(`the head says ${head.nextSeq} events, ${this.#nextSeq} are there`)
    if (head.grain < this.#grain) this.#tell('the head has an earlier grain than the last event')
    if (head.configurationSeq !== this.#configurationSeq)
      this.#tell(
        `the head says that event ${head.configurationSeq} is the newest of configuration, it is ${this.#configurationSeq}`,
      )
    if (!(this.#logId instanceof Uint8Array && same(this.#logId, head.logId)))
      this.#tell('the head has another log id than the events')
    for (const size of this.#checkpoints.keys())
      this.#tell(`the checkpoint over ${size} events is beyond the log`)
  }
}

/** Whether parts of a retention are ever erased. */
function canGo(retention: Retention): boolean {
  return retention !== 'configuration' && retention !== 'release'
}

function describeGap(first: number, last: number): string {
  return first === last ? `event ${first} is missing` : `events ${first} to ${last} are missing`
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
