// Publish: the streams, each a set of regions with a period and a signing key; promises that a change is an event before it is true.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { STREAM_NAME } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, truncateToGrain, type LogWriter } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'

/** A stream as it is configured. */
export interface Stream {
  /** Lower-case letters, digits and hyphens: it is a folder's name. */
  readonly name: string
  /** Upper case. */
  readonly region: string
  /** Seconds; 24 h is a whole multiple of it, and it is one of the time grain. */
  readonly period: number
  /** Seconds that a window is left to settle before it is published. */
  readonly windowAge: number
  /** Where the first window begins, unix seconds. */
  readonly start: number
  /** As phones know the signing key: its id (often the mobile country code) and version. */
  readonly keyId: string
  readonly keyVersion: string
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string
  /** Where the private half is. */
  readonly keyFile: string
}

/** A stream with the event that brought its configuration. */
export interface ConfiguredStream extends Stream {
  readonly configurationSeq: number
}

const ADDED = 'stream.added'
const DAY = 86_400

/**
 * Adds a stream; its first window is the one that `now` lies in.
 *
 * @throws TocsinError `stream_exists`, `stream_invalid`
 */
export async function addStream(
  tx: Transaction,
  writer: LogWriter,
  stream: Omit<Stream, 'start'>,
  now: Date,
): Promise<void> {
  checkStream(stream, writer.timeGrain)
  // Two may add the same one at once: the second waits here, and then finds the first's.
  await tx.query(sql`select 1 from log_head for update`)
  const { rowCount } = await tx.query(sql`select 1 from stream where name = ${stream.name}`)
  if (rowCount !== 0)
    throw new TocsinError('stream_exists', `There is a stream "${stream.name}" already.`)
  const start = Math.floor(truncateToGrain(now, writer.timeGrain) / stream.period) * stream.period
  const content: Stream = { ...stream, region: stream.region.toUpperCase(), start }
  await appendEvents(
    tx,
    writer,
    [{ type: ADDED, parts: [{ retention: 'configuration', content }] }],
    now,
  )
}

/** All streams, by name. */
export async function listStreams(db: Queryable): Promise<ConfiguredStream[]> {
  const { rows } = await db.query<{
    name: string
    configuration_seq: number
    region: string
    period: number
    window_age: number
    start: number
    key_id: string
    key_version: string
    public_key: string
    key_file: string
  }>(
    sql`select name, configuration_seq, region, period, window_age, start, key_id, key_version, public_key, key_file
        from stream order by name`,
  )
  return rows.map((row) => ({
    name: row.name,
    configurationSeq: row.configuration_seq,
    region: row.region,
    period: row.period,
    windowAge: row.window_age,
    start: row.start,
    keyId: row.key_id,
    keyVersion: row.key_version,
    publicKey: row.public_key,
    keyFile: row.key_file,
  }))
}

/** Writes the table of streams. */
export const streamProjection: Projection = {
  types: [ADDED],
  tables: ['stream'],
  async apply(tx, events) {
    for (const event of events) {
      const stream = event.parts[0]?.content as Stream
      await tx.query(
        sql`insert into stream
              (name, configuration_seq, region, period, window_age, start, key_id, key_version, public_key, key_file)
            values (${stream.name}, ${event.seq}, ${stream.region}, ${stream.period}, ${stream.windowAge}, ${stream.start},
                    ${stream.keyId}, ${stream.keyVersion}, ${stream.publicKey}, ${stream.keyFile})`,
      )
    }
  },
}

function checkStream(stream: Omit<Stream, 'start'>, timeGrain: number): void {
  const refuse = (sentence: string) => {
    throw new TocsinError('stream_invalid', sentence)
  }
  if (!STREAM_NAME.test(stream.name))
    refuse('A name has 1 to 63 lower-case letters, digits and hyphens.')
  if (!/^[A-Za-z0-9-]{1,10}$/.test(stream.region))
    refuse('A region has 1 to 10 letters, digits or hyphens.')
  if (!Number.isInteger(stream.period) || stream.period < 1 || DAY % stream.period !== 0)
    refuse('The period must divide 24 hours.')
  if (stream.period % timeGrain !== 0)
    refuse(`The period must be a whole multiple of the time grain, ${timeGrain} s.`)
  if (!Number.isInteger(stream.windowAge) || stream.windowAge < 0)
    refuse('The window age must not be negative.')
  // Phones take nothing else in these fields.
  for (const text of [stream.keyId, stream.keyVersion])
    if (!/^[A-Za-z0-9_]{1,64}$/.test(text))
      refuse('Key id and version have 1 to 64 letters, digits or underscores.')
}
