// Test helper: what archiving a zone of a test works with; promises an identity of its own, and that an archive can be read as a whole.

import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import type { Zone } from '../src/db/zones.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { readArchiveObject } from '../src/log/read-archive.ts'
import { readEventRows, type EventRow } from '../src/log/read-events.ts'
import type { ArchiveContext } from '../src/log/write-archive.ts'
import type { OpenZone } from '../src/operate/open-zones.ts'

/** A zone's archive. */
export interface TestArchive {
  readonly context: ArchiveContext
  readonly identity: string
  /** Below it a folder for each zone. */
  readonly folder: string
}

/** Where and for whom a zone of a test is archived. */
export async function archiveOf(
  zone: Pick<OpenZone, 'db' | 'address' | 'writer'>,
  name: Zone,
  testFolder: string,
  now: () => Date,
): Promise<TestArchive> {
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)
  const folder = join(testFolder, 'archive')
  const context: ArchiveContext = {
    zone: name,
    db: zone.db,
    address: zone.address,
    archive: openArchive(join(folder, name)),
    recipients: async () => [recipient],
    timeGrain: zone.writer.timeGrain,
    now,
  }
  return { context, identity, folder }
}

/** The rows of every segment, in order. */
export async function readSegments({ context, identity }: TestArchive): Promise<EventRow[]> {
  const rows: EventRow[] = []
  for (const object of await context.archive.list()) {
    if (object.kind !== 'segment') continue
    const { pages } = await readArchiveObject(context.archive, object, [identity])
    for await (const page of pages) rows.push(...page)
  }
  return rows
}

/** The rows of the table. */
export async function readTable({ context }: TestArchive): Promise<EventRow[]> {
  const rows: EventRow[] = []
  for await (const page of readEventRows(context.db, 0)) rows.push(...page)
  return rows
}
