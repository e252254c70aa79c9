// Test helper: a server of the authority zone in a process of its own that can be told to die; promises that it dies where it was told to, and answers nothing more.

import { openAuthorize } from '../src/authorize/context.ts'
import type { Database } from '../src/db/database.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityZoneRoutes } from '../src/http/authority-zone-routes.ts'
import type { Projection } from '../src/log/projection.ts'
import { createLogger } from '../src/operate/logger.ts'
import { authorizeOptions, openAuthorityData } from './authority-zone.ts'

/** What it is started with. */
export interface DoomedServer {
  readonly ownerUrl: string
  readonly folder: string
  readonly now: string
  /** With which event it dies; none when empty. */
  readonly event: string
  /** Before that event is committed, or after it and before the reply. */
  readonly moment: 'before' | 'after'
}

const doom = JSON.parse(process.argv[2] ?? '') as DoomedServer
const now = () => new Date(doom.now)
const data = await openAuthorityData(doom.ownerUrl, doom.folder, now)

let isWritten = false
const die = async () => {
  process.kill(process.pid, 'SIGKILL')
  // The signal need not come before the next line runs.
  await new Promise(() => undefined)
}
const fate: Projection = {
  types: [doom.event],
  tables: [],
  async apply() {
    isWritten = true
    if (doom.moment === 'before') await die()
  },
}
const { db, writer, masterKey } = data.zone
const mortal: Database = {
  ...db,
  async transaction(work) {
    const result = await db.transaction(work)
    if (isWritten) await die()
    return result
  },
}
const zone = {
  db: mortal,
  writer: { ...writer, projections: [...writer.projections, fate] },
  masterKey,
}
const context = await openAuthorize(zone, authorizeOptions(now))
const app = await buildApp(authorityZoneRoutes(context), 'test', createLogger('silent'))
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }))
