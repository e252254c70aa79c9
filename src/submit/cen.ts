// Submit: reports of contact event numbers, by three APIs; promises the durability and the repetition of POST /v1/publish, and that a report says by what it was let in.

import { createHmac, type KeyObject } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { decodeBase64 } from '../format/bytes.ts'
import { macedCens, sortCens } from '../format/cen.ts'
import type { ReportType } from '../format/report-type.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { cenReportEvent, dailyCap, type CenReportContent, type TrustLevel } from './cen-report.ts'
import type { AcceptedReport, JudgedOther } from './decide-reports.ts'
import { FINGERPRINT_LENGTH } from './fingerprint.ts'
import type { TrustedAuthority } from './health-authorities.ts'
import { regionsOf } from './judge-report.ts'
import { parseCenList, parsePackedCens, parseStoredValue } from './parse-cen.ts'
import { refusePublish, type PublishContext, type PublishReply } from './publish-v1.ts'
import type { SubmissionApi } from './submission-api.ts'
import type { CertificateProof, PassedCode } from './upload-proof.ts'
import { verifyCertificate } from './verify-certificate.ts'

/** Why an upload is let in. */
export type CenProof =
  CertificateProof | PassedCode | { readonly proof: Exclude<TrustLevel, 'verified'> }

/** What an upload brought beside its body. */
export type CenFields = CenProof & {
  /** The app, as its health authority is registered; empty when none was configured. */
  readonly app: string
  /** A geohash of 1 to 4 characters, in lower case; empty for none. */
  readonly cell: string
  /** Reports a day that nobody vouched for, of each trust level: a number. */
  readonly cap: string
}

/** How the APIs read a body: 16 bytes a number. @throws TocsinError `bad_request` */
export const CEN_FORMS = {
  'cens-v1': parsePackedCens,
  'covidwatch-successor': parseCenList,
  covidwatch: parseStoredValue,
} as const satisfies Record<string, (body: Uint8Array) => Uint8Array>

/** The name of one of these APIs. */
export type CenName = keyof typeof CEN_FORMS

/** The APIs, as the thread of submissions calls them. */
export const CEN_APIS: readonly SubmissionApi[] = (Object.keys(CEN_FORMS) as CenName[]).map(
  (name) => ({
    name,
    handle: (context, body, _userAgent, fields) =>
      acceptCens(context, name, body, fields as CenFields),
  }),
)

async function acceptCens(
  context: PublishContext,
  api: CenName,
  body: Uint8Array,
  fields: CenFields,
): Promise<PublishReply> {
  const trackingId = randomPiece(16)
  try {
    const numbers = sortCens(CEN_FORMS[api](body))
    const fingerprint = fingerprintCens(api, numbers, fields, context.fingerprintKey)
    const judged = await judge(context, fields, numbers, { source: api, trackingId, fingerprint })
    const acceptance = await context.commit.submit({ fingerprint, judged })
    if (acceptance instanceof TocsinError) throw acceptance
    // What its fingerprint recognises is a report of numbers, too.
    const { content } = acceptance as AcceptedReport<unknown> as AcceptedReport<CenReportContent>
    return {
      status: 200,
      trackingId: Buffer.from(content.trackingId).toString('hex'),
      keys: { inserted: content.count, revised: 0, dropped: 0 },
      body: {},
    }
  } catch (error) {
    if (error instanceof TocsinError) return refusePublish(error, trackingId)
    throw error
  }
}

/**
 * @returns why it is refused, unless it is a repetition
 * @throws TocsinError what refuses it in any case: a certificate that is none
 */
