// Submit: the earlier publish API, POST /; promises the rules and the code path of POST /v1/publish, in the earlier shape.

import { TocsinError } from '../errors.ts'
import { parseJsonObject, readArray, readInteger, readText } from '../operate/read-json.ts'
import type { TrustedAuthority } from './health-authorities.ts'
import { regionsOf } from './judge-report.ts'
import { readSubmittedKeys, type PublishRequest } from './parse-publish.ts'
import {
  publish,
  type PublishApi,
  type PublishContext,
  type PublishReply,
  type PublishReplyBody,
} from './publish-v1.ts'

/**
 * Reads a body of the earlier API.
 *
 * `appPackageName` plays the part of healthAuthorityID. More than one region means that the keys are a traveler's.
 * `platform` and `deviceVerificationPayload` (an attestation of the device) say nothing that a certificate does not vouch
 * for better: they are read and ignored.
 *
 * @throws TocsinError `bad_request`
 */
export function parseEarlierRequest(body: Uint8Array): PublishRequest {
  const fields = parseJsonObject(body, REQUEST_FIELDS, 'bad_request')
  const regions = readArray(fields, 'regions')
  if (!regions.every((region) => typeof region === 'string'))
    throw new TocsinError('bad_request', 'regions must be an array of strings.')
  for (const ignored of ['padding', 'platform', 'deviceVerificationPayload'])
    readText(fields, ignored)
  return {
    keys: readSubmittedKeys(fields),
    healthAuthorityId: readText(fields, 'appPackageName'),
    verificationPayload: readText(fields, 'verificationPayload'),
    hmacKey: readText(fields, 'hmackey'),
    symptomOnsetInterval: readInteger(fields, 'symptomOnsetInterval', 0),
    traveler: regions.length > 1,
    ...(regions.length === 0 ? {} : { regions }),
    revisionToken: readText(fields, 'revisionToken'),
  }
}

const REQUEST_FIELDS = new Set([
  'temporaryexposurekeys',
  'regions',
  'apppackagename',
  'verificationpayload',
  'hmackey',
  'symptomonsetinterval',
  'revisiontoken',
  'padding',
  'platform',
  'deviceverificationpayload',
])

/** POST / */
export const PUBLISH_V1ALPHA1: PublishApi = {
  name: 'publish-v1alpha1',
  parse: parseEarlierRequest,
  narrow: narrowToRegions,
}

/**
 * A health authority with those of its regions alone that a request names, however they are spelt; with all when it names
 * none.
 *
 * @throws TocsinError `unauthorized` for a region that is not the health authority's
 */
function narrowToRegions(
  request: PublishRequest,
  authority: TrustedAuthority,
  defaultRegion?: string,
): TrustedAuthority {
  // Where there is no region at all, the operator is told so, behind the certificate.
  if (request.regions === undefined || (authority.regions.length === 0 && !defaultRegion))
    return authority
  const own = regionsOf(authority, defaultRegion)
  const named = request.regions.map((name) =>
    own.find((region) => region.toUpperCase() === name.toUpperCase()),
  )
  const regions = named.filter((region) => region !== undefined)
  if (regions.length < named.length) throw new TocsinError('unauthorized', NOT_ITS_REGION)
  return { ...authority, regions: [...new Set(regions)] }
}

const NOT_ITS_REGION =
  'regions holds one that the health authority may not publish in: name its own, or none.'

/** Handles one submission by the earlier API; see {@link earlierReplyBody} for what it is told of the reply. */
export function publishV1alpha1(
  context: PublishContext,
  body: Uint8Array,
  userAgent: string,
): Promise<PublishReply> {
  return publish(context, PUBLISH_V1ALPHA1, body, userAgent)
}

/**
 * A reply's body as the earlier API has it: no codes, sentences that name the fields of its own requests, and no field left
 * out but for warnings.
 */
export function earlierReplyBody({
  code: _code,
  subCode: _subCode,
  revisionToken = '',
  insertedExposures = 0,
  error = '',
  ...rest
}: PublishReplyBody): PublishReplyBody {
  return {
    revisionToken,
    insertedExposures,
    error: error.replaceAll('healthAuthorityID', 'appPackageName'),
    ...rest,
  }
}
