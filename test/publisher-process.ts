// Test helper: a publisher in a process of its own, told by lines of JSON on its input; promises to die where it is told to.

import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openDatabase, type Address } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { openDirectoryStore, type ObjectStore } from '../src/distribute/directory-store.ts'
import { TocsinError } from '../src/errors.ts'
import { createPublisher, type PublisherContext } from '../src/publish/publish-due.ts'
import { takePublisherLock, type PublisherLock } from '../src/publish/publisher-lock.ts'
import { ENCODERS } from '../src/kinds.ts'
import { releaseProjection } from '../src/publish/releases.ts'
import { loadSigner } from '../src/publish/signer.ts'
import { correctionProjection } from '../src/submit/corrections.ts'
import { reportProjection } from '../src/submit/report.ts'
import { withFaultPoints } from './fault-points.ts'

/** Where it publishes: handed over in the environment, since the address holds a password. */
export interface PublisherZone {
  /** The key zone's login. */
  readonly address: Address
  readonly folder: string
}

/** What the process can be told: the time, and whether to publish once or to try to lead from now on. */
export type PublisherOrder =
  | {
      readonly order: 'publish'
      readonly now: string
      /** At the point of this number, from 0 on ... */
      readonly dieAt?: number
      /** ... among those of this name. */
      readonly dieAmong?: string
    }
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
  | { readonly news: 'put'; readonly path: string }
  | { readonly news: 'lost' }

const { address, folder } = JSON.parse(process.env['TOCSIN_TEST_ZONE'] ?? '{}') as PublisherZone
const clock = { now: new Date(0) }
const publisher: PublisherContext = {
  db: openDatabase(address, schemaOf('key'), 4),
  copyDb: openDatabase(address, schemaOf('key'), 2, false),
  // Padding is written to the tables of reports.
  writer: {
    timeGrain: 900,
    projections: [reportProjection, correctionProjection, releaseProjection],
  },
  store: openDirectoryStore(join(folder, 'public')),
  encoders: ENCODERS,
  loadSigner,
  // What is archived, and when, has tests of its own.
  archiveThrough: async () => undefined,
  now: () => clock.now,
}
const say = (news: PublisherNews) => process.stdout.write(`${JSON.stringify(news)}\n`)
let lock: PublisherLock | undefined
let publish: (() => Promise<{ files: number }>) | undefined
let leading = false

/** The most memory that this process ever had. */
const peakMegabytes = () => Math.round(process.resourceUsage().maxRSS / 1024)

async function publishOnce(dieAt = Infinity, dieAmong?: string): Promise<void> {
  lock ??= await takePublisherLock(address, true)
  let points = 0
  const context = withFaultPoints(publisher, ({ name }) => {
    if (dieAmong !== undefined && name !== dieAmong) return
    if (points++ === dieAt) process.kill(process.pid, 'SIGKILL')
  })
  const { files } = await createPublisher(context, lock as PublisherLock)()
  say({ news: 'published', files, points, peakMegabytes: peakMegabytes() })
}

/** As a server does: takes the lock when it is free, then publishes what is due; tries again when it has lost the lock. */
async function lead(): Promise<void> {
  const putsOwnFiles = { ...publisher, store: sayPuts(publisher.store) }
  for (;;) {
    if (lock === undefined) {
      lock = await takePublisherLock(address, false)
      if (lock !== undefined) {
        publish = createPublisher(putsOwnFiles, lock)
        say({ news: 'leader' })
      }
    }
    try {
      const run = await publish?.()
      if (run !== undefined && run.files > 0)
        say({ news: 'published', files: run.files, points: 0, peakMegabytes: peakMegabytes() })
    } catch (error) {
      if (!(error instanceof TocsinError && error.code === 'publisher_lost')) throw error
      lock = publish = undefined
      say({ news: 'lost' })
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The same store, which says what is put for ever. */
function sayPuts(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async putImmutable(path, staged, digest) {
      await store.putImmutable(path, staged, digest)
      say({ news: 'put', path })
    },
  }
}

say({ news: 'ready' })
for await (const line of createInterface(process.stdin)) {
  const told = JSON.parse(line) as PublisherOrder
  clock.now = new Date(told.now)
  if (told.order === 'publish') await publishOnce(told.dieAt ?? undefined, told.dieAmong)
  else if (!leading) {
    leading = true
    void lead()
  }
}
process.exit()
