// Log: reads an object of the archive; promises flat memory, and that whatever is wrong with it is told with its name before its end is reached.

import { createHash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createZstdDecompress } from 'node:zlib'
import type { Decrypter } from 'age-encryption'
import { TocsinError } from '../errors.ts'
import {
  decodeArchiveHeader,
  MOST_HEADER_BYTES,
  itemLength,
  type ArchiveHeader,
  type ArchiveObject,
} from './archive-format.ts'
import type { Archive } from './archive-store.ts'
import type { EventRow } from './read-events.ts'
import { describeRecord } from './record.ts'
import { appendLeaf, decodeFrontier, rootOf, type Frontier } from './tree.ts'

/** An object that is being read. */
export interface ReadObject {
  readonly header: ArchiveHeader
  /**
   * The events in order, page by page; to be read once. A record shares memory with those around it. Only when it has ended without an error is the object known to be whole.
   * Whoever does not read it must call its `return`.
   */
  readonly pages: AsyncGenerator<EventRow[]>
}

/** Records of a page: so many, or so many bytes. */
const PAGE = 500
const PAGE_BYTES = 4 << 20
/** What is decompressed at once. */
const PIECE_BYTES = 256 << 10

/**
 * Reads an object. Its stored bytes are compared with the digest in its name before anything is given.
 *
 * @param identities `AGE-SECRET-KEY-1...`, one of which it was encrypted to
 * @throws TocsinError `archive_damaged`, here or while the pages are read, `archive_identity_wrong`, `archive_failed`
 */
export async function readArchiveObject(
  archive: Archive,
  object: ArchiveObject,
  identities: readonly string[],
): Promise<ReadObject> {
  const read = () => archive.read(object.name)
  await checkDigest(read(), object)
  return readObjectBytes(read(), object, identities)
}

/** See {@link readArchiveObject}: of bytes whose digest is known to be right. */
export async function readObjectBytes(
  stored: AsyncIterable<Uint8Array>,
  object: Pick<ArchiveObject, 'kind' | 'first' | 'end' | 'name'>,
  identities: readonly string[],
): Promise<ReadObject> {
  const items = readItems(await openPlain(stored, object, identities), object)
  try {
    const [first, ...others] = (await items.next()).value ?? []
    const header = readHeader(first, object)
    return { header, pages: readPages(others, items, header, object) }
  } catch (error) {
    await items.return(undefined)
    throw error
  }
}

/** @throws TocsinError `archive_damaged` when the bytes have another digest */
export async function checkDigest(
  stored: AsyncIterable<Uint8Array>,
  object: Pick<ArchiveObject, 'name' | 'digest'>,
): Promise<void> {
  const hash = createHash('sha256')
  for await (const piece of stored) hash.update(piece)
  if (hash.digest('hex') !== object.digest)
    throw damaged(object, 'its bytes are not those that its name says')
}

type Named = Pick<ArchiveObject, 'name'>

function damaged({ name }: Named, what: string, cause?: unknown): TocsinError {
  return new TocsinError('archive_damaged', `${name}: ${what}.`, { cause })
}

/** The decrypted and decompressed bytes. */
async function openPlain(
  stored: AsyncIterable<Uint8Array>,
  object: Named,
  identities: readonly string[],
): Promise<Readable> {
  // Loaded here: it takes a fifth of a second, and most commands never need it.
  const age = await import('age-encryption')
  const decrypter = new age.Decrypter()
  for (const identity of identities) addIdentity(decrypter, identity)
  const source = Readable.from(stored, { objectMode: false })
  let decrypted
  try {
    decrypted = await decrypter.decrypt(Readable.toWeb(source) as ReadableStream<Uint8Array>)
  } catch (error) {
    source.destroy()
    if (error instanceof TocsinError) throw error
    if (error instanceof Error && error.message.startsWith('no identity matched'))
      throw new TocsinError(
        'archive_identity_wrong',
        `${object.name} is encrypted to another identity: name the file of the right one.`,
      )
    throw damaged(object, 'it can not be decrypted', error)
  }
  const plain = createZstdDecompress({ chunkSize: PIECE_BYTES })
  // An error of the others reaches whoever reads the last.
  pipeline(Readable.fromWeb(decrypted as never), plain, () => undefined)
  return plain
}

function addIdentity(decrypter: Decrypter, identity: string): void {
  try {
    decrypter.addIdentity(identity)
  } catch {
    // Not even the cause may say it.
    throw new TocsinError(
      'archive_identity_wrong',
      'What was given is no identity: a file has one AGE-SECRET-KEY-1... a line.',
    )
  }
}

