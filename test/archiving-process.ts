// Test helper: archives the key zone in a process of its own; promises to die behind the write that it is told to.

import type { Address } from '../src/db/database.ts'
import { openDatabase } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { makeSnapshot } from '../src/log/archive-snapshot.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import type { ArchiveContext } from '../src/log/write-archive.ts'
import { watchDisk } from './watched-disk.ts'

/** What it does: handed over in the environment, since the address holds a password. */
export interface ArchivingOrder {
  readonly address: Address
  /** Of the key zone's archive. */
  readonly folder: string
  readonly recipient: string
  readonly now: string
  readonly work: 'segment' | 'snapshot'
  /** A segment is closed after so many bytes. */
  readonly mostBytes?: number
  /** Behind the write of this number, from 0 on. */
  readonly dieBehind?: number
}

const order = JSON.parse(process.env['TOCSIN_TEST_ARCHIVING'] ?? '{}') as ArchivingOrder
let writes = 0
const onWrite = () => {
  if (writes++ === order.dieBehind) process.kill(process.pid, 'SIGKILL')
}
using _ = watchDisk(order.folder, ({ when }) => when === 'after' && onWrite())
const db = openDatabase(order.address, schemaOf('key'), 2)
const context: ArchiveContext = {
  zone: 'key',
  db: {
    ...db,
    async transaction(work) {
      const result = await db.transaction(work)
      onWrite()
      return result
    },
  },
  address: order.address,
  archive: openArchive(order.folder),
  recipients: async () => [order.recipient],
  timeGrain: 900,
  now: () => new Date(order.now),
}
if (order.work === 'snapshot') await makeSnapshot(context)
else await archiveThrough(context, Infinity, order.mostBytes)
await db.close()
