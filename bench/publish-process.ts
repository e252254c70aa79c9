// Bench: a process that publishes a window, or reads its rows as the floor does; says how long that took and its peak memory.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { to as copyTo } from 'pg-copy-streams'
import { makeSigningKey } from '../src/publish/signer.ts'
import { createPublisher } from '../src/publish/publish-due.ts'
import { addStream } from '../src/publish/streams.ts'
import { openKeyZone } from '../test/open-key-zone.ts'

/** What the process is told. Times are unix seconds. */
export type PublishOrder =
  /** Publishes a window to a stream of its own. */
  | {
      readonly do: 'publish'
      readonly stream: string
      readonly start: number
      readonly end: number
    }
  /** Reads the window's rows as they lie, and hashes them. */
  | { readonly do: 'floor'; readonly start: number; readonly end: number }
  /** Adds streams that have nothing to do at `now`. */
  | { readonly do: 'add'; readonly streams: number; readonly now: number }
  /** Looks whether something is due, as a publisher does every second. */
  | { readonly do: 'look'; readonly times: number; readonly now: number }

/** What it answers. */
export interface PublishAnswer {
  readonly milliseconds: number
  readonly keys: number
  readonly files: number
  readonly peakMegabytes: number
}

const [url = '', folder = ''] = process.argv.slice(2)
const clock = { now: new Date() }
const zone = await openKeyZone(url, folder, () => clock.now)

// Nobody else publishes to this database.
const publishDue = createPublisher(zone.publisher, { mustHold: async () => undefined })

process.on(
  'message',
  (order: PublishOrder) => void run(order).then((answer) => process.send?.(answer)),
)
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function run(order: PublishOrder): Promise<PublishAnswer> {
  if (order.do === 'publish') return publish(order)
  if (order.do === 'floor') return readRows(order)
  clock.now = new Date(order.now * 1000)
  const many = order.do === 'add' ? order.streams : order.times
  const start = performance.now()
  if (order.do === 'add')
    for (let index = 0; index < many; index++) await addOne(`idle-${index}`, order.now, null)
  else await look(many)
  return answer((performance.now() - start) / many, 0, 0)
}

async function publish({ stream, start: from, end }: PublishOrder & { do: 'publish' }) {
  clock.now = new Date(end * 1000)
  // It ends with its window, so that the next round's is alone.
  await addOne(stream, from, end)
  const start = performance.now()
  const { keys, files } = await publishDue()
  return answer(performance.now() - start, keys, files)
}

async function addOne(name: string, start: number, through: number | null): Promise<void> {
  const keyFile = join(folder, `${name}.pem`)
  const publicKey = await makeSigningKey(keyFile)
  const keys = [{ keyId: '310', keyVersion: 'v1', publicKey, keyFile, from: 0, through: null }]
  await zone.db.transaction((tx) =>
    addStream(
      tx,
      zone.writer,
      { name, region: 'US', period: 3600, start, through, keys },
      clock.now,
    ),
  )
}

const look = async (times: number) => {
  for (let time = 0; time < times; time++) await publishDue()
}

async function readRows({ start: from, end }: PublishOrder & { do: 'floor' }) {
  const start = performance.now()
  const hash = createHash('sha256')
  await zone.copyDb.transaction(async (tx) => {
    const rows = tx.client.query(
      copyTo(
        `copy (select key_data, transmission_risk, rolling_start, rolling_period, report_type, days_since_onset
               from diagnosis_key where available >= ${from} and available < ${end}) to stdout (format binary)`,
      ),
    )
    for await (const chunk of rows) hash.update(chunk as Buffer)
  })
  hash.digest()
  return answer(performance.now() - start, 0, 0)
}

function answer(milliseconds: number, keys: number, files: number): PublishAnswer {
  const peakMegabytes = process.resourceUsage().maxRSS / 1024
  return { milliseconds, keys, files, peakMegabytes }
}
