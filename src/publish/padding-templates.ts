// Publish: real reports that padding is drawn after; promises a sample of the last days whose cost does not grow with what is stored.

import type { Queryable } from '../db/database.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import { readHead } from '../log/read-events.ts'
import { decodeEvent } from '../log/record.ts'
import { FLAG_EMBARGOED, FLAG_NOT_NEW, unpackColumns } from '../submit/key-columns.ts'
import { REPORT, type ReportContent } from '../submit/report.ts'
import { publishes, type Filter } from './families.ts'
import { below, type RandomSource } from './padding-random.ts'

const DAY = 86_400

/** Whose reports they pretend to be: what streams are chosen by, and what the keys of a report have in common. */
export interface Audience {
  readonly app: string
  readonly regions: readonly string[]
  readonly traveler: boolean
  readonly reportType: ReportType
}

/** A key as it lies around the acceptance of its report. */
export interface KeyShape {
  /** Days from the one it starts on to the one of the acceptance. */
  readonly age: number
  /** Intervals from its day's start to its own. */
  readonly offset: number
  /** Intervals. */
  readonly period: number
  readonly transmissionRisk: number
  readonly daysSinceOnset: number
  readonly embargoed: boolean
}

/** A report without what is its own: its keys' bytes, its names, its day. */
export interface Template extends Audience {
  /** Unix seconds at a time grain. */
  readonly accepted: number
  /** Those that were new, at least one. */
  readonly keys: readonly KeyShape[]
}

/** How far back reports are looked at, in seconds: as long as files stay. */
const TEMPLATE_DAYS = 14

/** How many reports are looked at, and how many events for them: among much padding few are reports. */
const MOST_TEMPLATES = 1_000
const MOST_PROBES = 20_000

/**
 * Real reports of the last 14 days that any stream of a family publishes, chosen at random.
 *
 * @param until unix seconds
 */
export async function readTemplates(
  db: Queryable,
  family: readonly Filter[],
  until: number,
  random: RandomSource,
): Promise<Template[]> {
  const first = await firstReportSince(db, until - TEMPLATE_DAYS * DAY)
  const { nextSeq } = await readHead(db)
  const seqs = drawNumbers(first, nextSeq, MOST_PROBES, random)
  const reports = await db.query<{ seq: number }>({
    name: 'find-template-reports',
    text: `select seq from event join report using (seq)
           where seq = any($1::bigint[]) and type = $2  and seq not in (select report from report_mark group by report having sum(change) > 0) order by seq`,
    values: [seqs, REPORT],
  })
  const chosen = shuffled(
    reports.rows.map((row) => row.seq),
    random,
  ).slice(0, MOST_TEMPLATES)
  const { rows } = await db.query<{ record: Uint8Array }>({
    name: 'read-template-reports',
    text: 'select record from event where seq = any($1::bigint[]) order by seq',
    values: [chosen],
  })
  return rows
    .flatMap(({ record }) => templateOf(record) ?? [])
    .filter((template) => family.some((stream) => publishes(stream, asFiltered(template))))
}

/** What streams are chosen by. */
export function asFiltered({ regions, traveler, reportType }: Audience) {
  return { regions, traveler, reportType: EXPORT_REPORT_TYPES[reportType] }
}

function templateOf(record: Uint8Array): Template | undefined {
  const { grain, parts } = decodeEvent(record)
  const content = parts[0]?.content as ReportContent | undefined
  // Erased in between.
  if (content === undefined) return undefined
  const { app, regions, traveler, reportType } = content
  const day = Math.floor(grain / DAY)
  const keys = unpackColumns(content.keys)
    .filter((key) => (key.flags & FLAG_NOT_NEW) === 0)
    .map(({ rollingStart, rollingPeriod, transmissionRisk, daysSinceOnset, flags }) => ({
      age: day - Math.floor(rollingStart / INTERVALS_PER_DAY),
      offset: rollingStart % INTERVALS_PER_DAY,
      period: rollingPeriod,
      transmissionRisk,
      daysSinceOnset,
      embargoed: (flags & FLAG_EMBARGOED) !== 0,
    }))
  if (keys.length === 0) return undefined
  return { app, regions, traveler, reportType, accepted: grain, keys }
}

/**
 * The first report that was accepted since a moment. Numbers grow with time, so it is found by halving. By the events' own
 * grain, and not by the rows': padding pretends to be older than it is.
 */
async function firstReportSince(db: Queryable, moment: number): Promise<number> {
  const ends = await db.query<{ first: number | null; last: number | null }>({
    name: 'find-report-ends',
    text: 'select min(seq) as first, max(seq) as last from report',
    values: [],
  })
  let low = ends.rows[0]?.first ?? 0
  let high = (ends.rows[0]?.last ?? -1) + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { rows } = await db.query<{ seq: number; record: Uint8Array }>({
      name: 'find-report-from',
      text: `select seq, record from event where seq >= $1 and type = $2 order by seq limit 1`,
      values: [middle, REPORT],
    })
    const found = rows[0]
    if (found === undefined || decodeEvent(found.record).grain >= moment) high = middle
    else low = found.seq + 1
  }
  return low
}

/** All numbers of a range, or that many different ones of it. */
function drawNumbers(from: number, until: number, most: number, random: RandomSource): number[] {
  const size = Math.max(0, until - from)
  if (size <= most) return Array.from({ length: size }, (_, index) => from + index)
  const drawn = new Set<number>()
  while (drawn.size < most) drawn.add(from + below(size, random))
  return [...drawn]
}

function shuffled<Item>(items: readonly Item[], random: RandomSource): Item[] {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last--) {
    const other = below(last + 1, random)
    ;[order[last], order[other]] = [order[other] as Item, order[last] as Item]
  }
  return order
}
