// Log: the zone's own list of what it archived; promises one chain, and that nothing is removed from the archive that this list does not name.

import { sql } from '../db/sql.ts'
import type { Database, Queryable } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { nameOfObject, type ArchiveKind, type ArchiveObject } from './archive-format.ts'
import type { Archive } from './archive-store.ts'
import { decodeFrontier, EMPTY_FRONTIER, encodeFrontier, type Frontier } from './tree.ts'

/** An object of the archive, as the database knows it. */
export interface ArchivedObject extends ArchiveObject {
  /** See {@link ArchiveHeader.previous}. */
  readonly previous: Uint8Array | null
  /** Of the tree over the first `end` events. */
  readonly frontier: Frontier
  /** Unix seconds at the time grain. */
  readonly madeAt: number
}

/** How far the log is archived. */
export interface ArchiveEnd {
  /** Of the tree over everything that is; its size is the first event that is not. */
  readonly frontier: Frontier
  /** Digest of the newest segment; null while there is none. */
  readonly previous: Uint8Array | null
}

interface Row {
  kind: ArchiveKind
  first_seq: number
  end_seq: number
  digest: Uint8Array
  previous: Uint8Array | null
  frontier: Uint8Array
  size: number
  made_at: number
}

/** Everything that was verified and has its name, by end, a segment before the snapshot of the same end. */
export async function listArchived(db: Queryable): Promise<ArchivedObject[]> {
  const { rows } = await db.query<Row>(
    sql`select kind, first_seq, end_seq, digest, previous, frontier, size, made_at from archive_object
        where verified_at is not null order by end_seq, kind, made_at`,
  )
  return rows.map(toObject)
}

/**
 * Refuses when the newest object or the newest snapshot is not where it was written: the archive's disk is away, or somebody has put an
 * empty folder in its place. What is written there would be half an archive, and nobody would hear of it.
 *
 * @throws TocsinError `archive_damaged`
 */
export async function requireNewest(db: Queryable, archive: Archive): Promise<void> {
  const { rows } = await db.query<Row>(
    sql`select distinct on (kind) kind, first_seq, end_seq, digest, previous, frontier, size, made_at from archive_object
        where verified_at is not null order by kind, end_seq desc, made_at desc`,
  )
  for (const { name, size } of rows.map(toObject))
    if ((await archive.sizeOf(name)) !== size)
      throw new TocsinError(
        'archive_damaged',
        `${name} is no longer in ${archive.folder}, and nothing is archived there without it: bring the folder's disk or a copy of its objects back. If they are lost for good, tocsin archive snapshot begins anew.`,
      )
}

/** Takes objects that are not there any more from the list. */
export async function forgetLost(
  db: Database,
  archive: Archive,
  objects: readonly ArchivedObject[],
): Promise<void> {
  for (const object of objects)
    if ((await archive.sizeOf(object.name)) !== object.size) await removeObject(db, archive, object)
}

/** What there is, in figures. */
export interface ArchiveSummary {
  readonly objects: number
  /** The number after the newest archived event. */
  readonly end: number
  /** When the oldest object and the newest snapshot were made: unix seconds at the time grain; undefined without one. */
  readonly oldest: number | undefined
  readonly lastSnapshot: number | undefined
}

/** Counts what {@link listArchived} would list. */
export async function readArchiveSummary(db: Queryable): Promise<ArchiveSummary> {
  const { rows } = await db.query<{
    objects: number
    end_seq: number | null
    oldest: number | null
    last_snapshot: number | null
  }>({
    name: 'read-archive-summary',
    text: `select count(*) as objects, max(end_seq) as end_seq, min(made_at) as oldest,
             max(made_at) filter (where kind = 'snapshot') as last_snapshot
           from archive_object where verified_at is not null`,
    values: [],
  })
  const [row] = rows
  return {
    objects: row?.objects ?? 0,
    end: row?.end_seq ?? 0,
    oldest: row?.oldest ?? undefined,
    lastSnapshot: row?.last_snapshot ?? undefined,
  }
}

/** Where the next segment begins. A snapshot counts, too: the segments that it covers may be gone. */
export async function readArchiveEnd(db: Queryable): Promise<ArchiveEnd> {
  const { rows } = await db.query<
    Pick<Row, 'kind' | 'digest' | 'previous' | 'end_seq' | 'frontier'>
  >({
    name: 'read-archive-end',
    text: `select kind, digest, previous, end_seq, frontier from archive_object
           where verified_at is not null order by end_seq desc, kind limit 1`,
    values: [],
  })
  const [row] = rows
  if (row === undefined) return { frontier: EMPTY_FRONTIER, previous: null }
  return {
    frontier: decodeFrontier(row.end_seq, row.frontier),
    previous: row.kind === 'segment' ? row.digest : row.previous,
  }
}

/**
 * Writes down an object that is about to get its name: if that is as far as it comes, the next run removes it.
 *
 * @param verifiedAt of one that has its name already: what a recovery takes over
 */
export async function noteObject(
  db: Queryable,
  object: Omit<ArchivedObject, 'name'>,
  verifiedAt: number | null = null,
): Promise<void> {
  const { kind, first, end, digest, previous, frontier, size, madeAt } = object
  await db.query(
    sql`insert into archive_object (digest, kind, first_seq, end_seq, previous, frontier, size, made_at, verified_at)
        values (${Buffer.from(digest, 'hex')}, ${kind}, ${first}, ${end}, ${previous}, ${encodeFrontier(frontier)}, ${size}, ${madeAt}, ${verifiedAt})`,
  )
}

/** Says that an object has its name. @returns false when somebody else has taken it for left over */
export async function confirmObject(
  db: Queryable,
  digest: string,
  verifiedAt: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    sql`update archive_object set verified_at = ${verifiedAt} where digest = ${Buffer.from(digest, 'hex')}`,
  )
  return rowCount === 1
}

/** Removes an object from the archive, then from the list: a kill between leaves what removing again mends. */
export async function removeObject(
  db: Database,
  archive: Archive,
  { name, digest }: Pick<ArchiveObject, 'name' | 'digest'>,
): Promise<void> {
  await archive.remove(name)
  await db.transaction((tx) =>
    tx.query(sql`delete from archive_object where digest = ${Buffer.from(digest, 'hex')}`),
  )
}

/** Removes what a killed run left: staged bytes, and an object whose name it may have given and never confirmed. */
export async function removeUnconfirmed(
  db: Database,
  archive: Archive,
  kind: ArchiveKind,
): Promise<void> {
  await archive.clearStaging(kind)
  const { rows } = await db.query<Row>(
    sql`select kind, first_seq, end_seq, digest, previous, frontier, size, made_at from archive_object
        where verified_at is null and kind = ${kind}`,
  )
  for (const row of rows) await removeObject(db, archive, toObject(row))
}

function toObject(row: Row): ArchivedObject {
  const object = {
    kind: row.kind,
    first: row.first_seq,
    end: row.end_seq,
    digest: Buffer.from(row.digest).toString('hex'),
    size: row.size,
  }
  return {
    ...object,
    name: nameOfObject(object),
    previous: row.previous,
    frontier: decodeFrontier(row.end_seq, row.frontier),
    madeAt: row.made_at,
  }
}
