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
  /** Where the last window ends; null without an end. */
  readonly through: number | null
}

/**
 * The windows that are due, oldest first.
 *
 * Windows end at whole multiples of the period since the epoch, so that daylight saving can't matter; one that begins
 * off such a multiple (after the period was changed) is shorter, and so is the last one of a stream that ends.
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
    const end = endOf(schedule, start)
    if (end === undefined || end + schedule.windowAge > now) break
    windows.push({ start, end })
    start = end
  }
  return windows
}

/** When the next window will be due, unix seconds; undefined when the stream has ended. */
export function nextDue(schedule: Schedule, lastEnd: number | undefined): number | undefined {
  const end = endOf(schedule, lastEnd ?? schedule.start)
  return end === undefined ? undefined : end + schedule.windowAge
}

/** Where the window that begins at `start` ends; undefined past the stream's end. */
function endOf({ period, through }: Schedule, start: number): number | undefined {
  if (through !== null && start >= through) return undefined
  return Math.min(windowEnd(period, start), through ?? Infinity)
}

/** Where the window ends that a moment lies in, unless the stream ends before: the next whole multiple of the period. */
export function windowEnd(period: number, moment: number): number {
  return (Math.floor(moment / period) + 1) * period
}
