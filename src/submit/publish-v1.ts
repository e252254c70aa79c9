// Submit: POST /v1/publish, as existing apps send it, and what all publish APIs share; promises a reply only when the keys are durable, and the same reply when it is asked again.

import type { KeyObject } from 'node:crypto'
import { TocsinError, type ErrorCode } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { INTERVAL_SECONDS } from '../format/intervals.ts'
import type { KeyCounts } from '../operate/metrics.ts'
import { randomPiece } from '../operate/random-piece.ts'
import type { AcceptedReport, Acceptance, Candidate, KeyCandidate } from './accept-reports.ts'
import { fingerprintRequest } from './fingerprint.ts'
import type { GroupCommit } from '../log/group-commit.ts'
import type { FindAuthority, TrustedAuthority } from './health-authorities.ts'
import { countKeys, judgeReport, platformOf } from './judge-report.ts'
import { parsePublishRequest, type PublishRequest } from './parse-publish.ts'
import type { ReportContent } from './report.ts'
import {
  mergeRevisable,
  type OpenedToken,
  type RevisableKey,
  type RevisionTokens,
} from './revision-token.ts'
import { describeDropped, describeWarnings } from './validate-keys.ts'
import {
  verifyCertificate,
  type CertificateCheck,
  type CertifiedClaims,
} from './verify-certificate.ts'

/** What a submission needs of the key zone. */
export interface PublishContext {
  readonly findAuthority: FindAuthority
  readonly commit: GroupCommit<Candidate, Acceptance>
  readonly tokens: RevisionTokens
  readonly fingerprintKey: KeyObject
  readonly timeGrain: number
  readonly clockLeewaySeconds: number
  /** The region of a health authority that has none. */
  readonly defaultRegion: string | undefined
  /** Whether known keys that a revision token does not cover are dropped, instead of refusing the request. */
  readonly partialRevisions: boolean
  readonly now: () => Date
}

/** A reply: status, tracking id and the JSON body's fields, its padding not yet among them. */
export interface PublishReply {
  readonly status: number
  /** 32 hex digits; the first one's when a request was repeated. */
  readonly trackingId: string
  /** What became of its keys; left out in a refusal. */
  readonly keys?: KeyCounts
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number
  readonly body: PublishReplyBody
}

/** The fields of a reply's body; what is absent is left out. */
export interface PublishReplyBody {
  readonly revisionToken?: string
  readonly insertedExposures?: number
  readonly error?: string
  readonly code?: string
  /** What kind of error of this code it is. */
  readonly subCode?: string
  readonly warnings?: readonly string[]
}

/** An API by which keys are published: how it writes a request. All that follows is the same for each. */
export interface PublishApi {
  /** See {@link ReportContent.source}. */
  readonly name: string
  /** @throws TocsinError `bad_request` */
  parse(body: Uint8Array): PublishRequest
  /** The health authority as far as a request asks for it. @param region the default one @throws TocsinError for more than it is */
  narrow?(request: PublishRequest, authority: TrustedAuthority, region?: string): TrustedAuthority
}

/** POST /v1/publish. */
export const PUBLISH_V1: PublishApi = { name: 'publish-v1', parse: parsePublishRequest }

/** Handles one submission by POST /v1/publish. */
export function publishV1(
  context: PublishContext,
  body: Uint8Array,
  userAgent: string,
): Promise<PublishReply> {
  return publish(context, PUBLISH_V1, body, userAgent)
}

/** What came of a submission on its way, as far as it went: for whoever explains it. */
export interface SubmissionTrace {
  request?: PublishRequest
  authority?: TrustedAuthority
  /** The checks that the certificate passed, in order. */
  readonly passed: CertificateCheck[]
  claims?: CertifiedClaims
  candidate?: KeyCandidate
}

/**
 * Handles one submission, from its body to its reply. A refusal is a reply, too; only what nobody expected is thrown.
 *
 * @param trace is filled in on the way
 */
