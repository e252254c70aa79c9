// Publish: files whose time is over leave the index first and the store later; promises that no index names a file that is gone, and that the log records both.

import type { Queryable } from '../db/database.ts'
import { bigintArray, textArray } from '../db/binary-array.ts'
import { sql } from '../db/sql.ts'
import { storePath } from '../distribute/public-paths.ts'
import { appendEvents } from '../log/append-event.ts'
import { movePointer } from './place-files.ts'
import type { LeaderContext } from './publisher-context.ts'
import { FILES_REMOVED, FILES_UNLISTED, leavingEvent } from './releases.ts'
import { encoderOf } from './stream-encoder.ts'
import type { ConfiguredStream } from './streams.ts'

/**
 * How long a file stays after it has left the index, in seconds: whoever read the old index just before still downloads what
 * it names, on a slow line and one file after the other, or goes on with it after a break.
 */
export const DOWNLOAD_TIME = 3_600

/** How many files one event names, and how many the memory holds. */
const FILES_AT_ONCE = 1_000

/** Does work for streams; those for which it fails are left out for the rest of the run, and the others go on. */
export type Attempt = (names: readonly string[], work: () => Promise<void>) => Promise<void>

/**
 * What takes files away, made when a process becomes the leader; called once a run, for streams whose index is as the log has it.
 *
 * The order is the same for each file, and a crash anywhere leaves the rest to the next run: the log says that it is unlisted,
 * the index moves without it, an hour passes, the log says that it is removed, the store removes it. A run in which nothing
 * leaves asks one question of the database and none of the store.
 */
export function createRetirement(
  context: LeaderContext,
): (streams: ReadonlyMap<string, ConfiguredStream>, attempt: Attempt) => Promise<void> {
  let hasLeftovers = true
  return async (streams, attempt) => {
    if (hasLeftovers)
      // No stream has to wait for it.
      await attempt([], async () => {
        await removeLeftovers(context)
        hasLeftovers = false
      })
    for (const name of await findLeaving(context)) {
      const stream = streams.get(name)
      if (stream === undefined) continue
      await attempt([name], () => unlistFiles(context, stream))
      // A file that can't be removed must not keep its stream from being published.
      if (streams.has(name))
        await attempt([], async () => {
          // What could not be removed of another stream is left over still.
          const before = hasLeftovers
          hasLeftovers = true
          await removeFiles(context, stream)
          hasLeftovers = before
        })
    }
  }
}

/**
 * Gives files another hour that the index still names though the log has them unlisted: somebody recorded it and could not move
 * the index, and what counts is when readers see the new one. To be called before the index is moved.
 */
export async function renewUnlisted(
  context: LeaderContext,
  { name }: Pick<ConfiguredStream, 'name'>,
): Promise<void> {
  const { rows } = await context.db.query<{ path: string }>(
    sql`select path from release_file where stream = ${name} and unlisted_at is not null and removed_at is null order by path`,
  )
  if (rows.length === 0) return
  const index = await context.store.read(storePath(`${name}/index.txt`))
  const named = new Set(
    Buffer.from(index ?? [])
      .toString()
      .split('\n')
      // Some kinds say more of a file than its path.
      .map((line) => line.split(' ', 1)[0]),
  )
  const paths = pathsOf(rows).filter((path) => named.has(withoutSignature(path)))
  for (let offset = 0; offset < paths.length; offset += FILES_AT_ONCE)
    await record(context, FILES_UNLISTED, name, paths.slice(offset, offset + FILES_AT_ONCE))
}

/** The streams of which something leaves the index or the store now: found by looking at the oldest file of each. */
async function findLeaving(context: LeaderContext): Promise<string[]> {
  const brief = [...context.encoders].flatMap(([kind, { brief: files }]) =>
    files === undefined ? [] : [{ kind, ...files }],
  )
  const { rows } = await context.db.query<{ name: string }>({
    name: 'find-leaving',
    text: `select s.name from stream s
           where (select r.window_end from release_file f join release r using (stream, number)
                  where f.stream = s.name and f.unlisted_at is null order by f.number limit 1) <= $1 - s.retention
             or exists (select from release_file f
                  where f.stream = s.name and f.unlisted_at is not null and f.removed_at is null and f.unlisted_at <= $2)
             or exists (select from unnest($3::text[], $4::text[], $5::bigint[]) as brief(kind, pattern, seconds)
                  cross join release_file f join release r using (stream, number)
                  where brief.kind = s.kind and f.stream = s.name and ${isReplaced('brief.pattern', '$1 - brief.seconds')})
           order by s.name`,
    values: [
      nowOf(context),
      lastUnlisting(context),
      textArray(brief.map(({ kind }) => kind)),
      textArray(brief.map(({ pattern }) => pattern)),
      bigintArray(brief.map(({ seconds }) => seconds)),
    ],
  })
  return rows.map((row) => row.name)
}

