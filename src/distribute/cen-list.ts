// Distribute: the contact event numbers that count and were published since a time, from the published files; promises to read no database, each number once, and little memory whatever there is.

import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseIndexLine, NUMBER_BYTES, type IndexedNumberFile } from '../format/number-file.ts'
import { storePath } from './public-paths.ts'

/** Numbers that count. */
export interface ListedNumber {
  /** 16 bytes, there until the next one is asked for. */
  readonly number: Uint8Array
  /** End of the window of the release that brought it last, unix seconds. */
  readonly published: number
}

/** Bytes that all pieces of files may have that are read at once, and one of them. */
const READING_BYTES = 4 << 20
const MOST_PIECE_BYTES = 1 << 16
const LEAST_PIECE_BYTES = 1 << 10

/**
 * Numbers in ascending order: those that a release brought whose window ended then or later, and which neither a later release removed nor a
 * later whole set lacks.
 *
 * @param root the served one
 * @param since unix seconds
 * @throws what reading a file throws
 */
export async function* listNumbers(
  root: string,
  stream: string,
  since: number,
): AsyncGenerator<ListedNumber> {
  const files = await readIndex(root, stream)
  const whole = Math.max(-1, ...files.flatMap(({ kind, end }) => (kind === 'whole' ? [end] : [])))
  const oldest = Math.min(...files.flatMap(({ kind, end }) => (kind === 'release' ? [end] : [])))
  const wanted = files.filter(({ kind, end }) =>
    kind === 'whole' ? end === whole && whole >= since : end >= since,
  )
  for await (const { number, found } of mergeSorted(root, wanted)) {
    const newest = (kind: IndexedNumberFile['kind']) =>
      found.reduce((end, file) => (file.kind === kind ? Math.max(end, file.end) : end), -1)
    const [released, removed, isInWhole] = [
      newest('release'),
      newest('removed'),
      newest('whole') >= 0,
    ]
    const counts = released > whole ? removed < released : isInWhole && removed <= whole
    // The file that brought it has left: that was before the oldest that is there.
    const published = released >= 0 ? released : since <= oldest ? Math.min(oldest, whole) : -1
    if (counts && published >= 0) yield { number, published }
  }
}

async function readIndex(root: string, stream: string): Promise<IndexedNumberFile[]> {
  const text = await readFile(join(root, storePath(`${stream}/index.txt`)), 'ascii').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    },
  )
  return text.split('\n').flatMap((line) => parseIndexLine(line) ?? [])
}

/** Where reading a file has come to. */
interface Reading {
  readonly file: IndexedNumberFile
  piece: Buffer
  /** In the piece, and of the next piece in the file. */
  at: number
  next: number
  /** The first six bytes of the number at which it is. */
  beginning: number
}

/** Each number of sorted files once, with those that have it. */
async function* mergeSorted(
  root: string,
  files: readonly IndexedNumberFile[],
): AsyncGenerator<{ number: Uint8Array; found: readonly IndexedNumberFile[] }> {
  const share = Math.floor(READING_BYTES / Math.max(1, files.length) / NUMBER_BYTES) * NUMBER_BYTES
  const bytes = Math.max(LEAST_PIECE_BYTES, Math.min(share, MOST_PIECE_BYTES))
  const heap: Reading[] = []
  for (const file of files) {
    const reading = { file, piece: Buffer.alloc(0), at: 0, next: 0, beginning: 0 }
    if (await readPiece(root, reading, bytes)) push(heap, reading)
  }
  while (heap.length > 0) {
    const first = heap[0] as Reading
    const number = Buffer.from(first.piece.subarray(first.at, first.at + NUMBER_BYTES))
    const found: IndexedNumberFile[] = []
    for (let top = heap[0]; top !== undefined && isAt(top, number); top = heap[0]) {
      found.push(top.file)
      top.at += NUMBER_BYTES
      if (top.at < top.piece.length) top.beginning = top.piece.readUIntBE(top.at, 6)
      else if (!(await readPiece(root, top, bytes))) removeTop(heap)
      sink(heap, 0)
    }
    yield { number, found }
  }
}

function isAt({ piece, at }: Reading, number: Buffer): boolean {
  return number.compare(piece, at, at + NUMBER_BYTES) === 0
}

/** Reads on. No file stays open: there may be more than a process may have. @returns whether there was more */
async function readPiece(root: string, reading: Reading, bytes: number): Promise<boolean> {
  await using handle = await open(join(root, storePath(reading.file.path)))
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, reading.next)
  reading.piece = buffer.subarray(0, bytesRead - (bytesRead % NUMBER_BYTES))
  reading.at = 0
  reading.next += bytesRead
  if (reading.piece.length === 0) return false
  reading.beginning = reading.piece.readUIntBE(0, 6)
  return true
}

function isBefore(a: Reading, b: Reading): boolean {
  if (a.beginning !== b.beginning) return a.beginning < b.beginning
  return a.piece.compare(b.piece, b.at, b.at + NUMBER_BYTES, a.at, a.at + NUMBER_BYTES) < 0
}

function push(heap: Reading[], reading: Reading): void {
  heap.push(reading)
  for (let at = heap.length - 1; at > 0;) {
    const above = (at - 1) >> 1
    if (!isBefore(heap[at] as Reading, heap[above] as Reading)) return
    swap(heap, at, above)
    at = above
  }
}

function removeTop(heap: Reading[]): void {
  const last = heap.pop()
  if (heap.length > 0 && last !== undefined) heap[0] = last
}

function sink(heap: Reading[], from: number): void {
  for (let at = from; ;) {
    let least = at
    for (const below of [2 * at + 1, 2 * at + 2])
      if (below < heap.length && isBefore(heap[below] as Reading, heap[least] as Reading))
        least = below
    if (least === at) return
    swap(heap, at, least)
    at = least
  }
}

function swap(heap: Reading[], a: number, b: number): void {
  const held = heap[a] as Reading
  heap[a] = heap[b] as Reading
  heap[b] = held
}
