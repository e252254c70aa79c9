// Publish: what became of a report of contact event numbers, stream by stream; promises to say no more than the tables hold, and to change nothing.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { parseNumberFilePath } from '../format/number-file.ts'
import { readHead } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { TELLING, WHOLE } from './cen-encoder.ts'
import { cenSettings } from './cen-settings.ts'
import { CURRENT_SECONDS, readHistory, readReports, selectAdded } from './cen-window.ts'
import { lastRelease, never, pendingIn, refuseReport, type Standpoint } from './explain-stream.ts'
import { findCover } from './find-published.ts'
import { nextDue } from './plan-windows.ts'
import { readStandings, type Standing } from './releases.ts'
import { listStreams, type ConfiguredStream } from './streams.ts'

/** What is to be said of the numbers of a report, which share one fate. Times are ISO 8601, UTC. */
export interface ExplainedNumbers {
  readonly accepted: string
  /** How many the report has. */
  readonly count: number
  /** What let it in. */
  readonly trust: string
  /** Where they were, as a geohash; null when that was not said. */
  readonly cell: string | null
  readonly withdrawn: boolean
  /** When they count no more, and are forgotten within a day. */
  readonly through: string
  readonly streams: readonly NumbersInStream[]
}

/** How they stand in a stream of this kind. */
export interface NumbersInStream extends Standpoint {
  readonly stream: string
  /** The files in which a phone finds them that was where they were; empty while there are none. */
  readonly files: readonly { readonly path: string; readonly state: string }[]
}

/** Says what became of the numbers of a report; undefined when it has none. @param now unix seconds */
export async function explainNumbers(
  db: Queryable,
  trackingId: Uint8Array,
  now: number,
): Promise<ExplainedNumbers | undefined> {
  const { rows } = await db.query<{ seq: number }>(
    sql`select c.seq from cen_report c join report p on p.seq = c.seq where p.tracking_id = ${trackingId}`,
  )
  return rows[0] === undefined ? undefined : explainNumbersOf(db, rows[0].seq, now)
}

interface ReportRow {
  readonly seq: number
  readonly available: number
  readonly count: number
  readonly cell: string | null
  readonly trust: string
  readonly regions: string[]
  readonly traveler: boolean
  readonly withdrawn: boolean
  /** The event that withdrew or reinstated it last. */
  readonly corrected: number | null
}

/** The same, of the event of a report of numbers. */
export async function explainNumbersOf(
  db: Queryable,
  seq: number,
  now: number,
): Promise<ExplainedNumbers> {
  const { rows } = await db.query<ReportRow>(
    sql`select c.seq, c.available, c.count, c.cell, c.trust, p.regions, p.traveler,
          coalesce((select sum(change) > 0 from report_mark where report = c.seq), false) as withdrawn,
          (select max(seq) from report_mark where report = c.seq) as corrected
        from cen_report c join report p on p.seq = c.seq where c.seq = ${seq}`,
  )
  const [row] = rows as [ReportRow]
  const streams = (await listStreams(db)).filter(({ kind }) => kind === 'cen')
  const standings = await readStandings(db, streams)
  const explained: NumbersInStream[] = []
  for (const stream of streams) {
    const standing = standings.get(stream.name)
    if (standing !== undefined) explained.push(await explainIn(db, stream, standing, row, now))
  }
  const { available, count, trust, cell, withdrawn } = row
  return {
    accepted: formatTimestamp(available),
    count,
    trust,
    cell,
    withdrawn,
    through: formatTimestamp(available + CURRENT_SECONDS),
    streams: explained,
  }
}

async function explainIn(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  report: ReportRow,
  now: number,
): Promise<NumbersInStream> {
  const { name } = stream
  const cover = await findCover(db, name, report.available)
  const refusal = refuse(cover?.stream ?? stream, report)
  const release = cover === undefined ? undefined : await findRelease(db, name, report)
  if (refusal !== undefined || release === undefined) {
    const stands =
      refusal === undefined
        ? await explainWaiting(db, stream, standing, report, now)
        : never('not_in_stream', refusal)
    return { stream: name, files: [], ...stands }
  }
  const files = await filesFor(db, name, release.number, report.cell)
  const where = files.map(({ path, state }) => `${path} (${state})`).join(', ')
  const says = `published in release ${release.number}, in ${where}`
  if (report.withdrawn) {
    const told = await findTelling(db, name, report)
    const since =
      told === undefined
        ? "which a file of what was removed will tell, or midnight's whole set"
        : `which phones are told since release ${told}`
    return { stream: name, files, verdict: 'withdrawn', says: `${says}; then withdrawn, ${since}` }
  }
  const again = await findAgain(db, name, report, release.number)
  const returned =
    again === undefined
      ? ''
      : again === null
        ? '; then withdrawn and reinstated: the next release brings them again'
        : `; then withdrawn and reinstated, and again in release ${again}`
  return { stream: name, files, verdict: 'published', says: `${says}${returned}` }
}

function refuse(stream: ConfiguredStream, report: ReportRow): string | undefined {
  const { trust } = cenSettings(stream)
  if (!trust.includes(report.trust))
    return `the stream publishes reports that are ${trust.join(', ')}, and this one is ${report.trust}`
  return refuseReport(stream, report)
}

