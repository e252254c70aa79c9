// Log: how long what both zones keep alike is kept, and the moments that follow; promises that no clock is read here.

/** Whole days after the day that counts are of. */
export const STATISTICS_DAYS = 91

/** Whole days after the day on which somebody did something. */
export const AUDIT_DAYS = 365

const DAY = 86_400

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
