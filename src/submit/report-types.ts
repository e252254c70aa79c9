// Submit: which events are reports, whatever kind of key they brought; promises that a kind that is added needs no line here.

/** The type of the event of a report of diagnosis keys. */
export const REPORT = 'report'

// What a kind of key calls the events of its own reports: `cen.report`.
const OF_A_KIND = '.report'

/** What SQL's `like` finds the types of other kinds' reports by. */
export const LIKE_OTHER_REPORTS = `%${OF_A_KIND}`

/** For a projection that follows the reports of every kind, see `Projection.types`. */
export const EVERY_REPORT: readonly string[] = [REPORT, `*${OF_A_KIND}`]

/** Whether an event of this type is a report, of diagnosis keys or of what another kind of key brings. */
export function isReport(type: string): boolean {
  return type === REPORT || isOtherReport(type)
}

/** Whether an event of this type is a report of another kind than diagnosis keys. */
export function isOtherReport(type: string): boolean {
  return type.endsWith(OF_A_KIND)
}

/** What the first part of every other kind's report has at least: what its row in `report` follows from. */
export interface OtherReportContent {
  /** Which API brought it. */
  readonly source: string
  /** 128 random bits. */
  readonly trackingId: Uint8Array
  /** HMAC of the request under a key of this zone, 16 bytes. */
  readonly fingerprint: Uint8Array
  readonly app: string
  /** The issuer of the certificate; empty when nobody vouched for it. */
  readonly healthAuthority: string
  readonly regions: readonly string[]
  readonly issuerHandle: Uint8Array | null
  /** Seconds to which times were truncated at acceptance. */
  readonly timeGrain: number
  /** How many identifiers it brought. */
  readonly count: number
}