/** The release that brought a report first: of its time, or, when it was withdrawn then, once it no longer was. */
async function findRelease(
  db: Queryable,
  stream: string,
  { seq, available }: ReportRow,
): Promise<{ number: number } | undefined> {
  const { rows } = await db.query<{ number: number }>(
    sql`select number from release r where stream = ${stream} and keys_from is not null and window_end > ${available}
          and coalesce((select sum(change) from report_mark where report = ${seq} and seq < r.read_seq), 0) <= 0
        order by number limit 1`,
  )
  return rows[0]
}

/**
 * The newest release that brought a report again: the first since one that was made while it was withdrawn.
 *
 * @returns null when it is not made yet; undefined when there was no such one
 */
async function findAgain(
  db: Queryable,
  stream: string,
  { seq }: ReportRow,
  first: number,
): Promise<number | null | undefined> {
  const { rows } = await db.query<{ without: number | null; again: number | null }>(
    sql`select without, (select min(number) from release where stream = ${stream} and keys_from is not null and number > without) as again
        from (select max(number) as without from release r where stream = ${stream} and keys_from is not null and number > ${first}
          and (select coalesce(sum(change), 0) from report_mark where report = ${seq} and seq < r.read_seq) > 0) as held`,
  )
  const [row] = rows
  return row === undefined || row.without === null ? undefined : row.again
}

/** Those files of a release that phones in a cell read; all of them where no cell was said. */
async function filesFor(
  db: Queryable,
  stream: string,
  number: number,
  cell: string | null,
): Promise<{ path: string; state: string }[]> {
  const { rows } = await db.query<{ path: string; state: string }>(
    sql`select path, case when removed_at is not null then 'removed' when unlisted_at is not null then 'unlisted' else 'listed' end as state
        from release_file where stream = ${stream} and number = ${number} order by path`,
  )
  const files = rows.flatMap(({ path, state }) => {
    const file = parseNumberFilePath(path)
    return file?.kind === 'release' ? [{ path, state, cell: file.cell }] : []
  })
  const around = files.filter((file) => (cell ?? '').startsWith(file.cell))
  const nearest = Math.max(-1, ...around.map((file) => file.cell.length))
  // What named an area that was split is in the files of all its cells, and of all others.
  return files
    .filter(
      (file) =>
        cell === null ||
        (file.cell.length > cell.length && file.cell.startsWith(cell)) ||
        (file.cell.length === nearest && cell.startsWith(file.cell)),
    )
    .map(({ path, state }) => ({ path, state }))
}

/** The first release that told phones of a withdrawal, by a file of what was removed or by a whole set without it. */
async function findTelling(
  db: Queryable,
  stream: string,
  { corrected }: ReportRow,
): Promise<number | undefined> {
  const { rows } = await db.query<{ number: number }>(
    sql`select r.number from release r join release_file f using (stream, number)
        where stream = ${stream} and r.read_seq > ${corrected ?? 0} and f.path ~ ${TELLING} order by r.number limit 1`,
  )
  return rows[0]?.number
}

/** The newest whole set that has a report which was withdrawn when its time was released, and reinstated since. */
async function findWhole(
  db: Queryable,
  stream: string,
  { seq, available }: ReportRow,
): Promise<number | undefined> {
  const { rows } = await db.query<{ number: number }>(
    sql`select r.number from release r join release_file f using (stream, number)
        where stream = ${stream} and f.path ~ ${WHOLE}
          and exists (select from release where stream = r.stream and number <= r.number and keys_from is not null and window_end > ${available})
          and (select coalesce(sum(change), 0) from report_mark where report = ${seq} and seq < r.read_seq) <= 0
        order by r.number desc limit 1`,
  )
  return rows[0]?.number
}

/** Why no release has brought a report that a stream takes. */
async function explainWaiting(
  db: Queryable,
  stream: ConfiguredStream,
  standing: Standing,
  report: ReportRow,
  now: number,
): Promise<Standpoint> {
  const { available, withdrawn } = report
  if (withdrawn) return never('withdrawn', 'it was withdrawn before it was published')
  if (available < stream.start)
    return never('before_start', `the stream begins at ${formatTimestamp(stream.start)}, after it`)
  const { windowEnd, keysEnd, number } = standing
  if (windowEnd === undefined || available >= windowEnd)
    return pendingIn(stream, standing, available, now)
  const due = nextDue(stream, windowEnd)
  if (due === undefined) return never('after_end', 'the stream ended meanwhile')
  // Those of a window that was held, and of one that was withdrawn when its own was made.
  const end = due - stream.windowAge
  const { nextSeq: readSeq } = await readHead(db)
  const span = { number: number + 1, start: windowEnd, end, keysFrom: keysEnd, readSeq }
  const history = await readHistory(db, stream, span.number, TELLING)
  const { length } = await readReports(db, selectAdded(stream, span, history))
  const latest = formatTimestamp(lastRelease(stream, keysEnd))
  const whole = await findWhole(db, stream.name, report)
  const already = whole === undefined ? '' : `; in the whole set of release ${whole} all the same`
  return {
    verdict: 'held',
    says: `held since ${formatTimestamp(keysEnd)}, with ${length} of ${stream.hold} reports so far; tried again at ${formatTimestamp(due)}, out at ${latest} at the latest${already}`,
    window: { start: formatTimestamp(keysEnd), end: formatTimestamp(end) },
    nextRelease: formatTimestamp(due),
  }
}
