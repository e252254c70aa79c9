// Log: writes an object of the archive; promises that it has its name only once it was read back from the disk, decrypted and compared with the log, event by event.

import { pipeline, Readable } from 'node:stream'
import { constants, createZstdCompress } from 'node:zlib'
import type { Encrypter } from 'age-encryption'
import type { Address, Database, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain } from './append-event.ts'
import {
  ARCHIVE_VERSION,
  encodeArchiveHeader,
  type ArchiveHeader,
  type ArchiveKind,
  type ArchiveObject,
} from './archive-format.ts'
import { confirmObject, noteObject, removeObject, type ArchivedObject } from './archive-rows.ts'
import type { Archive, StagedObject } from './archive-store.ts'
import { readSizes } from './detached-parts.ts'
import { checkDigest, readObjectBytes } from './read-archive.ts'
import { readEvent, readEventRows, readHead } from './read-events.ts'
import { appendLeaf, encodeFrontier, rootOf, type Frontier } from './tree.ts'

/** What archiving works with: one zone's log, and where it goes. */
export interface ArchiveContext {
  readonly zone: Zone
  readonly db: Database
  /** The zone's login, for the lock's own connection. */
  readonly address: Address
  readonly archive: Archive
  /** `age1...`: to whom objects are encrypted. */
  readonly recipients: () => Promise<readonly string[]>
  /** Seconds. */
  readonly timeGrain: number
  readonly now: () => Date
}

/** What an object is to hold. */
export interface WantedObject {
  readonly kind: ArchiveKind
  /** The tree over the events before it; its size is the first event's number. */
  readonly start: Frontier
  /** The number after the last event at the most. */
  readonly until: number
  /** Bytes of records after which it is closed. */
  readonly mostBytes: number
  readonly previous: Uint8Array | null
}

/** Leaf hashes that are read at once. */
const PAGE = 5_000

/** Level of compression. Most of a record is random: higher levels win half a percent, and take several times as long. */
const LEVEL = 3

/**
 * Writes one object and confirms it. All of it is read in one snapshot of the database.
 *
 * @param mustHold asked before the object can be seen
 * @throws TocsinError `archive_failed`, `archive_damaged` when what was read back differs, `log_invalid` when an event was changed,
 * `unavailable`
 */
export async function writeObject(
  context: ArchiveContext,
  wanted: WantedObject,
  mustHold: () => Promise<void>,
): Promise<ArchivedObject> {
  const { db, archive, timeGrain } = context
  const recipients = await context.recipients()
  // Loaded here: it takes a fifth of a second, and most commands never need it.
  const age = await import('age-encryption')
  const identity = await age.generateX25519Identity()
  const own = await age.identityToRecipient(identity)
  const made = await db.transaction(async (tx) => {
    await tx.query(sql`set transaction isolation level repeatable read, read only`)
    const { header, frontier } = await planObject(tx, context, wanted)
    const encrypter = new age.Encrypter()
    for (const recipient of [...recipients, own]) encrypter.addRecipient(recipient)
    const staged = await archive.stage(wanted.kind, encrypted(tx, header, encrypter))
    try {
      await compareStaged(tx, staged, header, identity)
    } catch (error) {
      await staged.discard().catch(() => undefined)
      throw error
    }
    return { header, frontier, staged }
  })
  const { header, frontier, staged } = made
  try {
    await mustHold()
    const { kind, first, end, previous, madeAt } = header
    const { digest, size } = staged
    const noted = { kind, first, end, digest, size, previous, frontier, madeAt }
    await db.transaction((tx) => noteObject(tx, noted))
    const object = await staged.keep(header)
    await confirm(context, object, truncateToGrain(context.now(), timeGrain))
    return { ...noted, name: object.name }
  } catch (error) {
    await staged.discard().catch(() => undefined)
    throw error
  }
}

async function confirm(
  { db, archive }: ArchiveContext,
  object: ArchiveObject,
  verifiedAt: number,
): Promise<void> {
  if (await db.transaction((tx) => confirmObject(tx, object.digest, verifiedAt))) return
  // Another process took over meanwhile: what it wrote counts.
  await removeObject(db, archive, object)
  throw new TocsinError('unavailable')
}

