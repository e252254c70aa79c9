// Bench: how long a window of a million keys takes from the database to signed zips on disk, against reading and hashing the same rows.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { benchDatabase } from './database.ts'
import { alternate, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import type { PublishAnswer, PublishOrder } from './publish-process.ts'

const KEYS = 1_000_000
const TIMES_MORE = 4
const KEYS_A_REPORT = 14
const ROUNDS = 5
const GOAL = 4
const MOST_MEGABYTES = 200
const HOUR = 3600
/** Where the window of a million begins; the one of four million follows. */
const START = Date.UTC(2026, 2, 10, 8) / 1000
const SCHEMA = schemaOf('key')
/** As bin/tocsin starts a server. */
const SERVER_FLAGS = ['--max-semi-space-size=8', '--max-old-space-size=256']

/** `npm run bench -- publish` */
export const bench: Benchmark = {
  summary: `${KEYS.toLocaleString('en')} keys of one window to signed zips on disk`,
  unit: 'ms',
  goal: `at most ${GOAL} times as long as reading and hashing the rows; under ${MOST_MEGABYTES} MiB, and within 10 % of that for ${TIMES_MORE} times as many`,
  async run(report) {
    await using database = await benchDatabase()
    using processes = new Processes()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const start = async () => {
        const child = processes.fork('./publish-process.ts', [database.url, folder], SERVER_FLAGS)
        await nextMessage(child)
        return async (order: PublishOrder) => {
          child.send(order)
          return nextMessage<PublishAnswer>(child)
        }
      }
      const [ours, floor] = [await start(), await start()]
      await fill(database.url, KEYS, START)
      const window = { start: START, end: START + HOUR }
      let streams = 0
      let peak = 0
      const publish = async () => {
        const done = await ours({ do: 'publish', stream: `round-${streams++}`, ...window })
        if (done.keys !== KEYS) throw new Error(`${done.keys} keys were published`)
        peak = done.peakMegabytes
        return done.milliseconds
      }
      const read = async () => (await floor({ do: 'floor', ...window })).milliseconds
      await publish()
      await read()
      const result = await alternate(ROUNDS, publish, read, report)
      await fill(database.url, KEYS * TIMES_MORE, START + HOUR)
      const more = { start: START + HOUR, end: START + 2 * HOUR }
      const large = await (await start())({ do: 'publish', stream: 'large', ...more })
      const largeFloor = await floor({ do: 'floor', ...more })
      const largeRatio = large.milliseconds / largeFloor.milliseconds
      report(
        `${KEYS * TIMES_MORE} keys: ${large.files} files, ratio ${largeRatio.toFixed(2)}, ${large.peakMegabytes.toFixed(0)} MiB against ${peak.toFixed(0)}`,
      )
      return {
        ...result,
        holds: result.ratio <= GOAL && peak < MOST_MEGABYTES && large.peakMegabytes <= 1.1 * peak,
        extra: { peakMegabytes: peak, largePeakMegabytes: large.peakMegabytes, largeRatio },
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** Reports of one hour, as the servers store them; then what the database does in its own time is done. */
async function fill(url: string, keys: number, start: number): Promise<void> {
  const reports = Math.ceil(keys / KEYS_A_REPORT)
  // Before every number that the log gives: a release reads what came before it.
  const firstSeq = -1_000_000_000 + (start - START) * 1_000
  const name = randomBytes(8).toString('hex')
  const client = await connectOnce(parseAddress(url))
  try {
    await client.query(
      `insert into ${SCHEMA}.report (seq, tracking_id, fingerprint, app, regions, traveler, grain)
       select ${firstSeq} + n, decode(md5('tracking ' || n || $1), 'hex'), decode(md5('fingerprint ' || n || $1), 'hex'),
         'org.example.health', '{US}', false, ${start} + n % 4 * 900
       from generate_series(0, ${reports - 1}) n`,
      [name],
    )
    await client.query(
      `insert into ${SCHEMA}.diagnosis_key
         (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
       select decode(md5('key ' || n || $1), 'hex'), ${firstSeq} + n / ${KEYS_A_REPORT}, ${start} + n / ${KEYS_A_REPORT} % 4 * 900,
         ${Math.floor(start / 86_400) * 144} - 144 * (1 + n % ${KEYS_A_REPORT}), 144, 2, 1, 3 - n % ${KEYS_A_REPORT}
       from generate_series(0, ${keys - 1}) n`,
      [name],
    )
    await client.query(`vacuum analyze ${SCHEMA}.report, ${SCHEMA}.diagnosis_key`)
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}
