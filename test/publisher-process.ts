// Test helper: a publisher in a process of its own, told by lines of JSON on its input; promises to die where it is told to.

import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openDatabase, type Address } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { createPublisher, type PublisherContext } from '../src/publish/publish-due.ts'
import { takePublisherLock, type PublisherLock } from '../src/publish/publisher-lock.ts'
import { releaseProjection } from '../src/publish/releases.ts'
import { loadSigner } from '../src/publish/signer.ts'
import { withFaultPoints } from './fault-points.ts'

/** Where it publishes: handed over in the environment, since the address holds a password. */
export interface PublisherZone {
  /** The key zone's login. */
  readonly address: Address
  readonly folder: string
}

/** What the process can be told: the time, and whether to publish once or to try to lead from now on. */
export type PublisherOrder =
  | { readonly order: 'publish'; readonly now: string; readonly dieAt?: number }
  | { readonly order: 'lead'; readonly now: string }

/** What it says. */
export type PublisherNews =
  | { readonly news: 'ready' }
  | {
      readonly news: 'published'
      readonly files: number
      readonly points: number
      readonly peakMegabytes: number
    }
  | { readonly news: 'leader' }

const { address, folder } = JSON.parse(process.env['TOCSIN_TEST_ZONE'] ?? '{}') as PublisherZone
const clock = { now: new Date(0) }
const publisher: PublisherContext = {
  db: openDatabase(address, schemaOf('key'), 4),
  copyDb: openDatabase(address, schemaOf('key'), 2, false),
  writer: { timeGrain: 900, projections: [releaseProjection] },
  store: openDirectoryStore(join(folder, 'public')),
  loadSigner,
  now: () => clock.now,
}
const say = (news: PublisherNews) => process.stdout.write(`${JSON.stringify(news)}\n`)
let lock: PublisherLock | undefined
let publish: (() => Promise<{ files: number }>) | undefined
let leading = false

/** The most memory that this process ever had. */
const peakMegabytes = () => Math.round(process.resourceUsage().maxRSS / 1024)

async function publishOnce(dieAt: number): Promise<void> {
  lock ??= await takePublisherLock(address, true)
  let points = 0
  const context = withFaultPoints(publisher, () => {
    if (points++ === dieAt) process.kill(process.pid, 'SIGKILL')
  })
  const { files } = await createPublisher(context, lock as PublisherLock)()
  say({ news: 'published', files, points, peakMegabytes: peakMegabytes() })
}

/** As a server does: takes the lock when it is free, then publishes what is due. */
async function lead(): Promise<void> {
  for (;;) {
    if (lock === undefined) {
      lock = await takePublisherLock(address, false)
      if (lock !== undefined) {
        publish = createPublisher(publisher, lock)
        say({ news: 'leader' })
      }
    }
    const run = await publish?.()
    if (run !== undefined && run.files > 0)
      say({ news: 'published', files: run.files, points: 0, peakMegabytes: peakMegabytes() })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

say({ news: 'ready' })
for await (const line of createInterface(process.stdin)) {
  const told = JSON.parse(line) as PublisherOrder
  clock.now = new Date(told.now)
  if (told.order === 'publish') await publishOnce(told.dieAt ?? Infinity)
  else if (!leading) {
    leading = true
    void lead()
  }
}
process.exit()
