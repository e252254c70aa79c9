// Submit: uploads in ct-diag-server's two forms; promises the rules, the durability and the repetition of POST /v1/publish, and that a request without a proof is never taken for one with.

import type { KeyObject } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { tekmacCleartexts } from '../format/tekmac.ts'
import { randomPiece } from '../operate/random-piece.ts'
import type { JudgedReport } from './accept-reports.ts'
import { fingerprintRequest } from './fingerprint.ts'
import { countKeys, judgeReport, platformOf } from './judge-report.ts'
import {
  DAY_RECORDS,
  hasZeros,
  parseRecords,
  RECORDS,
  refuseUntakeable,
  type CtdiagForm,
  type RecordedKey,
} from './parse-ctdiag.ts'
import type { PublishRequest } from './parse-publish.ts'
import { refusePublish, type PublishContext, type PublishReply } from './publish-v1.ts'
import type { SubmissionApi } from './submission-api.ts'
import type { CertificateProof, PassedCode } from './upload-proof.ts'
import { problemOf } from './validate-keys.ts'
import { verifyCertificate, type CertifiedClaims } from './verify-certificate.ts'

/** What an upload brought beside its records. */
export type UploadProof = CertificateProof | PassedCode | { readonly proof: 'none' }

/** What an upload's fields say. */
export type UploadFields = UploadProof & {
  /** The app, as its health authority is registered; empty when none was configured. */
  readonly app: string
  /** Records at the most: a number. */
  readonly maxKeys: string
}

/** An upload's two forms by the names of their APIs. */
export const CTDIAG_FORMS = { ctdiag: RECORDS, 'ctdiag-v0': DAY_RECORDS } as const satisfies Record<
  string,
  CtdiagForm
>

/** The name of one of these APIs. */
export type CtdiagName = keyof typeof CTDIAG_FORMS

/** The APIs, as the thread of submissions calls them. */
export const CTDIAG_APIS: readonly SubmissionApi[] = (
  Object.keys(CTDIAG_FORMS) as CtdiagName[]
).map((name) => ({
  name,
  handle: (context, body, userAgent, fields) =>
    upload(context, name, body, userAgent, fields as unknown as UploadFields),
}))

/** The text that an upload's certificate covers: the publish API's, of keys that are valid for a day. */
export function cleartextOf(keys: readonly RecordedKey[]): string {
  return tekmacCleartexts(keys)[0] ?? ''
}

async function upload(
  context: PublishContext,
  api: CtdiagName,
  body: Uint8Array,
  userAgent: string,
  fields: UploadFields,
): Promise<PublishReply> {
  const trackingId = randomPiece(16)
  try {
    const keys = parseRecords(body, CTDIAG_FORMS[api], Number(fields.maxKeys))
    const judged = await judgeUpload(context, api, keys, fields, { trackingId, userAgent })
    const fingerprint = fingerprintUpload(api, keys, fields, context.fingerprintKey)
    const acceptance = await context.commit.submit({ fingerprint, judged })
    if (acceptance instanceof TocsinError) throw acceptance
    return {
      status: 200,
      trackingId: Buffer.from(acceptance.content.trackingId).toString('hex'),
      keys: countKeys(acceptance.content.outcomes),
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
async function judgeUpload(
  context: PublishContext,
  api: CtdiagName,
  keys: readonly RecordedKey[],
  fields: UploadFields,
  { trackingId, userAgent }: { readonly trackingId: Uint8Array; readonly userAgent: string },
): Promise<JudgedReport | TocsinError> {
  if (fields.proof === 'refused code') return new TocsinError(fields.refusal, fields.sentence)
  const now = context.now()
  const request = requestOf(keys, fields)
  const registered = await context.findAuthority(fields.app)
  let claims: CertifiedClaims
  if (fields.proof === 'none') claims = SELF_REPORTED
  else if (registered === undefined)
    throw new TocsinError('unknown_health_authority_id', NO_AUTHORITY)
  else claims = verifyCertificate(request, registered, now, context.clockLeewaySeconds)
  const proved = {
    request,
    authority: registered ?? { app: fields.app, issuer: '', regions: [], disabled: false },
    claims,
    source: api,
    trackingId,
    platform: platformOf(userAgent),
    revisable: undefined,
    now,
  }
  const options = { maxKeys: Number(fields.maxKeys), ignoresKnown: true } as const
  return refusePart(judgeReport(context, proved, options), keys, now)
}

/** Refuses a report that would leave out a key which can't be taken, and says which record that is. */
function refusePart(
  judged: JudgedReport | TocsinError,
  keys: readonly RecordedKey[],
  now: Date,
): JudgedReport | TocsinError {
  const isToldBetter =
    judged instanceof TocsinError
      ? judged.code === 'bad_request'
      : hasZeros(keys) || judged.outcomes.some((outcome) => problemOf(outcome) !== undefined)
  if (!isToldBetter) return judged
  try {
    refuseUntakeable(keys, now)
    return judged
  } catch (error) {
    if (error instanceof TocsinError) return error
    throw error
  }
}

const SELF_REPORTED: CertifiedClaims = { reportType: 'user-report', symptomOnsetInterval: 0 }

const NO_AUTHORITY =
  'No health authority is known here whose certificates could be accepted: its operator names one by TOCSIN_CTDIAG_APP.'

/** An upload as a request of the publish API. */
function requestOf(keys: readonly RecordedKey[], fields: UploadFields): PublishRequest {
  const isCertified = fields.proof === 'certificate' || fields.proof === 'code'
  return {
    keys,
    healthAuthorityId: fields.app,
    verificationPayload: isCertified ? fields.certificate : '',
    hmacKey: isCertified ? fields.hmacKey : '',
    symptomOnsetInterval: 0,
    traveler: false,
    revisionToken: '',
  }
}

/** A code's certificate is another one each time: what comes again is the code, with the same keys. */
function fingerprintUpload(
  api: CtdiagName,
  keys: readonly RecordedKey[],
  fields: UploadFields,
  fingerprintKey: KeyObject,
): Uint8Array {
  const request = requestOf(keys, fields)
  const isByCode = fields.proof === 'code' || fields.proof === 'refused code'
  const proof = isByCode ? { verificationPayload: `code ${fields.code}`, hmacKey: '' } : {}
  return fingerprintRequest(api, { ...request, ...proof }, fingerprintKey)
}
