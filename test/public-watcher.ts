// Test helper: somebody who looks at the served folder again and again, and remembers; promises to notice what may never happen there.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { digestFolder, readIndex, readPublished } from './published-files.ts'
import { assertLogIsClean, type PublishingZone } from './publishing-zone.ts'

/** What the log says of a file. */
interface RecordedRow {
  readonly path: string
  readonly stream: string
  readonly digest: string
  readonly listed: boolean
  readonly removed: boolean
}

/** Watches the public files of a zone. */
export interface PublicWatcher {
  /** Looks, and fails when something is not as it must be at every moment. */
  look(moment: string): Promise<void>
  /** Looks, and fails when something is not as it must be once a run has succeeded. */
  lookMended(moment: string): Promise<void>
  /** Fails when a key that is not held is missing in a stream, or is there more than once. @param regions of each stream */
  assertEachKeyOnce(regions: Readonly<Record<string, readonly string[]>>): Promise<void>
  /** How many files have been seen, and how many of them are gone. */
  readonly counts: { readonly seen: number; readonly gone: number; readonly revisedKeys: number }
}

/** @param streams whose files there may be */
export function watchPublic(test: PublishingZone, streams: readonly string[]): PublicWatcher {
  const { publicFolder, db } = test.zone
  /** Each path's bytes, for ever. */
  const digests = new Map<string, string>()
  const gone = new Set<string>()
  /** How often each key was published for the first time, by stream. */
  const published = new Map<string, Map<string, number>>()
  let revisedKeys = 0

  const remember = async (path: string) => {
    const stream = path.split('/')[0] ?? ''
    const { keys, revisedKeys: revised, entries } = await readPublished(publicFolder, path)
    assert.deepEqual(entries, ['export.bin', 'export.sig'], `${path} is whole`)
    assert.ok(keys.length + revised.length > 0, `${path} has keys`)
    revisedKeys += revised.length
    const counts = published.get(stream) ?? new Map<string, number>()
    for (const { key_data } of keys) {
      const name = key_data.toString('hex')
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    published.set(stream, counts)
  }

  const look = async (moment: string) => {
    const recorded = await readRecorded(test)
    const known = new Map(recorded.map((row) => [row.path, row]))
    const files = existsSync(publicFolder) ? await digestFolder(publicFolder) : {}
    const present = new Set<string>()
    for (const [file, digest] of Object.entries(files)) {
      const path = file.replace(/^exports\//, '')
      if (isPointer(path, streams)) continue
      present.add(path)
      assert.ok(!gone.has(path), `${moment}: ${path} was removed, and is back`)
      assert.equal(known.get(path)?.digest, digest, `${moment}: ${path} is as it was recorded`)
      assert.equal(digests.get(path) ?? digest, digest, `${moment}: ${path} has changed`)
      if (digests.has(path)) continue
      digests.set(path, digest)
      await remember(path)
    }
    for (const path of digests.keys())
      if (!present.has(path)) {
        assert.ok(known.get(path)?.removed, `${moment}: ${path} is gone and not said to be`)
        gone.add(path)
      }
    for (const stream of streams)
      if (existsSync(join(publicFolder, 'exports', stream, 'index.txt')))
        for (const path of await readIndex(publicFolder, stream))
          assert.ok(present.has(path), `${moment}: the index names ${path}, which is not there`)
    return { recorded, present }
  }

  return {
    async look(moment) {
      await look(moment)
    },
    async lookMended(moment) {
      const { recorded, present } = await look(moment)
      const expected = recorded.flatMap(({ path, removed }) => (removed ? [] : [path]))
      assert.deepEqual([...present].sort(), expected.sort(), `${moment}: all files, and no others`)
      for (const stream of streams)
        assert.deepEqual(
          await readIndex(publicFolder, stream),
          recorded.flatMap((row) => (row.stream === stream && row.listed ? [row.path] : [])),
          `${moment}: the index is the log's`,
        )
      const staging = join(publicFolder, '.staging')
      const staged = existsSync(staging) ? await readdir(staging) : []
      assert.deepEqual(staged, [], `${moment}: nothing is left over`)
    },
    async assertEachKeyOnce(regions) {
      for (const [stream, wanted] of Object.entries(regions)) {
        const { rows } = await db.query<{ name: string; padding: boolean; available: number }>(
          sql`select encode(k.key_data, 'hex') as name, k.padding, k.available from diagnosis_key k join report r using (seq)
              where r.regions && ${wanted}::text[]
                and k.available < (select max(window_end) from release where stream = ${stream} and keys_from is not null)`,
        )
        const counts = published.get(stream) ?? new Map<string, number>()
        const twice = [...counts].filter(([, count]) => count !== 1)
        assert.deepEqual(twice, [], `${stream}: no key is published twice`)
        const missing = rows.filter(({ name }) => !counts.has(name))
        assert.deepEqual(missing, [], `${stream}: no key is missing`)
        assert.equal(counts.size, rows.length, `${stream}: no key is nobody's`)
      }
      await assertLogIsClean(test)
    },
    get counts() {
      return { seen: digests.size, gone: gone.size, revisedKeys }
    },
  }
}

function isPointer(path: string, streams: readonly string[]): boolean {
  const [stream = '', file = ''] = path.split('/')
  return streams.includes(stream) && ['index.txt', 'key.pem'].includes(file)
}

async function readRecorded({ zone }: PublishingZone): Promise<RecordedRow[]> {
  const { rows } = await zone.db.query<RecordedRow>(
    sql`select f.path, f.stream, encode(f.digest, 'hex') as digest, f.unlisted_at is null as listed,
          f.removed_at is not null as removed
        from release_file f order by f.stream, f.number, f.path`,
  )
  return rows
}
