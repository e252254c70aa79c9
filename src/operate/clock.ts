// Operate: the one place where the clock is read; promises that everything else takes the time as an argument.

/** Tells the time. Tests and the demo hand in one that moves. */
export interface Clock {
  /** The present moment. */
  now(): Date
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => new Date() }
