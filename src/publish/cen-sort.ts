// Publish: sorts contact event numbers that no memory holds; promises memory that does not grow with them, whatever they are, and each number once.

import { open, rm, type FileHandle } from 'node:fs/promises'
import { storeFailed } from '../distribute/store-error.ts'
import { NUMBER_BYTES } from '../format/number-file.ts'
import { bitsAt, NUMBER_BITS, sortNumbers } from './sort-numbers.ts'

/**
 * Sorts numbers in groups. They are scattered by their first bits to buckets, which lie in pieces in one file, and each bucket is
 * sorted in memory when it is read.
 */
export interface NumberSorter extends AsyncDisposable {
  /** Takes numbers of a group. @param packed 16 bytes each, at a multiple of 4 in their buffer; not looked at later */
  add(group: number, packed: Uint8Array): Promise<void>
  /** The numbers of some groups together in ascending order of their bytes, each once. To be called once all are in. */
  sorted(groups: readonly number[]): AsyncGenerator<Uint8Array>
}

/** Numbers that a bucket is meant to have, and the most that are sorted at once: 4 MB. Sorting them keeps everybody else waiting for 50 ms. */
const BUCKET = 2 ** 16
const MOST_AT_ONCE = 2 ** 18

/** Bytes that all pieces that are being filled may have, and one of them. */
const FILLING_BYTES = 32 << 20
const MOST_PIECE_BYTES = 1 << 16
const LEAST_PIECE_BYTES = 1 << 10

/** Bytes that are written at once. */
const WRITE_BYTES = 1 << 20

/** Buckets of all groups at the most, as a power of two, and those into which one is scattered again that has become too large. */
const MOST_BITS = 14
const AGAIN_BITS = 6

/**
 * Opens a sorter.
 *
 * @param path of the file, which has no name any more when this returns: it is gone with the process
 * @param sizes numbers that each group will have; no more than a guess. Groups that are read together are to be given the size of all of them
 * @throws TocsinError `store_failed` when the file can't be written or read, here and later
 */
