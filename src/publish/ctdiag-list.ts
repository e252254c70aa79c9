// Publish: a stream's keys as one list of records, composed from its zips; promises that the list follows from the zips alone, and that a release reads no zip but its own.

import { createHash } from 'node:crypto'
import { listPaths } from '../distribute/ctdiag-paths.ts'
import type { ObjectStore } from '../distribute/directory-store.ts'
import { TocsinError } from '../errors.ts'
import { RECORD_LENGTH, toDayRecords } from '../format/ctdiag.ts'
import {
  groupByRelease,
  readFresh,
  recordsOfPiece,
  withoutCorrected,
  type Fresh,
  type ListedRelease,
  type Piece,
} from './ctdiag-pieces.ts'
import type { FileRow } from './releases.ts'

/** The three files of a list, their bytes made anew by each call. */
export interface ListContents {
  /** Records of 21 bytes. */
  records(): AsyncIterable<Uint8Array>
  /** The same keys in the same order, records of 18 bytes. */
  dayRecords(): AsyncIterable<Uint8Array>
  /** What the listed zips correct, 16 bytes a key, each release's sorted. */
  corrected(): AsyncIterable<Uint8Array>
}

/** A piece as it lies in a list. */
interface ListedPiece extends Piece {
  /** Records that are its own still. */
  readonly count: number
}

/** A list that was composed. */
interface ComposedList {
  readonly pieces: readonly ListedPiece[]
  /** SHA-256 of its records. */
  readonly digest: Uint8Array
}

/** How a list is made: from what lies in the store, and from zips. */
interface Plan extends Fresh {
  /** What is taken from the list in the store; undefined when nothing is. */
  readonly base: ComposedList | undefined
  /** Pieces of the base whose time is over: it begins with them. */
  readonly gone: readonly ListedPiece[]
  /** The others. */
  readonly kept: readonly ListedPiece[]
}

type ListStore = Pick<ObjectStore, 'read' | 'stream' | 'inspect'>

/**
 * Makes what gives the list of a stream.
 *
 * The list has, for each release whose zips are listed, oldest first: the keys that it corrects, but for those that are revoked; then
 * those that it brings; both sorted by the keys' bytes. A key that a later release corrects is not at its earlier place. So each key
 * is there once, and what a release changes stands behind everything that was there before.
 *
 * A release reads its own zips: the rest is copied from the list in the store, as it is remembered what each release gave to it. All
 * zips are read when nothing is remembered, and when the list in the store is not the one that is remembered.
 *
 * @returns what gives the contents for the zips that are listed; each content throws TocsinError `store_conflict` when a zip is not as it
 * was published, and `store_failed`
 */
export function createList(
  store: ListStore,
  stream: string,
): (files: readonly FileRow[]) => ListContents {
  const path = listPaths(stream).records
  let composed: ComposedList | undefined

  return (files) => {
    let planned: Promise<Plan> | undefined
    const plan = () => (planned ??= planList(store, files, composed))
    const planToCopy = async () => {
      const { base } = await plan()
      if (base !== undefined && !(await lies(store, path, base)))
        planned = planList(store, files, undefined)
      return plan()
    }
    return {
      async *records() {
        const current = await planToCopy()
        const pieces = [...current.kept, ...current.fresh]
        const counts = pieces.map(() => 0)
        const hash = createHash('sha256')
        for await (const { place, records } of readList(store, path, current)) {
          counts[place] = (counts[place] ?? 0) + records.length / RECORD_LENGTH
          hash.update(records)
          yield records
        }
        composed = {
          pieces: pieces.map(({ seq, paths, corrected }, place) => ({
            seq,
            paths,
            corrected,
            count: counts[place] ?? 0,
          })),
          digest: hash.digest(),
        }
      },
      async *dayRecords() {
        for await (const { records } of readList(store, path, await planToCopy()))
          yield toDayRecords(records)
      },
      async *corrected() {
        const { kept, fresh } = await plan()
        for (const { corrected } of [...kept, ...fresh]) yield corrected
      },
    }
  }
}

async function planList(
  store: ListStore,
  files: readonly FileRow[],
  composed: ComposedList | undefined,
): Promise<Plan> {
  const releases = groupByRelease(files)
  const base = composed && splitPieces(composed, releases)
  const kept = base?.kept ?? []
  const fresh = await readFresh(store, releases.slice(kept.length), kept.length)
  return { base: base && composed, gone: base?.gone ?? [], kept, ...fresh }
}

/** What is over of a list and what stays; undefined when nothing stays. */
function splitPieces(
  { pieces }: ComposedList,
  releases: readonly ListedRelease[],
): { readonly gone: readonly ListedPiece[]; readonly kept: readonly ListedPiece[] } | undefined {
  const first = pieces.findIndex(({ seq }) => seq === releases[0]?.seq)
  if (first < 0) return undefined
  const gone = pieces.slice(0, first)
  const kept = pieces.slice(first)
  const isSame = kept.every(
    ({ seq, paths }, place) => releases[place]?.seq === seq && releases[place].paths === paths,
  )
  return isSame ? { gone, kept } : undefined
}

/** Whether a list lies in the store as it was composed. */
async function lies(store: ListStore, path: string, { digest }: ComposedList): Promise<boolean> {
  const found = (await store.inspect(path))?.digest
  return found !== undefined && Buffer.compare(found, digest) === 0
}

/** Records of one piece, by its place among all that are kept or fresh. */
interface Part {
  readonly place: number
  readonly records: Uint8Array
}

async function* readList(store: ListStore, path: string, plan: Plan): AsyncGenerator<Part> {
  const { base, kept, fresh, corrections } = plan
  const parts = [
    ...(base === undefined ? [] : [readKept(store, path, plan)]),
    ...fresh.map((piece, index) => inPlace(kept.length + index, recordsOfPiece(store, piece))),
  ]
  for (const part of parts)
    for await (const { place, records } of part)
      yield { place, records: withoutCorrected(records, corrections, place) }
}

async function* inPlace(
  place: number,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Part, void> {
  for await (const records of pieces) yield { place, records }
}

/** What stays of the list in the store, cut where its pieces end. */
async function* readKept(
  store: ListStore,
  path: string,
  { gone, kept }: Plan,
): AsyncGenerator<Part, void> {
  const counts = kept.map(({ count }) => count)
  const start = gone.reduce((sum, { count }) => sum + count, 0) * RECORD_LENGTH
  let rest: Uint8Array = new Uint8Array()
  let place = 0
  for await (const bytes of (await store.stream(path, start)) ?? []) {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    while (rest.length >= RECORD_LENGTH && place < counts.length) {
      const left = counts[place] ?? 0
      const count = Math.min(left, Math.floor(rest.length / RECORD_LENGTH))
      if (count > 0) yield { place, records: rest.subarray(0, count * RECORD_LENGTH) }
      rest = rest.subarray(count * RECORD_LENGTH)
      counts[place] = left - count
      if (counts[place] === 0) place += 1
    }
  }
  // Replaced since it was looked at: nobody may take a part for the whole.
  if (rest.length > 0 || counts.some((count) => count > 0))
    throw new TocsinError('store_conflict', `${path} was changed while it was read.`)
}
