// Format: the time unit of exposure notification; promises one meaning of an interval everywhere.

/** Seconds of an interval (GAEN cryptography specification 1.2, ENIntervalNumber). */
export const INTERVAL_SECONDS = 600

/** Intervals of a day, and the longest rolling period. */
export const INTERVALS_PER_DAY = 144
