// Authorize: how long what is kept, docs/retention.md in numbers; promises that no clock is read here and nothing is erased.

import type { Retention } from '../log/record.ts'

/** What is erased at a time of its own. */
export const ERASED_KINDS = [
  'token',
  'failed-code',
  'code-secret',
  'code',
  'code-remains',
  'phone',
  'statistics',
  'audit',
] as const

/** See {@link ERASED_KINDS}. */
export type ErasedKind = (typeof ERASED_KINDS)[number]

const HOUR = 3_600
const DAY = 86_400

/** Times in seconds, and days. */
export const RETENTION = {
  /** HMACs of codes: after both forms expired. */
  codeSecret: 48 * HOUR,
  /** What became of codes: after both forms expired. */
  code: 14 * DAY,
  /** Tokens: after they expired. */
  token: 24 * HOUR,
  /** Counts: whole days after the day that they are of. */
  statisticsDays: 91,
  /** Who did what: whole days after the day. */
  auditDays: 365,
} as const

/** The latest second, unix, at which what is erased now had expired. @param seconds how long it is kept after that */
export function expiredBy(now: Date, seconds: number): number {
  return Math.floor(now.getTime() / 1000) - seconds
}

/** The first day, counted from the epoch, UTC, that is still kept. @param days how many whole days behind it a day is kept */
export function firstDayKept(now: Date, days: number): number {
  return Math.floor(now.getTime() / 1000 / DAY) - days
}

/** A day's first second, unix. */
export function startOfDay(day: number): number {
  return day * DAY
}

/** The kinds that go through the log once, and the retention of the parts that they look for. */
export const CURSOR_PARTS = {
  token: ['token'],
  'failed-code': ['code'],
  'code-remains': ['code', 'code-secret'],
  statistics: ['statistics'],
  audit: ['audit'],
} as const satisfies Partial<Record<ErasedKind, readonly Retention[]>>

/** See {@link CURSOR_PARTS}. */
export type CursorKind = keyof typeof CURSOR_PARTS