export async function publish(
  context: PublishContext,
  api: PublishApi,
  body: Uint8Array,
  userAgent: string,
  trace: SubmissionTrace = { passed: [] },
): Promise<PublishReply> {
  const trackingId = randomPiece(16)
  try {
    const request = api.parse(body)
    trace.request = request
    const authority = await findAuthority(context, api, request)
    trace.authority = authority
    const now = context.now()
    const claims = verifyCertificate(
      request,
      authority,
      now,
      context.clockLeewaySeconds,
      trace.passed,
    )
    trace.claims = claims
    const fingerprint = fingerprintRequest(api.name, request, context.fingerprintKey)
    const revisable = openToken(context.tokens, request.revisionToken)
    const judged = judgeReport(context, {
      request,
      authority,
      claims,
      source: api.name,
      trackingId,
      platform: platformOf(userAgent),
      revisable,
      now,
    })
    const candidate = { fingerprint, judged }
    trace.candidate = candidate
    const acceptance = await context.commit.submit(candidate)
    if (acceptance instanceof TocsinError) throw acceptance
    return replyTo(context, acceptance, typeof revisable === 'object' ? revisable : [])
  } catch (error) {
    if (error instanceof TocsinError) return refusePublish(error, trackingId)
    throw error
  }
}

async function findAuthority(
  context: PublishContext,
  api: PublishApi,
  request: PublishRequest,
): Promise<TrustedAuthority> {
  const authority = await context.findAuthority(request.healthAuthorityId)
  if (authority === undefined) throw new TocsinError('unknown_health_authority_id')
  return api.narrow?.(request, authority, context.defaultRegion) ?? authority
}

/** The keys that a token covers. One that isn't even base64 counts as not sent. */
export function openToken(tokens: RevisionTokens, token: string): OpenedToken {
  if (token === '' || decodeBase64(token) === undefined) return undefined
  return tokens.open(token) ?? 'unreadable'
}

/** The reply to an accepted report, made from what the log keeps of it: so a repetition gets the same. */
function replyTo(
  context: PublishContext,
  { content, grain }: AcceptedReport,
  previous: readonly RevisableKey[],
): PublishReply {
  // Judged by the time of acceptance, so that the token of a repetition holds no fewer keys.
  const acceptedAt = Math.floor(grain / INTERVAL_SECONDS)
  const outcomes = [...content.outcomes]
  const dropped = describeDropped(outcomes)
  const warnings = describeWarnings(outcomes)
  const keys = countKeys(content.outcomes)
  const added = revisableKeys(content)
  return {
    status: 200,
    trackingId: Buffer.from(content.trackingId).toString('hex'),
    keys,
    body: {
      ...(added.length === 0 && previous.length === 0
        ? {}
        : { revisionToken: context.tokens.seal(mergeRevisable(previous, added, acceptedAt)) }),
      ...(keys.inserted === 0 ? {} : { insertedExposures: keys.inserted }),
      ...(dropped === '' ? {} : { error: dropped, code: 'partial_failure' }),
      ...(warnings.length === 0 ? {} : { warnings }),
    },
  }
}

function revisableKeys({ keys }: ReportContent): RevisableKey[] {
  const starts = new DataView(
    keys.rollingStart.buffer,
    keys.rollingStart.byteOffset,
    keys.rollingStart.byteLength,
  )
  return Array.from(keys.flags, (_, index) => ({
    keyData: keys.keyData.subarray(index * 16, index * 16 + 16),
    rollingStart: starts.getUint32(index * 4),
    rollingPeriod: keys.rollingPeriod[index] ?? 0,
  }))
}

// Existing apps know one code for whatever is wrong with a request as such; the status tells more.
const KNOWN_CODES: { readonly [Code in ErrorCode]?: ErrorCode } = {
  unsupported_media_type: 'bad_request',
  request_too_large: 'bad_request',
}

/** The reply to a refused request. */
export function refusePublish(
  error: TocsinError,
  trackingId: Uint8Array = randomPiece(16),
): PublishReply {
  return {
    status: error.status,
    trackingId: Buffer.from(trackingId).toString('hex'),
    ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
    body: {
      error: error.message,
      code: KNOWN_CODES[error.code] ?? error.code,
      ...(error.subCode === undefined ? {} : { subCode: error.subCode }),
      ...(error.warnings.length === 0 ? {} : { warnings: error.warnings }),
    },
  }
}