/** Goes through the leaf hashes: where the object ends, and the tree there. */
async function planObject(
  tx: Transaction,
  { zone, timeGrain, now }: ArchiveContext,
  { kind, start, until, mostBytes, previous }: WantedObject,
): Promise<{ header: ArchiveHeader; frontier: Frontier }> {
  let frontier = start
  for (let bytes = 0; bytes < mostBytes && frontier.size < until;) {
    const { rows } = await tx.query<{ seq: number; leaf_hash: Uint8Array; size: number }>(
      sql`select seq, leaf_hash, octet_length(record) as size from event
          where seq >= ${frontier.size} and seq < ${until} order by seq limit ${PAGE}`,
    )
    if (rows.length === 0) throw new TocsinError('log_invalid', 'The log ends before its head.')
    const apart = await sizesApart(tx, rows)
    for (const row of rows) {
      if (row.seq !== frontier.size)
        throw new TocsinError('log_invalid', `Event ${frontier.size} is missing.`)
      frontier = appendLeaf(frontier, row.leaf_hash)
      if ((bytes += row.size + (apart.get(row.seq) ?? 0)) >= mostBytes) break
    }
  }
  const last = await readEvent(tx, frontier.size - 1)
  const header: ArchiveHeader = {
    version: ARCHIVE_VERSION,
    kind,
    zone,
    logId: (await readHead(tx)).logId,
    first: start.size,
    end: frontier.size,
    previous,
    frontier: encodeFrontier(start),
    root: rootOf(frontier),
    grain: last?.grain ?? 0,
    timeGrain,
    madeAt: truncateToGrain(now(), timeGrain),
  }
  return { header, frontier }
}

/** The bytes of what is kept apart from events that follow one another, by their numbers. */
async function sizesApart(
  tx: Transaction,
  rows: readonly { readonly seq: number }[],
): Promise<Map<number, number>> {
  const placeOf = async ({ seq }: { readonly seq: number }) => ({
    seq,
    grain: (await readEvent(tx, seq))?.grain,
  })
  const [first, last] = [rows.at(0), rows.at(-1)]
  if (first === undefined || last === undefined) return new Map()
  return readSizes(tx, await placeOf(first), await placeOf(last))
}

/** The bytes of an object: header and records, compressed, encrypted. */
async function* encrypted(
  tx: Transaction,
  header: ArchiveHeader,
  encrypter: Encrypter,
): AsyncGenerator<Uint8Array> {
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  })
  // An error of the first reaches whoever reads the last.
  pipeline(Readable.from(plainPieces(tx, header)), compress, () => undefined)
  yield* (await encrypter.encrypt(
    Readable.toWeb(compress) as ReadableStream<Uint8Array>,
  )) as unknown as AsyncIterable<Uint8Array>
}

async function* plainPieces(tx: Transaction, header: ArchiveHeader): AsyncGenerator<Uint8Array> {
  yield encodeArchiveHeader(header)
  for await (const page of readEventRows(tx, header.first, header.end))
    yield Buffer.concat(page.map((row) => row.record))
}

/** Reads the staged bytes back from the disk, and compares each event's leaf hash with the log's, and the root. */
async function compareStaged(
  tx: Transaction,
  staged: StagedObject,
  header: ArchiveHeader,
  identity: string,
): Promise<void> {
  const { kind, first, end } = header
  const object = { kind, first, end, name: `${kind} of events ${first} to ${end - 1}` }
  await checkDigest(staged.read(), { ...object, digest: staged.digest })
  const { pages } = await readObjectBytes(staged.read(), object, [identity])
  for await (const page of pages) {
    const from = page[0]?.seq ?? 0
    const { rows } = await tx.query<{ leaf_hash: Uint8Array }>(
      sql`select leaf_hash from event where seq >= ${from} and seq < ${from + page.length} order by seq`,
    )
    page.forEach(({ seq, leafHash }, index) => {
      if (Buffer.compare(leafHash, rows[index]?.leaf_hash ?? new Uint8Array(0)) !== 0)
        throw new TocsinError(
          'log_invalid',
          `Event ${seq} was changed: its record does not fit its leaf hash.`,
        )
    })
  }
}