/**
 * A condition on a file `f` of a release `r`: that the index names it still, it is one of those that newer ones replace, and there is a newer one.
 *
 * @param pattern of their paths, and until when they are old, as expressions
 */
function isReplaced(pattern: string, oldest: string): string {
  return `f.unlisted_at is null and f.path ~ ${pattern} and r.window_end <= ${oldest}
    and exists (select from release_file newer where newer.stream = f.stream and newer.number > f.number and newer.path ~ ${pattern})`
}

/** Takes out of the index what is older than the stream's retention, whatever its retention was when it was published. */
async function unlistFiles(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  const now = nowOf(context)
  const { brief } = encoderOf(context, stream)
  let moved = false
  for (;;) {
    const { rows } = await context.db.query<{ path: string }>({
      text: `select f.path from release_file f join release r using (stream, number)
          where f.stream = $1 and f.unlisted_at is null and (r.window_end <= $2 or ($3::text is not null and ${isReplaced('$3', '$4')}))
          order by f.number, f.path limit ${FILES_AT_ONCE}`,
      values: [
        stream.name,
        now - stream.retention,
        brief?.pattern ?? null,
        now - (brief?.seconds ?? 0),
      ],
    })
    if (rows.length === 0) break
    // A crash behind this leaves an index that names more than the log lists, all of it there: the next leader moves it.
    await record(context, FILES_UNLISTED, stream.name, pathsOf(rows))
    moved = true
  }
  if (moved) await movePointer(context, stream)
}

/** Takes out of the store what has been out of the index for long enough. */
async function removeFiles(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  for (;;) {
    const { rows } = await context.db.query<{ path: string }>(
      sql`select path from release_file
          where stream = ${stream.name} and unlisted_at is not null and removed_at is null and unlisted_at <= ${lastUnlisting(context)}
          order by number, path limit ${FILES_AT_ONCE}`,
    )
    if (rows.length === 0) return
    // A crash behind this leaves files that the log has removed: the next leader finds them in the store.
    await record(context, FILES_REMOVED, stream.name, pathsOf(rows))
    for (const path of pathsOf(rows)) {
      await context.mustHold()
      await context.store.remove(storePath(path))
    }
  }
}

/** Removes what the log has removed and the store still has: after a crash, a failure, or a copy of the store that was put back. */
async function removeLeftovers(context: LeaderContext): Promise<void> {
  for await (const paths of listedPaths(context))
    for (const path of await findRemoved(context.db, paths)) {
      await context.mustHold()
      await context.store.remove(storePath(path))
    }
}

/** What lies in the store, as the log names it, in pages. */
async function* listedPaths({ store }: LeaderContext): AsyncGenerator<string[]> {
  const prefix = storePath('')
  let page: string[] = []
  for await (const { path } of store.list()) {
    if (!path.startsWith(prefix)) continue
    page.push(path.slice(prefix.length))
    if (page.length < FILES_AT_ONCE) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

async function findRemoved(db: Queryable, paths: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ path: string }>(
    sql`select path from release_file where path = any(${paths}::text[]) and removed_at is not null`,
  )
  return pathsOf(rows)
}

async function record(
  context: LeaderContext,
  type: Parameters<typeof leavingEvent>[0],
  stream: string,
  paths: readonly string[],
): Promise<void> {
  // What can't be archived would be recorded again at each run.
  await context.archiveThrough(Infinity)
  await context.mustHold()
  const event = leavingEvent(type, { stream, paths })
  const [recorded] = await context.db.transaction((tx) =>
    appendEvents(tx, context.writer, [event], context.now()),
  )
  await context.archiveThrough(recorded?.seq ?? 0)
}

/** A file that was unlisted by then may go: recorded times are truncated, so it was a whole time grain later at the most. */
function lastUnlisting(context: LeaderContext): number {
  return nowOf(context) - DOWNLOAD_TIME - context.writer.timeGrain
}

function nowOf(context: Pick<LeaderContext, 'now'>): number {
  return Math.floor(context.now().getTime() / 1000)
}

/** Signatures lie beside the file that an index names. */
function withoutSignature(path: string): string {
  return path.replace(/[.]sig$/, '')
}

function pathsOf(rows: readonly { readonly path: string }[]): string[] {
  return rows.map(({ path }) => path)
}
