// Bench: how long a database takes to come back from the archive, against copying the same rows into the same tables.

import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { generateX25519Identity } from 'age-encryption'
import { to as copyTo } from 'pg-copy-streams'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { createDatabase } from '../test/create-database.ts'
import { benchDatabase } from './database.ts'
import { alternate, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import { writeBenchArchive } from './recover-archive.ts'
import type { RecoverAnswer, RecoverOrder } from './recover-process.ts'

/** `--large`: what must take less than four minutes. */
const IS_LARGE = process.argv.includes('--large')
const REPORTS = IS_LARGE ? 715_000 : 100_000
const KEYS_A_REPORT = 14
const ROUNDS = IS_LARGE ? 1 : 3
const GOAL = 2
const MOST_SECONDS = 240
const MOST_MEGABYTES = 300
const TABLES = ['event', 'report', 'diagnosis_key']
/** As bin/tocsin starts a server. */
const SERVER_FLAGS = ['--max-semi-space-size=8', '--max-old-space-size=256']

/** `npm run bench -- recover` */
export const bench: Benchmark = {
  summary: `${REPORTS.toLocaleString('en')} reports of ${KEYS_A_REPORT} keys from an archive into PostgreSQL (--large for 10 million keys)`,
  unit: 'keys/s',
  goal: `at most ${GOAL} times as long as binary COPY of the same rows into the same tables; under ${MOST_MEGABYTES} MiB${IS_LARGE ? ` and ${MOST_SECONDS} s` : ''}`,
  async run(report) {
    await using server = await benchDatabase()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const identity = await generateX25519Identity()
      const events = await writeBenchArchive(folder, identity, REPORTS, KEYS_A_REPORT)
      report(`${events} events are in the archive`)
      let peak = 0
      let first = true
      // Each side in an empty database and a process of its own.
      const run = async (what: RecoverOrder['do']) => {
        await using database = await createDatabase(server.url)
        using processes = new Processes()
        const child = processes.fork('./recover-process.ts', [folder, identity], SERVER_FLAGS)
        await nextMessage(child)
        const order = async (todo: RecoverOrder['do']) => {
          child.send({ do: todo, url: database.url } satisfies RecoverOrder)
          return nextMessage<RecoverAnswer>(child)
        }
        await order('open')
        await settle(database.url)
        const { milliseconds, peakMegabytes } = await order(what)
        if (what === 'recover') peak = Math.max(peak, peakMegabytes)
        if (first) await saveTables(database.url, folder)
        first = false
        return (REPORTS * KEYS_A_REPORT) / (milliseconds / 1000)
      }
      const { value, floor, ratio } = await alternate(
        ROUNDS,
        () => run('recover'),
        () => run('floor'),
        report,
      )
      const seconds = (REPORTS * KEYS_A_REPORT) / value
      const holds =
        ratio >= 1 / GOAL && peak < MOST_MEGABYTES && (!IS_LARGE || seconds < MOST_SECONDS)
      return {
        value,
        floor,
        ratio,
        holds,
        extra: {
          seconds: Number(seconds.toFixed(1)),
          eventsPerSecond: Math.round(events / seconds),
          peakMegabytes: Math.round(peak),
        },
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** What the runs before left to be written is no part of this one. */
async function settle(url: string): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}

/** The rows of the floor: those that were recovered. */
async function saveTables(url: string, folder: string): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    for (const table of TABLES)
      await pipeline(
        client.query(copyTo(`copy ${schemaOf('key')}.${table} to stdout (format binary)`)),
        createWriteStream(join(folder, table)),
      )
  } finally {
    await client.end()
  }
}
