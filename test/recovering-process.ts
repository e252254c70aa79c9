// Test helper: a recovery in a process of its own, which says how far it is; promises to go on until it is killed or done.

import { keyProjections } from '../src/main.ts'
import { openZones } from '../src/operate/open-zones.ts'
import { recoverFrom } from './recovered-zone.ts'

/** What it needs; handed over in the environment, since it holds secrets. */
export interface RecoveringOrder {
  readonly url: string
  readonly masterKeyFile: string
  readonly archive: string
  readonly identity: string
  readonly batchBytes: number
}

const order = JSON.parse(process.env['TOCSIN_TEST_RECOVERY'] ?? '{}') as RecoveringOrder
await using zones = await openZones({
  ownerUrl: order.url,
  zoneUrls: {},
  masterKeyFile: order.masterKeyFile,
  demo: undefined,
  server: true,
  timeGrain: 900,
  poolSize: 4,
  projections: { key: keyProjections, authority: [] },
  now: () => new Date('2026-03-20T00:00:00Z'),
  forRecovery: true,
})
const done = await recoverFrom(zones.key, order.archive, 'key', order.identity, {
  batchBytes: order.batchBytes,
  onProgress: (events) => process.stdout.write(`${events}\n`),
})
process.stdout.write(`done ${done.alreadyThere}\n`)
