// Bench: reports of contact event numbers, from uploads to a sorted file, at the sizing of 21 days; figures for as many as a country has.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import type { CenLoadOrder, CenLoadResult } from './cen-load.ts'
import type { CenAnswer, CenOrder } from './cen-process.ts'
import { benchDatabase } from './database.ts'
import { alternate, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'

const DIVISOR = Number(process.env['BENCH_DIVISOR'] ?? 1)
const REPORTS = Math.ceil(2_000 / DIVISOR)
/** Those of 21 days: 3 phones nearby every 5 minutes of 12 hours. */
const NUMBERS = 9_072
const CONNECTIONS = 16
const ROUNDS = 3
const USERS = 200_000
const DAYS = 21
const MOST_TIMES = 8
const MOST_MEGABYTES = 300
const MOST_BYTES = 17.5
/** A day's share of all users within 5 minutes. */
const DAY_SECONDS = 300
/** As bin/tocsin starts a server. */
const SERVER_FLAGS = ['--max-semi-space-size=8', '--max-old-space-size=256']

/** `npm run bench -- cen` */
export const bench: Benchmark = {
  summary: `${REPORTS.toLocaleString('en')} reports of ${NUMBERS.toLocaleString('en')} contact event numbers: uploaded, archived, released`,
  unit: 'ms',
  goal: `the release at most ${MOST_TIMES} times as long as copying the numbers out of the database and hashing them, under ${MOST_MEGABYTES} MiB; a day's share of ${USERS.toLocaleString('en')} users uploaded in ${DAY_SECONDS} s; at most ${MOST_BYTES} bytes a number in the database and in the archive`,
  async run(report) {
    await using database = await benchDatabase()
    using processes = new Processes()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const start = async () => {
        const child = processes.fork('./cen-process.ts', [database.url, folder], SERVER_FLAGS)
        await nextMessage(child)
        return async (order: CenOrder) => {
          child.send(order)
          return nextMessage<CenAnswer>(child)
        }
      }
      const server = await start()
      const load = processes.fork('./cen-load.ts', [])
      const { port } = await server({ do: 'serve' })
      const upload = async (reports: number) => {
        const order: CenLoadOrder = { port, connections: CONNECTIONS, reports, numbers: NUMBERS }
        load.send(order)
        return nextMessage<CenLoadResult>(load)
      }
      await upload(Math.ceil(REPORTS / 20))
      const before = {
        stored: await storedBytes(database.url),
        ...(await server({ do: 'archive' })),
      }
      const { seconds } = await upload(REPORTS)
      const after = {
        ...(await server({ do: 'archive' })),
        stored: await storedBytes(database.url),
      }
      const numbers = REPORTS * NUMBERS
      const bytesStored = (after.stored - before.stored) / numbers
      const bytesArchived = (after.archivedBytes - before.archivedBytes) / numbers
      const rate = numbers / seconds
      const daySeconds = (USERS * NUMBERS) / DAYS / rate
      report(
        `${rate.toFixed(0)} numbers a second; ${bytesStored.toFixed(2)} bytes a number in the database, ${bytesArchived.toFixed(2)} in the archive; the server's peak ${after.peakMegabytes.toFixed(0)} MiB`,
      )
      const [ours, floor] = [await start(), await start()]
      let rounds = 0
      let peak = 0
      const release = async () => {
        const done = await ours({ do: 'release', stream: `round-${rounds++}` })
        if (done.numbers < numbers) throw new Error(`${done.numbers} numbers were released`)
        peak = done.peakMegabytes
        return done.milliseconds
      }
      const read = async () => (await floor({ do: 'floor' })).milliseconds
      await release()
      await read()
      const result = await alternate(ROUNDS, release, read, report)
      const all = USERS * NUMBERS
      return {
        ...result,
        holds:
          result.ratio <= MOST_TIMES &&
          peak < MOST_MEGABYTES &&
          daySeconds <= DAY_SECONDS &&
          bytesStored <= MOST_BYTES &&
          bytesArchived <= MOST_BYTES,
        extra: {
          numbersASecond: Math.round(rate),
          daySeconds: Math.round(daySeconds),
          bytesStored,
          bytesArchived,
          serverPeakMegabytes: after.peakMegabytes,
          peakMegabytes: peak,
          allUsersStoredGigabytes: (all * bytesStored) / 1e9,
          allUsersArchivedGigabytes: (all * bytesArchived) / 1e9,
          allUsersUploadedMinutes: all / rate / 60,
          allUsersReleasedMinutes: ((all / numbers) * result.value) / 60_000,
        },
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** What all tables of the zone take, with their indexes and what lies beside them. */
async function storedBytes(url: string): Promise<number> {
  const client = await connectOnce(parseAddress(url))
  try {
    await client.query('checkpoint')
    const { rows } = await client.query<{ bytes: string }>(
      `select sum(pg_total_relation_size(c.oid))::text as bytes from pg_class c
       where c.relnamespace = '${schemaOf('key')}'::regnamespace and c.relkind = 'r'`,
    )
    return Number(rows[0]?.bytes)
  } finally {
    await client.end()
  }
}
