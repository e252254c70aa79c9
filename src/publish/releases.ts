// Publish: releases as the log records them, and their tables; promises that a file's bytes follow from its event.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { RecordedSignature } from './build-export.ts'
import type { Window } from './plan-windows.ts'

/** The type of a release's event. */
export const RELEASE = 'release'

/** What the log keeps of a release. */
export interface ReleaseContent {
  readonly logId: Uint8Array
  readonly stream: string
  /** 1 for a stream's first release, then one more each. */
  readonly number: number
  readonly window: Window
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
  readonly signatures: readonly RecordedSignature[]
}

/** A release's event. */
export function releaseEvent(content: ReleaseContent): NewEvent {
  return { type: RELEASE, parts: [{ retention: 'release', content }] }
}

/** The content of a release's event. */
export function releaseContent(event: StoredEvent): ReleaseContent {
  return event.parts[0]?.content as ReleaseContent
}

/** Writes the tables of releases. */
export const releaseProjection: Projection = {
  types: [RELEASE],
  tables: ['release', 'release_file'],
  async apply(tx, events) {
    const releases = events.map((event) => ({ seq: event.seq, ...releaseContent(event) }))
    const files = releases.flatMap(({ stream, number, files }) =>
      files.map((file) => ({ stream, number, ...file })),
    )
    await tx.query(
      sql`insert into release (stream, number, seq, window_start, window_end)
          select * from unnest(${releases.map((each) => each.stream)}::text[], ${releases.map((each) => each.number)}::integer[],
            ${releases.map((each) => each.seq)}::bigint[], ${releases.map((each) => each.window.start)}::bigint[],
            ${releases.map((each) => each.window.end)}::bigint[])`,
    )
    if (files.length === 0) return
    await tx.query(
      sql`insert into release_file (path, stream, number, size, digest)
          select * from unnest(${files.map((file) => file.path)}::text[], ${files.map((file) => file.stream)}::text[],
            ${files.map((file) => file.number)}::integer[], ${files.map((file) => file.size)}::bigint[],
            ${files.map((file) => file.digest)}::bytea[])`,
    )
  },
}

/** Where a stream stands. */
export interface LatestRelease {
  readonly number: number
  /** Unix seconds. */
  readonly windowEnd: number
}

/** The newest release of each stream. */
export async function latestReleases(db: Queryable): Promise<Map<string, LatestRelease>> {
  const { rows } = await db.query<{ stream: string; number: number; window_end: number }>(
    sql`select s.name as stream, r.number, r.window_end
        from stream s cross join lateral
          (select number, window_end from release where stream = s.name order by number desc limit 1) r`,
  )
  return new Map(rows.map((row) => [row.stream, { number: row.number, windowEnd: row.window_end }]))
}

/** A file of a stream, with the event that it follows from. */
export interface FileRow {
  readonly path: string
  readonly size: number
  readonly digest: Uint8Array
  readonly seq: number
}

/** The files of a stream, oldest first. */
export async function releasedFiles(db: Queryable, stream: string): Promise<FileRow[]> {
  const { rows } = await db.query<{ path: string; size: number; digest: Uint8Array; seq: number }>(
    sql`select f.path, f.size, f.digest, r.seq from release_file f join release r using (stream, number)
        where f.stream = ${stream} order by r.number, f.path`,
  )
  return rows
}
