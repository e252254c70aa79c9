// Chaos: what all processes of a world have in common; promises one clock, which runs 60 times as fast as the wall's.

/** Where it begins. */
const START = Date.parse('2026-03-10T08:00:00Z')
/** Windows of a minute are over after a second. */
const SPEED = 60

/** @param origin when the world began, milliseconds of the machine's clock */
export function worldClock(origin: number): () => Date {
  return () => new Date(START + (Date.now() - origin) * SPEED)
}

/** Seconds to which a world truncates its times; also the period of its finest stream. */
export const TIME_GRAIN = 60

/** One stream whose files all stay, for the phone, and one whose files leave soon. */
export const STREAMS = ['us', 'brief']

/** The type of events that keep contents apart. */
export const KEPT_NUMBERS = 'numbers.kept'
