// Submit: what each rule for requests says of one; promises to ask the rules themselves.

import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { INTERVAL_SECONDS } from '../format/intervals.ts'
import type { AcceptancePreview } from './accept-reports.ts'
import { regionsOf } from './judge-report.ts'
import type { PublishRequest } from './parse-publish.ts'
import {
  openToken,
  type PublishContext,
  type PublishReply,
  type PublishReplyBody,
  type SubmissionTrace,
} from './publish-v1.ts'
import { refuseOverlaps } from './refuse-overlaps.ts'
import { judgeKnownKeys, type Fate } from './settle-keys.ts'
import {
  chooseOnset,
  judgeKeys,
  LIMITS,
  refuseCount,
  refuseNoneValid,
  type JudgedKeys,
  type Onset,
} from './validate-keys.ts'
import { CERTIFICATE_CHECKS, type CertificateCheck } from './verify-certificate.ts'

/** What is known of a request after it took the way of a real one. */
export interface GivenSubmission {
  readonly context: PublishContext
  readonly trace: SubmissionTrace
  /** Undefined when the request was refused before anything stored was looked at. */
  readonly preview: AcceptancePreview | undefined
  readonly reply: PublishReply
  readonly now: Date
  /** When it would be accepted: unix seconds. */
  readonly grain: number
}

/** What one rule says. */
export interface ExplainedRule {
  readonly rule: string
  readonly verdict: 'passed' | 'failed' | 'not_checked'
  readonly says: string
  /** With which codes a request is refused for it. */
  readonly code?: string
  readonly subCode?: string
}

/** The rules in the order in which a request meets them; those that need nothing of an earlier one are asked whatever came before. */
export function explainRules(given: GivenSubmission): ExplainedRule[] {
  const { trace, context, reply, now } = given
  const { request, authority, claims } = trace
  if (request === undefined) return [failed('request', reply.body)]
  const { onset, judged } = judgeRequest(request, trace, now)
  return [
    passed('request', `It could be read: ${count(request.keys.length, 'key')}.`),
    authority === undefined
      ? failed('health_authority', reply.body)
      : passed('health_authority', `It is ${authority.app}, issuer ${authority.issuer}.`),
    ...explainCertificate(given),
    explainToken(request, context),
    explainRepetition(given),
    authority === undefined
      ? notChecked('enabled', NOT_REACHED)
      : authority.disabled
        ? failed('enabled', new TocsinError('unknown_health_authority_id'))
        : passed('enabled', 'The health authority is not disabled.'),
    claims === undefined
      ? notChecked('validity', NOT_REACHED)
      : claims.outdated === undefined
        ? passed('validity', 'The certificate counts now, and so does the public key.')
        : failed('validity', claims.outdated),
    passed('onset', describeOnset(onset, claims !== undefined)),
    check('count', () => {
      refuseCount(request.keys)
      return `There are 1 to ${LIMITS.maxKeys} keys.`
    }),
    check('keys', () => {
      refuseNoneValid(judged.outcomes)
      return `${judged.valid.length} of ${count(request.keys.length, 'key')} passed.`
    }),
    check('overlaps', () => {
      refuseOverlaps(judged.passed, [])
      return `No periods overlap, but for at most ${LIMITS.maxSameStart} keys of one start.`
    }),
    authority === undefined
      ? notChecked('regions', NOT_REACHED)
      : check('regions', () => {
          const regions = regionsOf(authority, context.defaultRegion)
          return `The keys belong to ${regions.join(', ')}${request.traveler ? ', and to a traveler' : ''}.`
        }),
    explainKnownKeys(given),
  ]
}

/** The verdict on the keys by the onset that is chosen, whether or not the certificate was accepted. */
export function judgeRequest(
  request: PublishRequest,
  { claims }: SubmissionTrace,
  now: Date,
): { readonly onset: Onset; readonly judged: JudgedKeys } {
  const certified = claims?.symptomOnsetInterval ?? 0
  const onset = chooseOnset(request.symptomOnsetInterval, certified, now)
  return { onset, judged: judgeKeys(request.keys, onset, now) }
}

/** What the checks of a certificate say when they are passed. */
const CERTIFICATE_SAYS: Readonly<Record<CertificateCheck, string>> = {
  form: 'It is a JWT signed with ES256.',
  key: 'Its kid names a public key of the health authority.',
  signature: 'The signature was made with that key.',
  claims: 'Its claims are a JSON object.',
  issuer: "The issuer is the health authority's.",
  audience: 'The audience is this service.',
  report_type: 'The report type is a known one.',
  tekmac: 'It covers the keys as sent.',
  issuer_handle: 'The issuer handle is well-formed, or left out.',
  onset: 'The onset is well-formed, or left out.',
}

