// Operate: spans of time as people write them; promises whole seconds, and no more of them than the database holds.

/** The longest that is understood, in seconds: what an integer of PostgreSQL holds, some 68 years. */
const LONGEST_DURATION = 2 ** 31 - 1

/** Parses `15m`, `1h`, `30s` or a bare number of seconds; undefined when it is none, or longer than {@link LONGEST_DURATION}. */
export function parseDuration(given: string): number | undefined {
  const match = /^(\d{1,7})(s|m|h|d)?$/.exec(given)
  if (match === null) return undefined
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? 's'] ?? 1
  const seconds = Number(match[1]) * unit
  return seconds <= LONGEST_DURATION ? seconds : undefined
}
