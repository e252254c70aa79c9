// Submit: what the rules make of a submission whose proof was checked; promises the same rules for every API that brings keys.

import { TocsinError } from '../errors.ts'
import type { KeyCounts } from '../operate/metrics.ts'
import type { JudgedReport } from './accept-reports.ts'
import type { TrustedAuthority } from './health-authorities.ts'
import type { PublishRequest } from './parse-publish.ts'
import type { ReportStatistics } from './report.ts'
import type { OpenedToken } from './revision-token.ts'
import { chooseOnset, OUTCOMES, validateKeys, withRisk } from './validate-keys.ts'
import type { CertifiedClaims } from './verify-certificate.ts'

/** A submission whose proof was checked. */
export interface ProvedSubmission {
  readonly request: Pick<PublishRequest, 'keys' | 'symptomOnsetInterval' | 'traveler'>
  readonly authority: Pick<TrustedAuthority, 'app' | 'issuer' | 'regions' | 'disabled'>
  readonly claims: CertifiedClaims
  /** The API that brought it. */
  readonly source: string
  readonly trackingId: Uint8Array
  readonly platform: ReportStatistics['platform']
  readonly revisable: OpenedToken
  readonly now: Date
}

/** How an API differs. */
export interface JudgeOptions {
  /** Keys in one request at the most. */
  readonly maxKeys?: number
  /** Whether keys that are stored already are left as they are, instead of asking for a revision token. */
  readonly ignoresKnown?: true
}

/** Applies every rule whose verdict changes with time; a refusal is held back until it is known that the request is no repetition. */
export function judgeReport(
  context: {
    readonly timeGrain: number
    readonly defaultRegion: string | undefined
    readonly partialRevisions: boolean
  },
  given: ProvedSubmission,
  { maxKeys, ignoresKnown }: JudgeOptions = {},
): JudgedReport | TocsinError {
  const { request, authority, claims, now } = given
  try {
    if (authority.disabled) return new TocsinError('unknown_health_authority_id')
    if (claims.outdated !== undefined) return claims.outdated
    const onset = chooseOnset(request.symptomOnsetInterval, claims.symptomOnsetInterval, now)
    const { valid, outcomes } = validateKeys(request.keys, onset, now, maxKeys)
    return {
      content: {
        source: given.source,
        trackingId: given.trackingId,
        app: authority.app,
        healthAuthority: authority.issuer,
        regions: regionsOf(authority, context.defaultRegion),
        reportType: claims.reportType,
        onset,
        traveler: request.traveler,
        issuerHandle: claims.issuerHandle ?? null,
        timeGrain: context.timeGrain,
      },
      valid: valid.map((key) => withRisk(key, claims.reportType)),
      outcomes,
      platform: given.platform,
      revisable: given.revisable,
      partialRevisions: context.partialRevisions,
      ...(ignoresKnown === undefined ? {} : { ignoresKnown }),
    }
  } catch (error) {
    if (error instanceof TocsinError) return error
    throw error
  }
}

/**
 * The regions of a health authority's keys.
 *
 * @throws TocsinError `health_authority_missing_region_config`
 */
export function regionsOf(
  { regions }: Pick<TrustedAuthority, 'regions'>,
  defaultRegion: string | undefined,
): readonly string[] {
  if (regions.length > 0) return regions
  if (defaultRegion === undefined) throw new TocsinError('health_authority_missing_region_config')
  return [defaultRegion]
}

/** What an app's User-Agent says of the phone. */
export function platformOf(userAgent: string): ReportStatistics['platform'] {
  const text = userAgent.toLowerCase()
  if (text.includes('android')) return 'android'
  if (text.includes('iphone') || (text.includes('bluetoothd') && text.includes('cfnetwork')))
    return 'ios'
  return 'unknown'
}

/** How many keys of an accepted report were new, changed, or dropped. */
export function countKeys(outcomes: Uint8Array): KeyCounts {
  const counts = { inserted: 0, revised: 0, dropped: 0 }
  for (const outcome of outcomes)
    if (outcome === OUTCOMES.accepted) counts.inserted++
    else if (outcome === OUTCOMES.revised) counts.revised++
    else if (outcome >= OUTCOMES.not_base64) counts.dropped++
  return counts
}
