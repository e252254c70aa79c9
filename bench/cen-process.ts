// Bench: a process that takes, archives and releases contact event numbers, or reads them as the floor does; says how long that took and its peak memory.

import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { archiveThrough } from '../src/log/archiver.ts'
import { readContents } from '../src/log/detached-parts.ts'
import { buildApp } from '../src/http/app.ts'
import { cenUploadRoutes } from '../src/http/cen-upload-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { CEN_STREAM_DEFAULTS } from '../src/publish/cen-settings.ts'
import { createPublisher } from '../src/publish/publish-due.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { addStream } from '../src/publish/streams.ts'
import { startSubmissionThread } from '../src/submit/submission-thread.ts'
import { archiveOf } from '../test/archiving-zone.ts'
import { openKeyZone } from '../test/open-key-zone.ts'

/** What the process is told. */
export type CenOrder =
  /** Serves uploads, and archives meanwhile. */
  | { readonly do: 'serve' }
  /** Archives what is left. */
  | { readonly do: 'archive' }
  /** Releases everything in a stream of its own. */
  | { readonly do: 'release'; readonly stream: string }
  /** Copies the numbers out of the database and hashes them. */
  | { readonly do: 'floor' }

/** What it answers. */
export interface CenAnswer {
  readonly port: number
  readonly milliseconds: number
  readonly numbers: number
  readonly archivedBytes: number
  readonly peakMegabytes: number
}

const [url = '', folder = ''] = process.argv.slice(2)
const ARCHIVE_PAUSE_MS = 2_000
const HOUR = 3600
const clock = { ahead: 0 }
const now = () => new Date(Date.now() + clock.ahead)
const zone = await openKeyZone(url, folder, now)
const { context: archive } = await archiveOf(zone, 'key', folder, now)
const publishDue = createPublisher(zone.publisher, { mustHold: async () => undefined })

process.on('message', (order: CenOrder) => void run(order).then((answer) => process.send?.(answer)))
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function run(order: CenOrder): Promise<CenAnswer> {
  const start = performance.now()
  const port = order.do === 'serve' ? await serve() : 0
  if (order.do === 'archive') await archiveThrough(archive, Infinity)
  const numbers =
    order.do === 'release' ? await release(order.stream) : order.do === 'floor' ? await read() : 0
  return {
    port,
    milliseconds: performance.now() - start,
    numbers,
    archivedBytes: order.do === 'archive' ? sizeOf(join(folder, 'archive')) : 0,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
  }
}

async function serve(): Promise<number> {
  const settings = { ...zone.settings, defaultRegion: 'US' }
  const thread = { address: zone.address, poolSize: 8, settings }
  const { submit } = await startSubmissionThread(thread, now)
  const ofKinds = new Map<string, unknown>([
    ['TOCSIN_CEN_UPLOADS', ['trust']],
    ['TOCSIN_CEN_DAILY_CAP', 10_000_000],
  ])
  // What lets nobody in by a code needs no authority zone.
  const context = { submit, ofKinds } as unknown as RouteContext
  const app = await buildApp(cenUploadRoutes(context), 'bench', createLogger('error'))
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const again = async () => {
    await archiveThrough(archive, Infinity)
    setTimeout(() => void again(), ARCHIVE_PAUSE_MS)
  }
  void again()
  return Number(new URL(address).port)
}

async function release(name: string): Promise<number> {
  const keyFile = join(folder, `${name}.pem`)
  const publicKey = await makeSigningKey(keyFile)
  const keys = [{ keyId: '310', keyVersion: 'v1', publicKey, keyFile, from: 0, through: null }]
  const start = Math.floor(Date.now() / 1000 / HOUR) * HOUR - 6 * HOUR
  const stream = { name, kind: 'cen', region: 'US', period: HOUR, start, keys }
  const settings = { trust: ['trusted'] }
  // It ends, so that the next one's release is alone.
  const through = start + 8 * HOUR
  await zone.db.transaction((tx) =>
    addStream(tx, zone.writer, { ...CEN_STREAM_DEFAULTS, ...stream, settings, through }, now()),
  )
  clock.ahead = 2 * HOUR * 1000
  const { keys: numbers } = await publishDue()
  return numbers
}

async function read(): Promise<number> {
  const hash = createHash('sha256')
  let bytes = 0
  await zone.copyDb.transaction(async (tx) => {
    for await (const content of readContents(tx, 'select seq from cen_report')) {
      hash.update(content)
      bytes += content.length
    }
  })
  hash.digest()
  return bytes / 16
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
