// Operate: the one place where the clock is read; promises that everything else takes the time as an argument, and that a clock which leaps for a moment misleads nobody.

/** Tells the time. Tests and the demo hand in one that moves. */
export interface Clock {
  /** The present moment. */
  now(): Date
}

/** How far a clock may be from where it should be by now, in milliseconds: corrections stay far below. */
const LEAP_MS = 10 * 60_000
/** How long a clock that leapt must stay there to be believed, in milliseconds. */
const BELIEVED_AFTER_MS = 2 * 60_000

/**
 * The clock on the wall, but for leaps that are undone: one wrong reading, years ahead, would settle the windows of all those
 * years, and nothing accepted until then could be published.
 *
 * @param wallMs unix time in milliseconds
 * @param monotonicMs a clock that never leaps, in milliseconds
 */
export function steadyClock(wallMs: () => number, monotonicMs: () => number): Clock {
  let known: { readonly wall: number; readonly monotonic: number } | undefined
  let leaptAt: number | undefined
  return {
    now() {
      const wall = wallMs()
      const monotonic = monotonicMs()
      const expected = known === undefined ? wall : known.wall + monotonic - known.monotonic
      if (Math.abs(wall - expected) <= LEAP_MS) leaptAt = undefined
      else {
        leaptAt ??= monotonic
        if (monotonic - leaptAt < BELIEVED_AFTER_MS) return new Date(expected)
        leaptAt = undefined
      }
      known = { wall, monotonic }
      return new Date(wall)
    },
  }
}

/** The machine's own clock. */
export const systemClock: Clock = steadyClock(
  () => Date.now(),
  () => performance.now(),
)
