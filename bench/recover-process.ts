// Bench: one side of recovery in a process of its own: an archive into an empty database, or the same rows copied; promises times without the other's memory.

import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { keyProjections } from '../src/main.ts'
import { openZones } from '../src/operate/open-zones.ts'
import { planChain } from '../src/recover/plan-chain.ts'
import { readHeaders } from '../src/recover/read-headers.ts'
import { recoverZone } from '../src/recover/recover-zone.ts'

/** What to do, into which empty database. */
export interface RecoverOrder {
  readonly do: 'open' | 'recover' | 'floor'
  readonly url: string
}

/** How long it took. */
export interface RecoverAnswer {
  readonly milliseconds: number
  readonly peakMegabytes: number
}

const [folder = '', identity = ''] = process.argv.slice(2)

/** The tables that hold nearly everything. */
export const TABLES = ['event', 'report', 'diagnosis_key']

process.on('message', (order: RecoverOrder) => {
  void carryOut(order).then((milliseconds) =>
    process.send?.({ milliseconds, peakMegabytes: process.resourceUsage().maxRSS / 1024 }),
  )
})
process.send?.({ ready: true })

async function carryOut(order: RecoverOrder): Promise<number> {
  await using zones = await openZones({
    ownerUrl: order.url,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 4,
    projections: { key: keyProjections, authority: [] },
    now: () => new Date(),
    forRecovery: true,
  })
  const begun = performance.now()
  if (order.do === 'recover') {
    const archive = openArchive(join(folder, 'key'))
    const contents = await readHeaders(archive, [identity])
    const chain = planChain(contents)
    await recoverZone(zones.key, { archive, identities: [identity], contents, chain })
  }
  if (order.do === 'floor') await Promise.all(TABLES.map((table) => copyTable(order.url, table)))
  return performance.now() - begun
}

/** The rows of a table, as COPY gave them, back into the same table of another database. */
async function copyTable(url: string, table: string): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    const target = client.query(
      copyFrom(`copy ${schemaOf('key')}.${table} from stdin (format binary)`),
    )
    await pipeline(createReadStream(join(folder, table), { highWaterMark: 1 << 20 }), target)
  } finally {
    await client.end()
  }
}
