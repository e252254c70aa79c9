// Operate: a moment as people write it; promises that no text without a time zone is taken for one.

/** Reads a time in ISO 8601 with its zone, such as 2027-01-31T00:00Z; undefined when it is none. */
export function parseTimestamp(text: string): Date | undefined {
  const isTimestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text)
  const time = isTimestamp ? Date.parse(text) : NaN
  return Number.isNaN(time) ? undefined : new Date(time)
}

/** Unix seconds as people read them: ISO 8601 in UTC. */
export function formatTimestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
