// Verify: what the package tocsin-client offers; promises that this list is all that others build on.

export { deriveIdentifiers, deriveMetadataKey, cipherMetadata } from '../format/gaen-derivation.ts'
export type { ExportEntry, ExportHeader, ExportKey } from '../format/gaen-export.ts'
export { EXPORT_REPORT_TYPES, REPORT_TYPE_NAMES, type ReportType } from '../format/report-type.ts'
export type { SignatureInfo } from '../format/signature-info.ts'
export { startAudit, type FeedAudit } from './audit-feed.ts'
export type { CheckedSignature } from './check-signatures.ts'
export type { DownloadOptions } from './feed-source.ts'
export type { FeedState } from './feed-state.ts'
export { followFeed, type FeedEvent, type FollowOptions } from './follow-feed.ts'
export { DEFAULT_LIMITS, type Limits } from './limits.ts'
export {
  createMatcher,
  TOLERANCE_INTERVALS,
  type Match,
  type MatchableKey,
  type Matcher,
  type ObservedIdentifier,
} from './match.ts'
export type { TrustedKey } from './trusted-keys.ts'
export {
  FINDING_CODES,
  VERDICTS,
  VERIFICATION_PROBLEMS,
  VerificationError,
  type Finding,
  type FindingCode,
  type VerificationProblem,
  type Verdict,
} from './verification-error.ts'
export { verifyExport, type VerifiedExport } from './verify-export.ts'
