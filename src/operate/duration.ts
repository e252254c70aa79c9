// Operate: spans of time as people write them; promises whole seconds.

/** Parses `15m`, `1h`, `30s` or a bare number of seconds; undefined when it is none. */
export function parseDuration(given: string): number | undefined {
  const match = /^(\d{1,7})(s|m|h|d)?$/.exec(given)
  if (match === null) return undefined
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? 's'] ?? 1
  return Number(match[1]) * unit
}