async function judge(
  context: PublishContext,
  fields: CenFields,
  numbers: Uint8Array,
  given: Pick<CenReportContent, 'source' | 'trackingId' | 'fingerprint'>,
): Promise<JudgedOther | TocsinError> {
  const registered = await context.findAuthority(fields.app)
  const vouched = vouch(context, fields, numbers, registered)
  if (vouched instanceof TocsinError) return vouched
  if (registered?.disabled === true) return new TocsinError('unknown_health_authority_id')
  const { trust, ...claims } = vouched
  let regions
  try {
    regions = regionsOf(registered ?? { regions: [] }, context.defaultRegion)
  } catch (error) {
    if (error instanceof TocsinError) return error
    throw error
  }
  const content: CenReportContent = {
    ...given,
    ...claims,
    app: registered?.app ?? fields.app.toLowerCase(),
    healthAuthority: trust === 'verified' ? (registered?.issuer ?? '') : '',
    regions,
    timeGrain: context.timeGrain,
    trust,
    cell: fields.cell === '' ? null : fields.cell,
    count: numbers.length / 16,
  }
  return {
    event: cenReportEvent(content, numbers),
    size: numbers.length,
    ...(trust === 'verified' ? {} : { cap: dailyCap(trust, Number(fields.cap), context.now()) }),
  }
}

/** What is said of a report beside its numbers, and by whom. */
interface Vouched {
  readonly trust: TrustLevel
  readonly reportType: ReportType
  readonly issuerHandle: Uint8Array | null
}

/** @throws TocsinError `unknown_health_authority_id`, `health_authority_verification_certificate_invalid` */
function vouch(
  context: PublishContext,
  fields: CenFields,
  numbers: Uint8Array,
  registered: TrustedAuthority | undefined,
): Vouched | TocsinError {
  if (fields.proof === 'refused code') return new TocsinError(fields.refusal, fields.sentence)
  if (fields.proof !== 'certificate' && fields.proof !== 'code')
    return { trust: fields.proof, reportType: 'user-report', issuerHandle: null }
  if (registered === undefined)
    throw new TocsinError(
      'unknown_health_authority_id',
      'No health authority is known here whose certificates could be accepted: its operator names one by TOCSIN_CEN_APP.',
    )
  const { certificate: verificationPayload, hmacKey } = fields
  const certified = { verificationPayload, hmacKey, maced: macedCens(numbers) }
  const { reportType, issuerHandle, outdated } = verifyCertificate(
    certified,
    registered,
    context.now(),
    context.clockLeewaySeconds,
  )
  if (outdated !== undefined) return outdated
  if (reportType === 'negative')
    return new TocsinError(
      'health_authority_verification_certificate_invalid',
      'The verification certificate was not accepted: it is of a negative test, of which nobody is to be warned.',
      { subCode: 'wrong_report_type' },
    )
  return { trust: 'verified', reportType, issuerHandle: issuerHandle ?? null }
}

/**
 * The fingerprint of an upload: an HMAC over its numbers and what vouches for them. One code or certificate makes one report, by
 * whichever API and with whichever cell it comes again, and however its texts are spelt: or one person would be as many as a stream
 * needs to publish. Of a certificate the HMAC of the numbers counts, which is its `tekmac`; a code's is another one each time.
 */
function fingerprintCens(
  api: CenName,
  numbers: Uint8Array,
  fields: CenFields,
  fingerprintKey: KeyObject,
): Uint8Array {
  const isByCode = fields.proof === 'code' || fields.proof === 'refused code'
  const proof = isByCode
    ? ['code', fields.code]
    : fields.proof === 'certificate'
      ? [fields.proof, tekmacOf(numbers, fields.hmacKey)]
      : [fields.proof, api]
  return createHmac('sha256', fingerprintKey)
    .update(JSON.stringify(['cen', proof, fields.app.toLowerCase()]))
    .update('\n')
    .update(numbers)
    .digest()
    .subarray(0, FINGERPRINT_LENGTH)
}

function tekmacOf(numbers: Uint8Array, hmacKey: string): string {
  const secret = decodeBase64(hmacKey) ?? new Uint8Array()
  return createHmac('sha256', secret).update(macedCens(numbers)).digest('base64')
}
