// Submit: erases reports, counts, and who corrected what, once their time is over (docs/retention.md); promises that after each transaction the tables are what the remaining parts of the log give.

import { bigintArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { forgetContents } from '../log/detached-parts.ts'
import { eraseParts, eraseRange, firstSeqSince } from '../log/erase-parts.ts'
import { readEvent } from '../log/read-events.ts'
import {
  eraseByCursor,
  eraseKinds,
  firstSince,
  type CursorRule,
  type EraseJob,
  type Erasure,
  type Page,
} from '../log/retention-cursor.ts'
import {
  AUDIT_DAYS,
  expiredBy,
  firstDayKept,
  startOfDay,
  STATISTICS_DAYS,
} from '../log/retention-times.ts'
import { LIKE_OTHER_REPORTS } from './report-types.ts'
import { startOfHour } from './stats-projection.ts'

/** What is erased at a time of its own: parts of these retentions, with the rows that follow from them. */
export const KEY_ZONE_KINDS = ['report', 'numbers', 'statistics', 'audit'] as const

/** See {@link KEY_ZONE_KINDS}. */
export type KeyZoneKind = (typeof KEY_ZONE_KINDS)[number]

/**
 * How long a report is kept after the grain of its event, in seconds. A key ends at most a day after its upload, and can be uploaded
 * until 15 days after its end: of one that came again when its first report was erased, nobody could tell.
 */
export const REPORT_LIFE = 18 * 86_400

/** Whole days after the day on which contact event numbers were accepted, for which they are kept. Whoever met them is told within two weeks. */
export const NUMBERS_DAYS = 21

const HOUR = 3_600
const DAY = 86_400

const RULES: Readonly<Record<KeyZoneKind, CursorRule>> = {
  report: {
    until: (job) => firstSince(job, expiredBy(job.now, REPORT_LIFE) + 1),
    erase: eraseReports,
  },
  numbers: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, NUMBERS_DAYS))),
    // A day at a time: its numbers are forgotten in one piece.
    async pageEnd(tx, from, until) {
      const first = await readEvent(tx, from)
      const day = first && Math.floor(first.grain / DAY)
      return day === undefined ? until : firstSeqSince(tx, startOfDay(day + 1), until)
    },
    erase: eraseNumbers,
  },
  statistics: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, STATISTICS_DAYS))),
    // An hour at a time: what is left of one would be a row that no longer adds up.
    async pageEnd(tx, from, until) {
      const hour = await hourOf(tx, from)
      return hour === undefined ? until : firstSeqSince(tx, hour + HOUR, until)
    },
    erase: eraseStatistics,
  },
  audit: {
    until: (job) => firstSince(job, startOfDay(firstDayKept(job.now, AUDIT_DAYS))),
    async erase(tx, { from, nextSeq }) {
      await tx.query(sql`delete from correction where seq >= ${from} and seq < ${nextSeq}`)
      return eraseRange(tx, from, nextSeq, 'audit')
    },
  },
}

/**
 * Erases all that is due, in transactions of {@link EVENTS_A_PAGE} events, or of an hour's. Any number of processes may do it at once,
 * and any may be killed: the next one goes on.
 *
 * @param signal ends it after the transaction that is under way
 */
export function eraseDue(
  zone: EraseJob['zone'],
  now: Date,
  signal?: AbortSignal,
): Promise<Erasure<KeyZoneKind>> {
  const erase = (kind: KeyZoneKind) => (job: EraseJob) => eraseByCursor(kind, RULES[kind], job)
  return eraseKinds(
    KEY_ZONE_KINDS,
    {
      report: erase('report'),
      numbers: erase('numbers'),
      statistics: erase('statistics'),
      audit: erase('audit'),
    },
    { zone, now, signal },
  )
}

/**
 * Erases once more what the cursors say was erased: of a log that was just recovered, from an archive that held some of it.
 *
 * @throws what the first kind that fails throws
 */
export async function eraseAgain(zone: EraseJob['zone'], now: Date): Promise<void> {
  for (const kind of KEY_ZONE_KINDS)
    await eraseByCursor(kind, RULES[kind], { zone, now, signal: undefined, again: true })
}

/** Erases all that reports, padding and corrections brought. What a later event says of an erased report stays until its own time. */
async function eraseReports(tx: Transaction, { from, nextSeq }: Page): Promise<number> {
  const later = await findLater(tx, from, nextSeq)
  const left = bigintArray(later)
  for (const rows of [
    sql`delete from report where seq >= ${from} and seq < ${nextSeq} and seq <> all(${left}::bigint[])`,
    sql`delete from diagnosis_key where seq >= ${from} and seq < ${nextSeq}`,
    sql`delete from key_revision where seq >= ${from} and seq < ${nextSeq}`,
    sql`delete from report_mark where seq >= ${from} and seq < ${nextSeq} and seq <> all(${left}::bigint[])`,
    sql`delete from key_mark where seq >= ${from} and seq < ${nextSeq} and seq <> all(${left}::bigint[])`,
    sql`delete from report_amendment where seq >= ${from} and seq < ${nextSeq} and seq <> all(${left}::bigint[])`,
  ])
    await tx.query(rows)
  return eraseRange(tx, from, nextSeq, 'report', later)
}

/**
 * Events whose time is that of numbers: reports of them, and corrections of such reports. What was withdrawn would otherwise come back for
 * its last days.
 */
async function findLater(tx: Transaction, from: number, nextSeq: number): Promise<number[]> {
  const { rows } = await tx.query<{ seq: number }>(
    sql`select seq from event where seq >= ${from} and seq < ${nextSeq} and type like ${LIKE_OTHER_REPORTS}
        union
        select m.seq from report_mark m join event e on e.seq = m.report
          where m.seq >= ${from} and m.seq < ${nextSeq} and e.type like ${LIKE_OTHER_REPORTS}
        union
        select a.seq from report_amendment a join event e on e.seq = a.report
          where a.seq >= ${from} and a.seq < ${nextSeq} and e.type like ${LIKE_OTHER_REPORTS}
        order by seq`,
  )
  return rows.map(({ seq }) => seq)
}

/** Erases reports of numbers with the numbers, and corrections of them. */
async function eraseNumbers(tx: Transaction, { from, nextSeq }: Page): Promise<number> {
  const later = await findLater(tx, from, nextSeq)
  const seqs = bigintArray(later)
  for (const rows of [
    sql`delete from report where seq = any(${seqs}::bigint[])`,
    sql`delete from report_mark where seq = any(${seqs}::bigint[])`,
    sql`delete from key_mark where seq = any(${seqs}::bigint[])`,
    sql`delete from report_amendment where seq = any(${seqs}::bigint[])`,
  ])
    await tx.query(rows)
  const reports = await eraseParts(tx, later, 'numbers-report')
  const corrections = await eraseParts(tx, later, 'report')
  return reports.length + corrections.length + (await forgetContents(tx, nextSeq))
}

async function eraseStatistics(tx: Transaction, { from, nextSeq }: Page): Promise<number> {
  const hour = await hourOf(tx, from)
  if (hour !== undefined)
    await tx.query(sql`delete from submission_statistics where hour <= ${hour}`)
  return eraseRange(tx, from, nextSeq, 'statistics')
}

/** The hour in which an event was accepted, unix seconds. */
async function hourOf(tx: Transaction, seq: number): Promise<number | undefined> {
  const event = await readEvent(tx, seq)
  return event === undefined ? undefined : startOfHour(event.grain)
}
