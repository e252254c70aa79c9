// Recover: what the dropped part of a key zone's log had published, taken over as withdrawn; promises that phones which saw it are told what was so at the point, and that no number, window or path is used twice.

import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { bigintArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { project, type LogWriter } from '../log/append-event.ts'
import { advanceTree } from '../log/checkpoint.ts'
import { copyEvents } from '../log/load-events.ts'
import type { EventRow } from '../log/read-events.ts'
import { recoveredEvent, type LogRecoveredContent } from '../log/recovered-event.ts'
import {
  decodeKnownEvent,
  encodeEvent,
  SALT_LENGTH,
  type NewEvent,
  type StoredEvent,
} from '../log/record.ts'
import { countPublished } from '../publish/published-keys.ts'
import {
  configuredEvent,
  listStreams,
  type ConfiguredStream,
  type Stream,
} from '../publish/streams.ts'
import { withdrawalEvent } from '../submit/corrections.ts'
import { packSeqs } from '../submit/marks.ts'
import { PADDING } from '../submit/padding-report.ts'
import { isReport } from '../submit/report-types.ts'
import {
  findUndone,
  readStanding,
  type StandingAtPoint,
  type StandingRow,
} from '../submit/undone-corrections.ts'
import { carriedEvent, isCarried } from './carry-event.ts'
import type { RecoveryPoint } from './find-point.ts'
import { Numbering } from './numbering.ts'
import type { LastEvent } from './recover-zone.ts'

/** A zone as of the point, whose log goes on with what is carried. */
export interface CarriedPart {
  /** The number behind the last event that was carried. */
  readonly nextSeq: number
  /** The events that come behind it: made once all is carried. */
  closing(content: LogRecoveredContent): Promise<Closing>
}

/** What makes the zone again what it was. */
export interface Closing {
  readonly events: readonly NewEvent[]
  /** Of the withdrawal that holds what was carried, 32 hex digits; undefined when there was nothing to hold. */
  readonly withdrawal: string | undefined
  /** Streams that did not exist at the point: they stay, so that phones which follow them are told. */
  readonly laterStreams: readonly string[]
}

/** A zone whose dropped part nobody has seen anything of: its log only gets another id. @param nextSeq the point */
export function carryNothing(nextSeq: number): CarriedPart {
  return {
    nextSeq,
    closing: async (content) => ({
      events: [recoveredEvent(content)],
      withdrawal: undefined,
      laterStreams: [],
    }),
  }
}

/**
 * Writes the events of a dropped part that are carried, in order, each with the grain that it had: so whatever was published from them can be made
 * again, byte for byte.
 *
 * @param tx holds exactly the events below the point
 * @param pages the events behind it
 * @param last is brought up to date
 */
export async function carryReleases(
  tx: Transaction,
  writer: LogWriter,
  point: RecoveryPoint,
  pages: AsyncIterable<EventRow[]>,
  last: LastEvent,
): Promise<CarriedPart> {
  const before = { standing: await readStanding(tx), streams: await listStreams(tx) }
  // A checkpoint follows from a release: without one there is none.
  const checkpoint =
    point.releases > 0 ? await advanceTree(tx, point.untilSeq) : { size: 0, root: new Uint8Array() }
  const numbering = new Numbering(point.untilSeq)
  const reports: number[] = []
  const padding: number[] = []
  for await (const page of pages) {
    const carried: StoredEvent[] = []
    for (const row of page) {
      if (!isCarried(row, point)) continue
      const event = decodeKnownEvent(row.record)
      const changed = carriedEvent(event, numbering, checkpoint)
      if (changed === undefined) continue
      const seq = numbering.carry(row.seq)
      carried.push({ ...changed, seq, grain: event.grain })
      if (isReport(row.type)) reports.push(seq)
      if (row.type === PADDING) padding.push(seq)
    }
    await writeCarried(tx, writer, carried, last)
  }
  return {
    nextSeq: numbering.next,
    closing: (content) => makeClosing(tx, content, before, { reports, padding }),
  }
}

async function writeCarried(
  tx: Transaction,
  writer: LogWriter,
  events: readonly StoredEvent[],
  last: LastEvent,
): Promise<void> {
  if (events.length === 0) return
  const rows = events.map((event): EventRow => {
    const { seq, type, parts } = event
    // Other bytes than before need other salts.
    return { seq, type, ...encodeEvent(event, randomBytes(SALT_LENGTH * parts.length)) }
  })
  await copyEvents(tx, rows, events)
  await Promise.all(project(tx, writer.projections, events))
  for (const { seq, grain, parts } of events) {
    last.grain = grain
    if (parts.some(({ retention }) => retention === 'configuration')) last.configurationSeq = seq
  }
}

const ID_BYTES = 16

async function makeClosing(
  tx: Transaction,
  content: LogRecoveredContent,
  before: {
    readonly standing: readonly StandingRow[]
    readonly streams: readonly ConfiguredStream[]
  },
  carried: { readonly reports: readonly number[]; readonly padding: readonly number[] },
): Promise<Closing> {
  const undone = await findUndone(tx, content.untilSeq)
  const recovered: LogRecoveredContent & StandingAtPoint = { ...content, standing: before.standing }
  const events = [recoveredEvent(recovered, [{ retention: 'report', content: undone }])]
  const isHolding = carried.reports.length + carried.padding.length > 0
  const id = randomBytes(ID_BYTES)
  if (isHolding) events.push(await holdCarried(tx, id, content.untilSeq, carried))
  const after = await listStreams(tx)
  const known = new Map(before.streams.map((stream) => [stream.name, asConfigured(stream)]))
  for (const stream of after) {
    const was = known.get(stream.name)
    if (was !== undefined && !isDeepStrictEqual(was, asConfigured(stream)))
      events.push(configuredEvent(was))
  }
  return {
    events,
    withdrawal: isHolding ? id.toString('hex') : undefined,
    laterStreams: after.map(({ name }) => name).filter((name) => !known.has(name)),
  }
}

function asConfigured(configured: ConfiguredStream): Stream {
  const { configurationSeq: _, ...stream } = configured
  return stream
}

/** One withdrawal of all that was carried, so that it can be reinstated as a whole, or in part. */
async function holdCarried(
  tx: Transaction,
  id: Uint8Array,
  untilSeq: number,
  {
    reports,
    padding,
  }: { readonly reports: readonly number[]; readonly padding: readonly number[] },
): Promise<NewEvent> {
  const published = await countPublished(tx, { reports, keys: [] })
  const seqs = bigintArray(reports)
  const { rows } = await tx.query<{ n: number }>(
    sql`select count(*) as n from (
          select key_data from diagnosis_key where seq = any(${seqs}::bigint[])
          union select key_data from key_revision where seq = any(${seqs}::bigint[])) as held`,
  )
  return withdrawalEvent(
    {
      id,
      selection: {},
      reports: packSeqs(reports),
      padding: packSeqs(padding),
      keys: new Uint8Array(),
    },
    {
      id,
      by: 'recovery',
      reason: `recovered to before event ${untilSeq}`,
      scope: 'retroactive',
      reports: reports.length,
      keys: rows[0]?.n ?? 0,
      published: published.reduce((sum, { keys }) => sum + keys, 0),
      padding: padding.length,
    },
  )
}