export async function openNumberSorter(
  path: string,
  sizes: readonly number[],
): Promise<NumberSorter> {
  const handle = await open(path, 'wx+', 0o600).catch(storeFailed(path))
  await rm(path).catch(storeFailed(path))
  const bits = sizes.map((size) => bitsFor(size, sizes.length))
  const buckets = bits.reduce((sum, each) => sum + 2 ** each, 0)
  const pieces = pieceFile(handle, path, pieceBytes(buckets))
  const groups = bits.map((each) => startScatter(pieces, 0, each))
  return {
    async add(group, packed) {
      groups[group]?.add(packed)
      await pieces.keepUp()
    },
    async *sorted(chosen) {
      const some = chosen.map((group) => groups[group] as Scatter)
      // The group of more buckets gives several of them for one of the others.
      const common = Math.min(...some.map((each) => each.bits))
      const bucketsOf = (range: number) => some.flatMap((each) => each.bucketsOf(range, common))
      let next = loadBuckets(pieces, bucketsOf(0))
      for (let range = 0; range < 2 ** common; range++) {
        const packed = await next
        // Read while these are sorted, and while whoever gets them writes them.
        if (range + 1 < 2 ** common) next = loadBuckets(pieces, bucketsOf(range + 1))
        next.catch(() => undefined)
        yield* sortBuckets(pieces, bucketsOf(range), packed, common)
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

function bitsFor(size: number, groups: number): number {
  const bits = Math.ceil(Math.log2(Math.max(1, size / BUCKET)))
  return Math.max(0, Math.min(bits, MOST_BITS - Math.ceil(Math.log2(groups))))
}

function pieceBytes(buckets: number): number {
  const bytes = Math.floor(FILLING_BYTES / buckets / NUMBER_BYTES) * NUMBER_BYTES
  return Math.max(LEAST_PIECE_BYTES, Math.min(bytes, MOST_PIECE_BYTES))
}

/** Numbers that begin alike: the places of their full pieces, and the piece that is being filled. */
interface Bucket {
  readonly places: number[]
  filling: Uint32Array | undefined
  /** Words that the piece has so far. */
  words: number
}

const WORDS = NUMBER_BYTES / 4

/** Buckets by some bits of a number. */
interface Scatter {
  readonly bits: number
  add(packed: Uint8Array): void
  /** The buckets of numbers whose first `common` of these bits are `range`. */
  bucketsOf(range: number, common: number): Bucket[]
}

/** @param offset bits that all numbers have in common */
function startScatter(pieces: PieceFile, offset: number, bits: number): Scatter {
  const buckets = Array.from({ length: 2 ** bits }, (): Bucket => ({
    places: [],
    filling: undefined,
    words: 0,
  }))
  return {
    bits,
    add(packed) {
      const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
      const words = new Uint32Array(packed.buffer, packed.byteOffset, packed.byteLength / 4)
      for (let word = 0; word < words.length; word += WORDS) {
        const index = bits === 0 ? 0 : bitsAt(view, word * 4, offset) >>> (32 - bits)
        const bucket = buckets[index] as Bucket
        const filling = (bucket.filling ??= pieces.take())
        // Faster than a copy of 16 bytes by the engine.
        filling[bucket.words] = words[word] as number
        filling[bucket.words + 1] = words[word + 1] as number
        filling[bucket.words + 2] = words[word + 2] as number
        filling[bucket.words + 3] = words[word + 3] as number
        bucket.words += WORDS
        if (bucket.words === filling.length) pieces.putFull(bucket)
      }
    },
    bucketsOf(range, common) {
      const each = 2 ** (bits - common)
      return buckets.slice(range * each, (range + 1) * each)
    },
  }
}

/** The numbers of buckets; undefined when they are more than are sorted at once. */
async function loadBuckets(
  pieces: PieceFile,
  buckets: readonly Bucket[],
): Promise<Uint8Array | undefined> {
  const count = buckets.reduce((sum, each) => sum + pieces.countOf(each), 0)
  if (count > MOST_AT_ONCE) return undefined
  const packed = new Uint8Array(count * NUMBER_BYTES)
  let length = 0
  const reading: Promise<void>[] = []
  for (const bucket of buckets) {
    reading.push(pieces.readInto(packed, length, bucket))
    length += pieces.countOf(bucket) * NUMBER_BYTES
  }
  await Promise.all(reading)
  return packed
}

/**
 * Gives the numbers of buckets sorted.
 *
 * @param packed what {@link loadBuckets} gave of them
 * @param offset bits that all of them have in common
 */
async function* sortBuckets(
  pieces: PieceFile,
  buckets: readonly Bucket[],
  packed: Uint8Array | undefined,
  offset: number,
): AsyncGenerator<Uint8Array> {
  if (packed !== undefined) {
    if (packed.length > 0) yield sortNumbers(packed, offset)
    return
  }
  // Random ones are never so many that begin alike: somebody has chosen these.
  if (offset >= NUMBER_BITS) {
    yield await firstOf(pieces, buckets)
    return
  }
  const again = startScatter(pieces, offset, AGAIN_BITS)
  for (const bucket of buckets)
    for await (const piece of pieces.read(bucket)) {
      again.add(piece)
      await pieces.keepUp()
    }
  for (let range = 0; range < 2 ** AGAIN_BITS; range++) {
    const own = again.bucketsOf(range, AGAIN_BITS)
    yield* sortBuckets(pieces, own, await loadBuckets(pieces, own), offset + AGAIN_BITS)
  }
}

/** One of those that are all the same. */
async function firstOf(pieces: PieceFile, buckets: readonly Bucket[]): Promise<Uint8Array> {
  for (const bucket of buckets)
    for await (const piece of pieces.read(bucket)) return piece.slice(0, NUMBER_BYTES)
  throw new Error('there is no number')
}

/** Pieces of buckets, in memory while they are filled and in a file afterwards. */
interface PieceFile {
  take(): Uint32Array
  /** Takes the full piece of a bucket over. */
  putFull(bucket: Bucket): void
  /** Waits until no more waits to be written than is good. */
  keepUp(): Promise<void>
  /** How many numbers a bucket has. */
  countOf(bucket: Bucket): number
  /** Copies what a bucket has to `offset`; its pieces are read at once. */
  readInto(target: Uint8Array, offset: number, bucket: Bucket): Promise<void>
  /** What a bucket has; a piece is there until the next one is asked for. */
  read(bucket: Bucket): AsyncGenerator<Uint8Array>
}

function pieceFile(handle: FileHandle, path: string, bytes: number): PieceFile {
  const free: Uint32Array[] = []
  const full: Uint32Array[] = []
  let written = 0
  const flush = async () => {
    const pieces = full.splice(0)
    const { bytesWritten } = await handle
      .writev(pieces, written - pieces.length * bytes)
      .catch(storeFailed(path))
    if (bytesWritten < pieces.length * bytes)
      storeFailed(path)(Object.assign(new Error('a part could not be written'), { code: 'EIO' }))
    free.push(...pieces)
  }
  let writing = Promise.resolve()
  const startWriting = () => {
    writing = flush()
    // Whoever waits for it hears of a failure; until then it is nobody's.
    writing.catch(() => undefined)
  }
  /** Everything that was taken over can be read. */
  const settle = async () => {
    if (full.length > 0) {
      await writing
      if (full.length > 0) startWriting()
    }
    await writing
  }
  const readPiece = async (target: Uint8Array, offset: number, place: number) => {
    const { bytesRead } = await handle.read(target, offset, bytes, place).catch(storeFailed(path))
    if (bytesRead < bytes)
      storeFailed(path)(Object.assign(new Error('a part could not be read'), { code: 'EIO' }))
  }
  return {
    take: () => free.pop() ?? new Uint32Array(bytes / 4),
    putFull(bucket) {
      full.push(bucket.filling as Uint32Array)
      bucket.places.push(written)
      written += bytes
      bucket.filling = undefined
      bucket.words = 0
    },
    async keepUp() {
      if (full.length * bytes < WRITE_BYTES) return
      // The one before; this one is written while the next ones fill.
      await writing
      startWriting()
    },
    countOf: ({ places, words }) => (places.length * bytes + words * 4) / NUMBER_BYTES,
    async readInto(target, offset, { places, filling, words }) {
      await settle()
      await Promise.all(
        places.map((place, index) => readPiece(target, offset + index * bytes, place)),
      )
      if (filling !== undefined)
        target.set(new Uint8Array(filling.buffer, 0, words * 4), offset + places.length * bytes)
    },
    async *read({ places, filling, words }) {
      await settle()
      const piece = new Uint8Array(bytes)
      for (const place of places) {
        await readPiece(piece, 0, place)
        yield piece
      }
      if (filling !== undefined) yield new Uint8Array(filling.buffer, 0, words * 4)
    },
  }
}
