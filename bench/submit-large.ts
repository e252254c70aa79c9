// Bench: submissions a second when very many keys are stored already, against an empty table.

import { randomBytes } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'
import { benchDatabase } from './database.ts'
import { alternate, type Benchmark } from './harness.ts'
import { openSubmissionBench } from './submission-bench.ts'

const KEYS = 2_000_000
const KEYS_A_REPORT = 14
const ROUNDS = 7
const GOAL = 0.8
// Beyond every number that the log gives here.
const FIRST_SEQ = 1_000_000_000
const SCHEMA = schemaOf('key')

/** `npm run bench -- submit-large` */
export const bench: Benchmark = {
  summary: `submissions a second with ${KEYS.toLocaleString('en')} keys stored already`,
  unit: 'submissions/s',
  goal: `at least ${GOAL} of the rate with an empty table`,
  async run(report) {
    await using full = await benchDatabase()
    await using empty = await benchDatabase()
    using submissions = openSubmissionBench()
    const fullPort = await submissions.startServer(full.url)
    const emptyPort = await submissions.startServer(empty.url)
    const start = performance.now()
    await runAsOwner(full.url, FILL)
    report(`filled in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    const rateFull = () => submissions.rate(fullPort)
    const rateEmpty = async () => {
      // What the round before stored; else the table would soon be as full as the other.
      await runAsOwner(empty.url, EMPTY)
      return submissions.rate(emptyPort)
    }
    await rateFull()
    await rateEmpty()
    const result = await alternate(ROUNDS, rateFull, rateEmpty, report)
    return { ...result, holds: result.ratio >= GOAL, extra: { keys: KEYS } }
  },
}

// Along with what other kinds keep of their reports.
const EMPTY = [`truncate ${SCHEMA}.diagnosis_key, ${SCHEMA}.report, ${SCHEMA}.event cascade`]

// Two weeks of reports with random keys, as the servers store them; then what the database does in its own time is done.
const FILL = [
  `insert into ${SCHEMA}.report (seq, tracking_id, fingerprint, app, regions, traveler, grain)
   select ${FIRST_SEQ} + n, decode(md5('tracking ' || n || $1), 'hex'), decode(md5('fingerprint ' || n || $1), 'hex'),
     'org.example.health', '{US}', false, ${grainOf('n')}
   from generate_series(0, ${Math.ceil(KEYS / KEYS_A_REPORT) - 1}) n`,
  `insert into ${SCHEMA}.diagnosis_key
     (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
   select decode(md5('key ' || n || $1), 'hex'), ${FIRST_SEQ} + report, ${grainOf('report')},
     ${grainOf('report')} / 86400 * 144 - 144 * (1 + n % ${KEYS_A_REPORT}), 144, 2, 1, 3 - n % ${KEYS_A_REPORT}
   from (select n, n / ${KEYS_A_REPORT} report from generate_series(0, ${KEYS - 1}) n) numbered`,
  `vacuum analyze ${SCHEMA}.report, ${SCHEMA}.diagnosis_key`,
  'checkpoint',
]

/** When a report was accepted: SQL that spreads them over the last 14 days. */
function grainOf(report: string): string {
  const reports = Math.ceil(KEYS / KEYS_A_REPORT)
  const firstGrain = Math.floor(Date.now() / 900_000) * 900 - 14 * 86_400
  return `(${firstGrain} + ${report}::bigint * ${14 * 96} / ${reports} * 900)`
}

async function runAsOwner(url: string, statements: readonly string[]): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  try {
    for (const statement of statements)
      await client.query(
        statement,
        statement.includes('$1') ? [randomBytes(8).toString('hex')] : [],
      )
  } finally {
    await client.end()
  }
}
