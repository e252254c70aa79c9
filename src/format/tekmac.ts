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
  // Base64 is ASCII, where comparing strings is comparing bytes.
  const sorted = [...keys].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const short = sorted.map(
    ({ key, rollingStart, rollingPeriod }) => `${key}.${rollingStart}.${rollingPeriod}`,
  )
  const long = sorted
    .map(({ transmissionRisk }, index) => `${short[index]}.${transmissionRisk}`)
    .join(',')
  return sorted.every((key) => key.transmissionRisk === 0) ? [long, short.join(',')] : [long]
}
