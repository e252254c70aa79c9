// Publish: which windows of a stream are due, as a pure function; promises no gap and no overlap, oldest first, whatever the clock does.

/** A span of time whose keys go out together, unix seconds: start inclusive, end exclusive. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** What planning needs to know of a stream, in seconds. */
export interface Schedule {
  readonly period: number
  /** How long after its end a window is left to settle. */
  readonly windowAge: number
  /** Where the first window begins. */
  readonly start: number
}

/**
 * The windows that are due, oldest first.
 *
 * Windows end at whole multiples of the period since the epoch, so that daylight saving can't matter; one that begins
 * off such a multiple (after the period was changed) is shorter.
 *
 * @param lastEnd where the newest release's window ended; undefined before the first
 * @param now unix seconds
 * @param most how many to plan at once
 */
export function planWindows(
  schedule: Schedule,
  lastEnd: number | undefined,
  now: number,
  most: number,
): Window[] {
  const windows: Window[] = []
  for (let start = lastEnd ?? schedule.start; windows.length < most;) {
    const end = (Math.floor(start / schedule.period) + 1) * schedule.period
    if (end + schedule.windowAge > now) break
    windows.push({ start, end })
    start = end
  }
  return windows
}

/** When the next window will be due, unix seconds. */
export function nextDue(schedule: Schedule, lastEnd: number | undefined): number {
  const start = lastEnd ?? schedule.start
  return (Math.floor(start / schedule.period) + 1) * schedule.period + schedule.windowAge
}
