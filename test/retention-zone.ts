// Test helper: released files that leave again; promises to look at what is served, not at what is recorded.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { publishDue } from '../src/publish/publish-due.ts'
import { digestFolder, readIndex } from './published-files.ts'
import type { PublishingZone } from './publishing-zone.ts'

/** Releases of one file each of the stream `us`, of consecutive hours. @returns their paths */
export async function publishHours(test: PublishingZone, hours: number): Promise<string[]> {
  for (let hour = 0; hour < hours; hour++) {
    await test.upload()
    test.clock.advance(3_600)
    await publishDue(test.zone.publisher)
  }
  return readIndex(test.zone.publicFolder, 'us')
}

/** Whether a file is served. */
export function isInStore({ zone }: PublishingZone, path: string): boolean {
  return existsSync(join(zone.publicFolder, 'exports', path))
}

/** What must be true at any moment. @param seen every path's bytes, which never change */
export async function assertIndexIsSound(
  { zone }: PublishingZone,
  seen: Map<string, string>,
  at: string,
): Promise<void> {
  const files = await digestFolder(join(zone.publicFolder, 'exports'))
  for (const path of await readIndex(zone.publicFolder, 'us'))
    assert.ok(path in files, `${at}: the index names ${path}, which is gone`)
  for (const [path, digest] of Object.entries(files))
    if (path.endsWith('.zip')) {
      assert.equal(seen.get(path) ?? digest, digest, `${at}: ${path} has changed`)
      seen.set(path, digest)
    }
}
