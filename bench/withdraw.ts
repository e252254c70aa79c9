// Bench: withdrawing what a provider vouched for, out of few stored keys and out of ten times as many, while phones submit; promises the same withdrawal in both.

import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { withdraw } from '../src/correct/withdraw.ts'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { openKeyZone } from '../test/open-key-zone.ts'
import { benchDatabase } from './database.ts'
import { median, type Benchmark } from './harness.ts'
import { openSubmissionBench, WARM_ROUNDS } from './submission-bench.ts'

/** To try it with less, a divisor of all numbers of keys. */
const DIVISOR = Number(process.env['BENCH_DIVISOR'] ?? 1)
/** Keys of the provider whose reports are withdrawn. */
const WITHDRAWN = 100_000 / DIVISOR
const SMALL = 2 * WITHDRAWN
const LARGE = 20 * WITHDRAWN
const KEYS_A_REPORT = 14
const ROUNDS = 5
const GOAL = 1.3
const MOST_DELAY = 2
/** Submissions a second, well below what the server can. */
const RATE = 200
const LOAD_SECONDS = 6
const SCHEMA = schemaOf('key')

/** `npm run bench -- withdraw` */
export const bench: Benchmark = {
  summary: `${WITHDRAWN.toLocaleString('en')} keys of one provider withdrawn, out of ${SMALL.toLocaleString('en')} and of ${LARGE.toLocaleString('en')}`,
  unit: 'times the cost of a key',
  goal: `at most ${GOAL} times as much a key out of ten times as many; p99 of submissions meanwhile at most ${MOST_DELAY} times as before`,
  async run(report) {
    const small = await measure(SMALL, report)
    const large = await measure(LARGE, report)
    const value = large.milliseconds / small.milliseconds
    const delay = Math.max(small.delay, large.delay)
    return {
      value,
      floor: null,
      ratio: null,
      holds: value <= GOAL && delay <= MOST_DELAY,
      extra: {
        smallMilliseconds: small.milliseconds,
        largeMilliseconds: large.milliseconds,
        p99Before: large.before,
        p99Meanwhile: large.meanwhile,
        delay,
      },
    }
  },
}

interface Measured {
  /** Of one withdrawal. */
  readonly milliseconds: number
  /** p99 of submissions, milliseconds. */
  readonly before: number
  readonly meanwhile: number
  readonly delay: number
}

async function measure(stored: number, report: (line: string) => void): Promise<Measured> {
  await using database = await benchDatabase()
  using submissions = openSubmissionBench()
  const port = await submissions.startServer(database.url)
  await fill(database.url, stored)
  // Beside the server: its master key is where the first server's folder is.
  const folder = join(submissions.folder, 'server-0')
  await using zone = await openKeyZone(database.url, folder, () => new Date())
  for (let round = 0; round < WARM_ROUNDS; round++) await submissions.rate(port, { seconds: 1 })
  const load = () => submissions.load(port, { seconds: LOAD_SECONDS, rate: RATE })
  const times: number[] = []
  const before: number[] = []
  const meanwhile: number[] = []
  const withdrawOne = async () => {
    const start = performance.now()
    const { keys } = await withdraw(
      zone,
      {
        selection: { issuerHandles: [handleOf(0)] },
        scope: 'retroactive',
        reason: 'a benchmark',
        by: 'command',
      },
      new Date(),
    )
    if (Math.abs(keys - WITHDRAWN) > KEYS_A_REPORT)
      throw new Error(`${keys} keys were withdrawn in place of ${WITHDRAWN}`)
    return performance.now() - start
  }
  for (let round = 0; round < ROUNDS; round++) {
    before.push((await load()).p99)
    const loaded = load()
    await wait((LOAD_SECONDS * 1000) / 3)
    const loadedTime = await withdrawOne()
    meanwhile.push((await loaded).p99)
    await undo(database.url)
    times.push(await withdrawOne())
    await undo(database.url)
    report(
      `${stored} keys: ${times.at(-1)?.toFixed(0)} ms, ${loadedTime.toFixed(0)} ms under load; p99 ${before.at(-1)?.toFixed(1)} ms before, ${meanwhile.at(-1)?.toFixed(1)} ms meanwhile`,
    )
  }
  const delays = meanwhile.map((each, index) => each / (before[index] ?? NaN))
  return {
    milliseconds: median(times),
    before: median(before),
    meanwhile: median(meanwhile),
    delay: median(delays),
  }
}

/** base64url. */
function handleOf(provider: number): string {
  const handle = Buffer.alloc(16)
  handle.writeUInt32BE(provider, 12)
  return handle.toString('base64url')
}

/** Reports of a day by providers in turn, published hour by hour, written past the log by the database's owner. */
async function fill(url: string, keys: number): Promise<void> {
  const reports = Math.ceil(keys / KEYS_A_REPORT)
  const providers = Math.round(keys / WITHDRAWN)
  const client = await connectOnce(parseAddress(url))
  try {
    const day = Math.floor(Date.now() / 86_400_000) * 86_400 - 86_400
    const head = await client.query<{ next_seq: number }>(`select next_seq from ${SCHEMA}.log_head`)
    const first = head.rows[0]?.next_seq ?? 0
    await client.query(
      `insert into ${SCHEMA}.report (seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source)
       select ${first} + n, decode(md5('tracking ' || n), 'hex'), decode(md5('fingerprint ' || n), 'hex'), 'org.example.health', '{US}', false,
         decode(lpad(to_hex(n % ${providers}), 32, '0'), 'hex'), ${day} + (n::bigint * 96 / ${reports}) * 900, 'publish-v1'
       from generate_series(0, ${reports - 1}) n`,
    )
    await client.query(
      `insert into ${SCHEMA}.diagnosis_key
         (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
       select decode(md5('key ' || n), 'hex'), ${first} + n / ${KEYS_A_REPORT}, ${day} + ((n / ${KEYS_A_REPORT})::bigint * 96 / ${reports}) * 900,
         2955000 + 144 * (n % 14), 144, 2, 1, n % 14
       from generate_series(0, ${keys - 1}) n`,
    )
    const next = first + reports
    await client.query(
      `insert into ${SCHEMA}.stream_filter (configuration_seq, input_regions, excluded_regions, travelers, report_types)
       values (0, '{US}', '{}', 'regional', '{}')`,
    )
    await client.query(
      `insert into ${SCHEMA}.release (stream, number, seq, window_start, window_end, configuration_seq, read_seq, keys_from)
       select 'us', n + 1, ${next} + n, ${day} + n * 3600, ${day} + (n + 1) * 3600, 0, ${next}, ${day} + n * 3600 from generate_series(0, 23) n`,
    )
    // Their numbers are taken.
    await client.query(`update ${SCHEMA}.log_head set next_seq = ${next + 24}`)
    await client.query(`vacuum analyze ${SCHEMA}.report, ${SCHEMA}.diagnosis_key`)
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}

/** Makes the next withdrawal the first one again. */
async function undo(url: string): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    await client.query(`truncate ${SCHEMA}.report_mark, ${SCHEMA}.correction`)
  } finally {
    await client.end()
  }
}
