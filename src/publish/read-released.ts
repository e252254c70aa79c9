// Publish: the keys of a released zip as it lies in the store; promises that they are those of the bytes that were published.

import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { ObjectStore } from '../distribute/directory-store.ts'
import { storePath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { readExport, type ExportEntry } from '../format/gaen-export.ts'
import { findEntry, listZip, streamEntry } from '../format/read-zip.ts'
import type { FileRow } from './releases.ts'

/** How many keys are taken from a zip before others of this process get their turn. */
const KEYS_AT_ONCE = 2_000

/**
 * The keys of a zip in their order, `keys` before `revisedKeys`, some at a time. A zip of a million keys takes 20 MB.
 *
 * @throws TocsinError `store_conflict` when it is not there as it was published, `store_failed`
 */
export async function* readReleased(
  store: Pick<ObjectStore, 'read'>,
  { path, digest }: Pick<FileRow, 'path' | 'digest'>,
): AsyncGenerator<ExportEntry[]> {
  const bytes = await store.read(storePath(path))
  const found = createHash('sha256')
    .update(bytes ?? '')
    .digest()
  if (bytes === undefined || !found.equals(digest))
    throw new TocsinError(
      'store_conflict',
      `${path} does not lie in the store as it was published: mend it with tocsin store check --repair.`,
    )
  const entry = findEntry(listZip(bytes), 'export.bin')
  let some: ExportEntry[] = []
  for (const each of readExport(streamEntry(entry, entry.size))) {
    if (some.push(each) < KEYS_AT_ONCE) continue
    yield some
    some = []
    await setImmediate()
  }
  if (some.length > 0) yield some
}
