// Authorize: the dates of symptoms and tests; promises to take a date for what it says, whatever the time zone of this machine.

import { INTERVAL_SECONDS } from '../format/intervals.ts'
import { TocsinError } from '../errors.ts'

/** How far back a date may lie, in days. */
const PAST_DAYS = 28

const DAY_MS = 86_400_000

/** No place on earth is further from UTC, in minutes. */
const FARTHEST_OFFSET = 14 * 60

/**
 * Checks a date of symptoms or of a test against today, as it is where the person is.
 *
 * Existing systems send the offset with either sign, so both count: whoever is so far from UTC may have another day than UTC,
 * the one before or the one after. Without an offset the day is UTC's.
 *
 * @param text YYYY-MM-DD; empty when it was not given
 * @param tzOffset minutes from UTC, of which the whole ones count; below 0, one day more of the past counts in any case, as existing servers have it
 * @returns the date, or null when it was not given
 * @throws TocsinError `unparsable_request` (no date of the calendar), `invalid_date` (more than 28 days ago, or after today)
 */
export function checkDate(name: string, text: string, tzOffset: number, now: Date): string | null {
  if (text === '') return null
  if (!isCalendarDate(text))
    throw new TocsinError('unparsable_request', `${name} must be a date such as 2026-11-25.`)
  const minutes = Math.trunc(tzOffset)
  const shift = Math.min(Math.abs(minutes), FARTHEST_OFFSET) * 60_000
  const past = minutes < 0 ? (PAST_DAYS + 1) * DAY_MS : PAST_DAYS * DAY_MS + shift
  const earliest = dateOf(new Date(now.getTime() - past))
  const latest = dateOf(new Date(now.getTime() + shift))
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