function explainCertificate({ trace, reply }: GivenSubmission): ExplainedRule[] {
  const { passed: done, claims, authority } = trace
  const failing = authority === undefined ? undefined : CERTIFICATE_CHECKS[done.length]
  return CERTIFICATE_CHECKS.map((name) => {
    const rule = `certificate.${name}`
    if (done.includes(name)) {
      const type =
        name === 'report_type' && claims !== undefined ? ` It says ${claims.reportType}.` : ''
      return passed(rule, `${CERTIFICATE_SAYS[name]}${type}`)
    }
    if (name === failing) return failed(rule, reply.body)
    if (name === 'signature' && (failing === 'key' || authority === undefined))
      return notChecked(rule, "The signature can't be checked without the public key.")
    return notChecked(rule, NOT_REACHED)
  })
}

function explainToken(request: PublishRequest, { tokens }: PublishContext): ExplainedRule {
  const rule = 'revision_token'
  if (request.revisionToken === '') return passed(rule, 'None was sent.')
  const covered = openToken(tokens, request.revisionToken)
  if (covered === undefined) return passed(rule, "It isn't base64, and so counts as not sent.")
  return passed(
    rule,
    covered.length === 0
      ? 'It can not be read here, or covers no key.'
      : `It can be read, and covers ${count(covered.length, 'key')}.`,
  )
}

function explainRepetition({ preview }: GivenSubmission): ExplainedRule {
  if (preview === undefined) return notChecked('repetition', NOT_REACHED)
  return passed(
    'repetition',
    preview.repeated === undefined
      ? 'No such request was accepted before.'
      : `It was accepted before, at ${formatTimestamp(preview.repeated.grain)}: it gets the same answer, whatever the rules below say now.`,
  )
}

function describeOnset({ interval, source }: Onset, isCertified: boolean): string {
  const from = {
    request: 'the request says so',
    certificate: 'the certificate says so',
    default: `${LIMITS.defaultOnsetDaysAgo} days ago is assumed, as none that was given can be believed`,
  }[source]
  const but = isCertified || source === 'request' ? '' : '; the certificate was not asked'
  return `It is ${formatTimestamp(interval * INTERVAL_SECONDS)} (interval ${interval}): ${from}${but}.`
}

function explainKnownKeys({ trace, preview }: GivenSubmission): ExplainedRule {
  const rule = 'known_keys'
  const judged = trace.candidate?.judged
  if (preview === undefined || judged === undefined) return notChecked(rule, NOT_REACHED)
  if (preview.repeated !== undefined) return notChecked(rule, 'The request is a repetition.')
  if (judged instanceof TocsinError) return notChecked(rule, NOT_REACHED)
  if (preview.acceptance instanceof TocsinError) return failed(rule, preview.acceptance)
  const claim = { ...judged, ...judged.content }
  const fates = judgeKnownKeys(judged.valid, claim, preview.known)
  const told = (['new', 'revised', 'unchanged', 'not_covered'] as const satisfies Fate[]).flatMap(
    (fate) => {
      const number = fates.filter((each) => each === fate).length
      return number === 0 ? [] : [`${number} ${fate.replace('_', ' ')}`]
    },
  )
  return passed(rule, told.length === 0 ? 'There is nothing to store.' : `${told.join(', ')}.`)
}

const NOT_REACHED = 'It was not reached.'

function passed(rule: string, says: string): ExplainedRule {
  return { rule, verdict: 'passed', says }
}

function notChecked(rule: string, says: string): ExplainedRule {
  return { rule, verdict: 'not_checked', says }
}

function failed(rule: string, refusal: TocsinError | PublishReplyBody): ExplainedRule {
  const says = refusal instanceof TocsinError ? refusal.message : (refusal.error ?? '')
  const { code, subCode } = refusal
  return {
    rule,
    verdict: 'failed',
    says,
    ...(code === undefined ? {} : { code }),
    ...(subCode === undefined ? {} : { subCode }),
  }
}

function check(rule: string, judge: () => string): ExplainedRule {
  try {
    return passed(rule, judge())
  } catch (error) {
    if (error instanceof TocsinError) return failed(rule, error)
    throw error
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
