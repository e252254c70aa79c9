// Authorize: the dates of symptoms and tests; promises to take a date for what it says, whatever the time zone of this machine.

import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { TocsinError } from '../errors.ts'

/** How far back a date may lie, in days. */
const PAST_DAYS = 28

const DAY_MS = 86_400_000

/**
 * Checks a date of symptoms or of a test against today, both as UTC has them.
 *
 * @param text YYYY-MM-DD; empty when it was not given
 * @param tzOffset minutes; where the day is still yesterday's (below 0), one day more of the past counts
 * @returns the date, or null when it was not given
 * @throws TocsinError `unparsable_request` (no date of the calendar), `invalid_date` (more than 28 days ago, or after today)
 */
export function checkDate(name: string, text: string, tzOffset: number, now: Date): string | null {
  if (text === '') return null
  if (!isCalendarDate(text))
    throw new TocsinError('unparsable_request', `${name} must be a date such as 2026-11-25.`)
  const pastDays = tzOffset < 0 ? PAST_DAYS + 1 : PAST_DAYS
  const earliest = dateOf(new Date(now.getTime() - pastDays * DAY_MS))
  const latest = dateOf(now)
  // In this form the order of texts is the order of days.
  if (text < earliest || text > latest)
    throw new TocsinError('invalid_date', `${name} must be from ${earliest} to ${latest}.`)
  return text
}

/** The interval in which a date begins. */
export function intervalOfDate(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / 1000 / INTERVAL_SECONDS
}

function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  // February 30th would be read as the 2nd of March.
  return !Number.isNaN(time) && dateOf(new Date(time)) === text
}

function dateOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}
