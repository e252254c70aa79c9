// Publish: in which releases and files a key went out; promises to find it by the statements that the files were made with.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { readEvent } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { releaseContent } from './earlier-events.ts'
import type { ReleaseContent, ReleasedFile } from './releases.ts'
import { streamAt, type ConfiguredStream } from './streams.ts'
import { selectKeys, selectRevised, type ReleaseSpan } from './window-keys.ts'

/** A key as it is stored, with what is needed of its report. */
export interface StoredKey {
  readonly keyData: Uint8Array
  /** In intervals of 10 minutes. */
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly padding: boolean
  /** Whether a withdrawal holds it, or its report. */
  readonly withdrawn: boolean
  readonly first: KeyState
  /** Its change, if there is one that counts. */
  readonly revision?: KeyState
  /** From when on its newest correction is to be told (withdrawal, reinstatement, amendment), unix seconds; null without one. */
  readonly corrected: number | null
}

/** What a report said of a key. */
export interface KeyState {
  /** Of the report's event. */
  readonly seq: number
  /** Unix seconds at a time grain. */
  readonly accepted: number
  readonly available: number
  /** As in export files. */
  readonly reportType: number
  readonly regions: readonly string[]
  readonly traveler: boolean
}

/** Where a key went out. */
export interface PublishedKey {
  readonly list: 'keys' | 'revisedKeys'
  readonly release: number
  /** The number of events that the release was read from. */
  readonly readSeq: number
  /** As the index names it. */
  readonly path: string
  /** In the index, in the store only, or in neither any more. */
  readonly state: 'listed' | 'unlisted' | 'removed'
  /** When it left the index and when the store, ISO 8601; null while it has not. */
  readonly unlisted: string | null
  readonly removed: string | null
}

/** A release with the stream as it was configured for it. */
export interface ConfiguredRelease extends ReleaseContent {
  readonly configured: ConfiguredStream
}

/** The release that brought the keys of a moment. */
export async function findCover(
  db: Queryable,
  stream: string,
  moment: number,
): Promise<{ number: number; readSeq: number; stream: ConfiguredStream } | undefined> {
  const { rows } = await db.query<{ seq: number }>(
    sql`select seq from release where stream = ${stream} and keys_from <= ${moment} and window_end > ${moment}
        order by number limit 1`,
  )
  if (rows[0] === undefined) return undefined
  const { number, readSeq, configured } = await readRelease(db, rows[0].seq)
  return { number, readSeq, stream: configured }
}

/** Every place where a stream has published a key, oldest first. */
export async function findPublished(
  db: Queryable,
  stream: string,
  { keyData }: Pick<StoredKey, 'keyData'>,
): Promise<PublishedKey[]> {
  // What was corrected comes with every release, also with one that is held.
  const { rows } = await db.query<{ seq: number }>(
    sql`select distinct r.seq from changes_of_key(${keyData}) as c(available)
          join release r on least(r.keys_from, r.window_start) <= c.available and r.window_end > c.available
        where r.stream = ${stream} order by r.seq`,
  )
  const published: PublishedKey[] = []
  for (const { seq } of rows) {
    const release = await readRelease(db, seq)
    if (release.files.length === 0) continue
    for (const list of ['keys', 'revisedKeys'] as const) {
      const place = await placeOf(db, release, list, keyData)
      if (place === undefined) continue
      const file = fileAt(release.files, place)
      if (file === undefined) continue
      const { number, readSeq } = release
      published.push({ list, release: number, readSeq, ...(await stateOfFile(db, file.path)) })
    }
  }
  return published
}

/** The file of a release that holds the key at a place, counted over all of them. */
function fileAt(files: readonly ReleasedFile[], place: number): ReleasedFile | undefined {
  let before = 0
  return files.find(({ keys, revisedKeys }) => place < (before += keys + revisedKeys))
}

/** How many keys come before a key in the files of a release; undefined when it is in none of that list. */
async function placeOf(
  db: Queryable,
  { configured, number, window, keysFrom, readSeq, files }: ConfiguredRelease,
  list: PublishedKey['list'],
  keyData: Uint8Array,
): Promise<number | undefined> {
  const span: ReleaseSpan = { number, ...window, keysFrom, readSeq }
  const keys = selectKeys(configured, span)
  const chosen = list === 'keys' ? keys : selectRevised(configured, span)
  const count = async (select: string, condition: string) =>
    (
      await db.query<{ n: number }>({
        text: `select count(*) as n from (${select}) as chosen where ${condition}`,
        values: [keyData],
      })
    ).rows[0]?.n ?? 0
  if ((await count(chosen, 'key_data = $1')) === 0) return undefined
  if (files.length === 1) return 0
  const before = list === 'keys' ? 0 : await count(keys, '$1::bytea is not null')
  return before + (await count(chosen, 'key_data < $1'))
}

async function stateOfFile(
  db: Queryable,
  path: string,
): Promise<Pick<PublishedKey, 'path' | 'state' | 'unlisted' | 'removed'>> {
  const { rows } = await db.query<{ unlisted_at: number | null; removed_at: number | null }>(
    sql`select unlisted_at, removed_at from release_file where path = ${path}`,
  )
  const { unlisted_at: unlisted = null, removed_at: removed = null } = rows[0] ?? {}
  return {
    path,
    state: removed !== null ? 'removed' : unlisted !== null ? 'unlisted' : 'listed',
    unlisted: unlisted === null ? null : formatTimestamp(unlisted),
    removed: removed === null ? null : formatTimestamp(removed),
  }
}

async function readRelease(db: Queryable, seq: number): Promise<ConfiguredRelease> {
  const event = await readEvent(db, seq)
  if (event === undefined) throw new TocsinError('log_invalid', `Event ${seq} is not there.`)
  const content = releaseContent(event)
  return { ...content, configured: await streamAt(db, content.configurationSeq) }
}