/** The items of the CBOR sequence, each as its bytes, by the piece. */
async function* readItems(plain: Readable, object: Named): AsyncGenerator<Uint8Array[], undefined> {
  // What begins with an item that is not whole yet. A long one is looked at again only when twice as much has come, or its pieces
  // would be read over and over.
  let rest: Uint8Array[] = []
  let bytes = 0
  let enough = 0
  let isFirst = true
  const takeItems = (): Uint8Array[] => {
    const joined = rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest)
    const items: Uint8Array[] = []
    let offset = 0
    for (;;) {
      const length = itemLength(joined.subarray(offset))
      if (length === undefined) break
      items.push(joined.subarray(offset, offset + length))
      offset += length
    }
    rest = [joined.subarray(offset)]
    bytes = joined.length - offset
    enough = items.length > 0 ? 0 : bytes * 2
    return items
  }
  try {
    for await (const piece of plain as AsyncIterable<Uint8Array>) {
      rest.push(piece)
      bytes += piece.length
      if (bytes < enough) continue
      const items = takeItems()
      if (isFirst && (items[0]?.length ?? bytes) > MOST_HEADER_BYTES)
        throw damaged(object, 'its header is too long')
      if (items.length > 0) {
        isFirst = false
        yield items
      }
    }
    const items = takeItems()
    if (items.length > 0) yield items
  } catch (error) {
    if (error instanceof TocsinError) throw error
    throw damaged(object, 'it can not be decrypted and decompressed', error)
  } finally {
    plain.destroy()
  }
  if (bytes > 0) throw damaged(object, 'it ends within a record')
  return undefined
}

function readHeader(
  bytes: Uint8Array | undefined,
  object: Pick<ArchiveObject, 'kind' | 'first' | 'end' | 'name'>,
): ArchiveHeader {
  let header
  try {
    header = decodeArchiveHeader(bytes ?? new Uint8Array(0))
  } catch (error) {
    throw damaged(object, 'its header can not be read', error)
  }
  if (
    header.kind !== object.kind ||
    header.first !== object.first ||
    header.end !== object.end ||
    header.first >= header.end
  )
    throw damaged(object, 'its header is not that of its name')
  return header
}

async function* readPages(
  first: readonly Uint8Array[],
  following: AsyncGenerator<Uint8Array[], undefined>,
  header: ArchiveHeader,
  object: Named,
): AsyncGenerator<EventRow[]> {
  let frontier = startOf(header, object)
  let grain = 0
  let page: EventRow[] = []
  let bytes = 0
  for await (const items of startingWith(first, following))
    for (const record of items) {
      const seq = frontier.size
      const { type, leafHash, ...described } = readRecordOf(record, seq, object)
      if (described.seq !== seq || seq >= header.end)
        throw damaged(object, `event ${described.seq} stands where event ${seq} belongs`)
      if (described.grain < grain)
        throw damaged(object, `event ${seq} has an earlier grain than the one before`)
      grain = described.grain
      frontier = appendLeaf(frontier, leafHash)
      page.push({ seq, type, record, leafHash })
      bytes += record.length
      if (page.length < PAGE && bytes < PAGE_BYTES) continue
      yield page
      page = []
      bytes = 0
    }
  if (frontier.size !== header.end)
    throw damaged(object, `it ends before event ${frontier.size}, not before event ${header.end}`)
  if (Buffer.compare(rootOf(frontier), header.root) !== 0)
    throw damaged(object, 'the root over its events is not the one of its header')
  if (grain !== header.grain)
    throw damaged(object, 'the grain of its last event is not the one of its header')
  if (page.length > 0) yield page
}

async function* startingWith<Value>(
  first: Value,
  following: AsyncGenerator<Value, undefined>,
): AsyncGenerator<Value> {
  yield first
  yield* following
}

function startOf({ first, frontier }: ArchiveHeader, object: Named): Frontier {
  try {
    return decodeFrontier(first, frontier)
  } catch (error) {
    throw damaged(object, 'the frontier in its header is none', error)
  }
}

function readRecordOf(
  item: Uint8Array,
  seq: number,
  object: Named,
): ReturnType<typeof describeRecord> {
  try {
    return describeRecord(item)
  } catch (error) {
    throw damaged(object, `the record of event ${seq} can not be read`, error)
  }
}
