// Publish: releases as the log records them, and their tables; promises that a file's bytes follow from its event.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { RecordedSignature } from './build-export.ts'
import { releaseContent } from './earlier-events.ts'
import type { Window } from './plan-windows.ts'
import type { Stream } from './streams.ts'

/** The type of a release's event. */
export const RELEASE = 'release'

/** The types of the events by which files leave the index, and later the store. */
export const FILES_UNLISTED = 'files.unlisted'
export const FILES_REMOVED = 'files.removed'

/** What the log keeps of files that leave; when is the event's grain. */
export interface LeavingFiles {
  readonly stream: string
  /** Not empty. */
  readonly paths: readonly string[]
}

/** What the log keeps of a release. */
export interface ReleaseContent {
  readonly logId: Uint8Array
  readonly stream: string
  /** 1 for a stream's first release, then one more each. */
  readonly number: number
  readonly window: Window
  /** It brings the keys from here to the window's end; null when it is held, and brings corrections only. */
  readonly keysFrom: number | null
  /** The number of events that its files were read from. */
  readonly readSeq: number
  /** The event that brought the stream's configuration. */
  readonly configurationSeq: number
  readonly encoderVersion: number
  readonly files: readonly ReleasedFile[]
  /** The tree over the first `size` events, as it was when the release was made. */
  readonly checkpoint: { readonly size: number; readonly root: Uint8Array }
}

/** A published file. */
export interface ReleasedFile {
  /** `<stream>/<start>-<end>-<nnnnn>.zip` */
  readonly path: string
  readonly size: number
  /** SHA-256. */
  readonly digest: Uint8Array
  readonly keys: number
  readonly revisedKeys: number
  readonly signatures: readonly RecordedSignature[]
}

/** A release's event. */
export function releaseEvent(content: ReleaseContent): NewEvent {
  return { type: RELEASE, parts: [{ retention: 'release', content }] }
}

/** The event of files that leave. */
export function leavingEvent(
  type: typeof FILES_UNLISTED | typeof FILES_REMOVED,
  content: LeavingFiles,
): NewEvent {
  return { type, parts: [{ retention: 'release', content }] }
}

/** Writes the tables of releases. */
export const releaseProjection: Projection = {
  types: [RELEASE, FILES_UNLISTED, FILES_REMOVED],
  tables: ['release', 'release_file'],
  async apply(tx, events) {
    // Files are released once, and leave after that: so all releases may come first.
    await insertReleases(
      tx,
      events.filter(({ type }) => type === RELEASE),
    )
    for (const event of events.filter(({ type }) => type !== RELEASE)) await markFiles(tx, event)
  },
}

async function insertReleases(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return
  const releases = events.map((event) => ({ seq: event.seq, ...releaseContent(event) }))
  const files = releases.flatMap(({ stream, number, files }) =>
    files.map((file) => ({ stream, number, ...file })),
  )
  await tx.query(
    sql`insert into release (stream, number, seq, window_start, window_end, read_seq, keys_from, configuration_seq)
          select * from unnest(${releases.map((each) => each.stream)}::text[], ${releases.map((each) => each.number)}::integer[],
            ${releases.map((each) => each.seq)}::bigint[], ${releases.map((each) => each.window.start)}::bigint[],
            ${releases.map((each) => each.window.end)}::bigint[], ${releases.map((each) => each.readSeq)}::bigint[],
            ${releases.map((each) => each.keysFrom)}::bigint[], ${releases.map((each) => each.configurationSeq)}::bigint[])`,
  )
  if (files.length === 0) return
  await tx.query(
    sql`insert into release_file (path, stream, number, size, digest)
          select * from unnest(${files.map((file) => file.path)}::text[], ${files.map((file) => file.stream)}::text[],
            ${files.map((file) => file.number)}::integer[], ${files.map((file) => file.size)}::bigint[],
            ${files.map((file) => file.digest)}::bytea[])`,
  )
}

async function markFiles(tx: Transaction, { type, grain, parts }: StoredEvent): Promise<void> {
  const content = parts[0]?.content as LeavingFiles
  await tx.query(
    type === FILES_UNLISTED
      ? sql`update release_file set unlisted_at = ${grain} where path = any(${content.paths}::text[])`
      : sql`update release_file set removed_at = ${grain} where path = any(${content.paths}::text[])`,
  )
}

/** Where a stream stands. */
export interface Standing {
  /** Of the newest release; 0 before the first. */
  readonly number: number
  /** Where the newest release's window ends, unix seconds; undefined before the first. */
  readonly windowEnd: number | undefined
  /** Up to where keys were brought: earlier than the window's end while they are held. */
  readonly keysEnd: number
}

/** Where each stream stands. */
export async function readStandings(
  db: Queryable,
  streams: readonly Pick<Stream, 'name' | 'start'>[],
): Promise<Map<string, Standing>> {
  const { rows } = await db.query<{
    stream: string
    number: number
    window_end: number
    keys_end: number | null
  }>({
    name: 'read-standings',
    text: `select s.name as stream, r.number, r.window_end, k.window_end as keys_end
           from stream s cross join lateral
             (select number, window_end from release where stream = s.name order by number desc limit 1) r
           left join lateral (select window_end from release where stream = s.name and keys_from is not null
             order by number desc limit 1) k on true`,
    values: [],
  })
  const found = new Map(rows.map((row) => [row.stream, row]))
  return new Map(
    streams.map(({ name, start }) => {
      const row = found.get(name)
      return [
        name,
        {
          number: row?.number ?? 0,
          windowEnd: row?.window_end,
          keysEnd: row?.keys_end ?? start,
        },
      ]
    }),
  )
}

/** A file of a stream, with the event that it follows from. */
export interface FileRow {
  readonly path: string
  readonly size: number
  readonly digest: Uint8Array
  readonly seq: number
}

/** The files of a stream that its index names, oldest first. */
export async function listedFiles(db: Queryable, stream: string): Promise<FileRow[]> {
  const { rows } = await db.query<{ path: string; size: number; digest: Uint8Array; seq: number }>(
    sql`select f.path, f.size, f.digest, r.seq from release_file f join release r using (stream, number)
        where f.stream = ${stream} and f.unlisted_at is null order by r.number, f.path`,
  )
  return rows
}
