// Publish: the streams, each a set of keys with a period and signing keys; promises that a change is an event before it is true.

import { isDeepStrictEqual } from 'node:util'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, truncateToGrain, type LogWriter } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { readEvent } from '../log/read-events.ts'
import type { NewEvent } from '../log/record.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { checkStart, checkStream } from './check-stream.ts'
import { STREAM_ADDED, streamContent } from './earlier-events.ts'
import { streamOfRow, type StreamRow } from './stream-rows.ts'

/** A stream as it is configured. */
export interface Stream {
  /** Lower-case letters, digits and hyphens: it is a folder's name. */
  readonly name: string
  /** The kind of key that it publishes, and so of its files: a row of the table of kinds. */
  readonly kind: string
  /** What its files say; upper case. */
  readonly region: string
  /** Whose keys it publishes: those of reports with at least one of these regions, upper case, not empty ... */
  readonly inputRegions: readonly string[]
  /** ... and with none of these. */
  readonly excludedRegions: readonly string[]
  /** `regional`: travelers' reports count as others do; `include`: they count whatever their regions; `exclude`: not at all. */
  readonly travelers: 'regional' | 'include' | 'exclude'
  /** As in export files (1 confirmed test, 2 clinical diagnosis, 3 self report); all when empty. */
  readonly reportTypes: readonly number[]
  /** Seconds; 24 h is a whole multiple of it, and it is one of the time grain. */
  readonly period: number
  /** Seconds that a window is left to settle before it is published. */
  readonly windowAge: number
  /** A window with fewer reports waits for the next one, for 24 h at the most. */
  readonly hold: number
  /** Fewer keys are padded. */
  readonly minimum: number
  /** More keys are split into several files. */
  readonly maximum: number
  /** Seconds that a file stays in the index after its window's end. */
  readonly retention: number
  /** Where the first window begins, unix seconds. */
  readonly start: number
  /** Where the last window ends, unix seconds; null without an end. */
  readonly through: number | null
  /** One to ten, newest first. */
  readonly keys: readonly StreamKey[]
  /** What its kind of key has of its own: see {@link StreamEncoder.settings}. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Whether it publishes diagnosis keys: what is asked of a key concerns no other streams. Goes with its kind. */
  readonly diagnosisKeys: boolean
}

/** A signing key of a stream. */
export interface StreamKey {
  /** As phones know it: its id (often the mobile country code) and version. */
  readonly keyId: string
  readonly keyVersion: string
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string
  /** Where the private half is. */
  readonly keyFile: string
  /** It signs windows that end from `from` on and before `through` (null: without an end), unix seconds. */
  readonly from: number
  readonly through: number | null
}

/** Whether a key signs windows that end at a moment, unix seconds. */
export function isSigning({ from, through }: StreamKey, moment: number): boolean {
  return from <= moment && (through === null || moment < through)
}

/** A stream with the event that brought its configuration. */
export interface ConfiguredStream extends Stream {
  readonly configurationSeq: number
}

/** What can be changed of a stream that is there; its start only before its first release. */
export type StreamChanges = Partial<Omit<Stream, 'name' | 'kind' | 'diagnosisKeys'>>

/** What a stream has when nobody says otherwise: see design of small numbers in docs/exports.md. */
export const STREAM_DEFAULTS = {
  kind: 'gaen',
  excludedRegions: [],
  travelers: 'regional',
  reportTypes: [],
  windowAge: 0,
  hold: 20,
  minimum: 1_000,
  maximum: 500_000,
  retention: 14 * 86_400,
  through: null,
  settings: {},
  diagnosisKeys: true,
} as const satisfies StreamChanges & Partial<Pick<Stream, 'kind' | 'diagnosisKeys'>>

/** The type of a stream's event. */
export const CONFIGURED = 'stream.configured'

/**
 * Adds a stream.
 *
 * @param stream its `start` left out, the first window is the one that `now` lies in; its `inputRegions` left out, its region
 * @throws TocsinError `stream_exists`, `stream_invalid`
 */
export async function addStream(
  tx: Transaction,
  writer: LogWriter,
  given: NewStream,
  now: Date,
): Promise<void> {
  const stream = completeStream(given, writer.timeGrain, now)
  checkStream(stream, writer.timeGrain)
  checkStart(stream, now)
  // Two may add the same one at once: the second waits here, and then finds the first's.
  await tx.query(sql`select 1 from log_head for update`)
  if ((await findStream(tx, stream.name)) !== undefined)
    throw new TocsinError('stream_exists', `There is a stream "${stream.name}" already.`)
  await appendEvents(tx, writer, [configuredEvent(stream)], now)
}

/** A stream that is to be added. */
export type NewStream = Pick<Stream, 'name' | 'region' | 'period' | 'keys'> &
  Partial<Pick<Stream, 'kind' | 'diagnosisKeys'>> &
  StreamChanges

/**
 * Changes a stream. Windows that were published stay as they are; the next one begins where the last one ended. A change to
 * what is there already makes no event.
 *
 * @param change called with the stream as it is while nobody else can change it, so that of two changes at once neither is lost
 * @returns the stream as it is now
 * @throws TocsinError `stream_unknown`, `stream_invalid`
 */
