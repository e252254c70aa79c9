// Test helper: a great many keys at once, written past the log by the database's owner; promises the same keys for the same count.

import { createHash } from 'node:crypto'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { schemaOf } from '../src/db/zones.ts'

/** Before every number that the log gives: a release reads what came before it. */
const REPORT_SEQ = -1_000_000_000

/**
 * Inserts one report of the region US and its keys.
 *
 * @param available from when on they may be published, unix seconds
 * @param first the number of the first key: other numbers, other keys
 */
export async function insertManyKeys(
  ownerUrl: string,
  count: number,
  available: number,
  first = 0,
): Promise<void> {
  const client = await connectOnce(parseAddress(ownerUrl))
  const schema = schemaOf('key')
  try {
    await client.query(
      `insert into ${schema}.report (seq, tracking_id, fingerprint, app, regions, traveler, grain)
       values ($1, $2, $2, 'org.example.health', '{US}', false, $3)`,
      [REPORT_SEQ + first, createHash('md5').update(`report ${first}`).digest(), available],
    )
    await client.query(
      `insert into ${schema}.diagnosis_key
         (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
       select decode(md5('key ' || n), 'hex'), $1, $2, 2955000 + 144 * (n % 14), 144, 2, 1, n % 14
       from generate_series($3::integer, $3::integer + $4::integer - 1) n`,
      [REPORT_SEQ + first, available, first, count],
    )
    await client.query(`analyze ${schema}.report, ${schema}.diagnosis_key`)
  } finally {
    await client.end()
  }
}
