// Format: the text that a certificate's HMAC covers; promises the order of bytes, never that of a language.

/** What of a key the HMAC covers. */
export interface MacedKey {
  /** Base64 exactly as it is sent. */
  readonly key: string
  readonly rollingStart: number
  readonly rollingPeriod: number
  readonly transmissionRisk: number
}

/**
 * The texts whose HMAC-SHA256 may stand in a certificate as `tekmac`: for each key `key.start.period.risk`, sorted by key and
 * joined by commas; when all risks are 0, also without the risks (verification protocol of exposure notification,
 * "exposure key HMAC").
 */
export function tekmacCleartexts(keys: readonly MacedKey[]): string[] {
  const sorted = [...keys].sort((a, b) => compareTexts(a.key, b.key))
  const short = sorted.map(
    ({ key, rollingStart, rollingPeriod }) => `${key}.${rollingStart}.${rollingPeriod}`,
  )
  const long = sorted
    .map(({ transmissionRisk }, index) => `${short[index]}.${transmissionRisk}`)
    .join(',')
  return sorted.every((key) => key.transmissionRisk === 0) ? [long, short.join(',')] : [long]
}

const encoder = new TextEncoder()

/** Orders texts by their bytes in UTF-8. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  // Strings are compared by units of UTF-16, which is comparing bytes but for surrogates: they stand for the last characters
  // of all, or alone for none. Base64 has neither, so this is rare.
  const isPlain = !(a.charCodeAt(at) >= 0xd800) && !(b.charCodeAt(at) >= 0xd800)
  return (isPlain ? 0 : compareBytes(encoder.encode(a), encoder.encode(b))) || (a < b ? -1 : 1)
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index])
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1)
}