export async function updateStream(
  tx: Transaction,
  writer: LogWriter,
  name: string,
  change: (stream: ConfiguredStream) => StreamChanges,
  now: Date,
): Promise<Stream> {
  await tx.query(sql`select 1 from log_head for update`)
  const known = await findStream(tx, name)
  if (known === undefined) throw new TocsinError('stream_unknown', `There is no stream "${name}".`)
  const { configurationSeq: _, ...before } = known
  const stream = inUpperCase({ ...before, ...change(known) })
  checkStream(stream, writer.timeGrain)
  if (stream.start !== before.start) {
    checkStart(stream, now)
    await refuseReleased(tx, name)
  }
  if (stream.through !== before.through) await refuseToLeaveHeld(tx, stream)
  if (!isDeepStrictEqual(stream, before))
    await appendEvents(tx, writer, [configuredEvent(stream)], now)
  return stream
}

/** All streams, by name. */
export async function listStreams(db: Queryable): Promise<ConfiguredStream[]> {
  const { rows } = await db.query<StreamRow>({
    name: 'list-streams',
    text: `select s.*, (select json_agg(json_build_object('keyId', k.key_id, 'keyVersion', k.key_version, 'publicKey', k.public_key,
             'keyFile', k.key_file, 'from', k.valid_from, 'through', k.valid_through) order by k.position)
             from stream_key k where k.stream = s.name) as keys
           from stream s order by s.name`,
    values: [],
  })
  return rows.map(streamOfRow)
}

/** A stream as an event configured it: what a release of that configuration was made with. */
export async function streamAt(db: Queryable, configurationSeq: number): Promise<ConfiguredStream> {
  const event = await readEvent(db, configurationSeq)
  if (event?.type !== CONFIGURED && event?.type !== STREAM_ADDED)
    throw new TocsinError('log_invalid', `Event ${configurationSeq} configures no stream.`)
  return { ...streamContent(event), configurationSeq }
}

/** Writes the tables of streams. */
export const streamProjection: Projection = {
  types: [CONFIGURED, STREAM_ADDED],
  tables: ['stream', 'stream_key', 'stream_filter'],
  async apply(tx, events) {
    for (const event of events) {
      const stream = streamContent(event)
      await tx.query(sql`delete from stream where name = ${stream.name}`)
      await tx.query(sql`delete from stream_key where stream = ${stream.name}`)
      await tx.query(
        sql`insert into stream
              (name, kind, configuration_seq, region, input_regions, excluded_regions, travelers, report_types, period, window_age, hold,
               minimum, maximum, retention, start, through, settings, diagnosis_keys)
            values (${stream.name}, ${stream.kind}, ${event.seq}, ${stream.region}, ${stream.inputRegions}, ${stream.excludedRegions},
                    ${stream.travelers}, ${stream.reportTypes}, ${stream.period}, ${stream.windowAge}, ${stream.hold},
                    ${stream.minimum}, ${stream.maximum}, ${stream.retention}, ${stream.start}, ${stream.through}, ${JSON.stringify(stream.settings)}::jsonb, ${stream.diagnosisKeys})`,
      )
      if (stream.diagnosisKeys)
        await tx.query(
          sql`insert into stream_filter (configuration_seq, input_regions, excluded_regions, travelers, report_types)
            values (${event.seq}, ${stream.inputRegions}, ${stream.excludedRegions}, ${stream.travelers}, ${stream.reportTypes})`,
        )
      for (const [position, key] of stream.keys.entries())
        await tx.query(
          sql`insert into stream_key (stream, position, key_id, key_version, public_key, key_file, valid_from, valid_through)
              values (${stream.name}, ${position}, ${key.keyId}, ${key.keyVersion}, ${key.publicKey}, ${key.keyFile}, ${key.from}, ${key.through})`,
        )
    }
  },
}

/** The first window stays where it is once it is out. */
async function refuseReleased(tx: Transaction, name: string): Promise<void> {
  const { rowCount } = await tx.query(sql`select 1 from release where stream = ${name} limit 1`)
  if (rowCount === 0) return
  throw new TocsinError(
    'stream_invalid',
    `The stream "${name}" has begun: its first release is out. A stream of another name can begin at another time.`,
  )
}

/** A stream that ends with a window that was held would never bring its keys: the last window has to come yet. */
async function refuseToLeaveHeld(tx: Transaction, { name, through }: Stream): Promise<void> {
  const { rows } = await tx.query<{ window_end: number; keys_from: number | null }>(
    sql`select window_end, keys_from from release where stream = ${name} order by number desc limit 1`,
  )
  const [latest] = rows
  if (latest === undefined || latest.keys_from !== null) return
  if (through === null || through > latest.window_end) return
  throw new TocsinError(
    'stream_invalid',
    `The newest window of the stream "${name}" is held: let it end after ${formatTimestamp(latest.window_end)}, so that its keys come out.`,
  )
}

async function findStream(tx: Queryable, name: string): Promise<ConfiguredStream | undefined> {
  return (await listStreams(tx)).find((stream) => stream.name === name)
}

/** The event of a stream as it is from then on. */
export function configuredEvent(stream: Stream): NewEvent {
  return { type: CONFIGURED, parts: [{ retention: 'configuration', content: stream }] }
}

function completeStream(given: NewStream, timeGrain: number, now: Date): Stream {
  const { period, region } = given
  return inUpperCase({
    ...STREAM_DEFAULTS,
    start: Math.floor(truncateToGrain(now, timeGrain) / period) * period,
    ...given,
    inputRegions: given.inputRegions ?? [region],
  })
}

function inUpperCase(stream: Stream): Stream {
  const upper = (regions: readonly string[]) =>
    [...new Set(regions.map((region) => region.toUpperCase()))].sort()
  return {
    ...stream,
    region: stream.region.toUpperCase(),
    inputRegions: upper(stream.inputRegions),
    excludedRegions: upper(stream.excludedRegions),
  }
}
