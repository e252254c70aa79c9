// Submit: the earlier publish API, POST /; promises the rules and the code path of POST /v1/publish, in the earlier shape.

import { TocsinError } from '../errors.ts'
import { parseJsonObject, readArray, readInteger, readText } from '../operate/read-json.ts'
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
 * `appPackageName` plays the part of healthAuthorityID. More than one region means that the keys are a traveler's; for
 * nothing else do the request's regions count, as the health authority's hold for all of its keys. `platform` and
 * `deviceVerificationPayload` (an attestation of the device) say nothing that a certificate does not vouch for better: they
 * are read and ignored.
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
}

/** Handles one submission by the earlier API; see {@link earlierReplyBody} for what it is told of the reply. */
export function publishV1alpha1(
  context: PublishContext,
  body: Uint8Array,
  userAgent: string,
): Promise<PublishReply> {
  return publish(context, PUBLISH_V1ALPHA1, body, userAgent)
}

/** A reply's body as the earlier API has it: no codes, and sentences that name the fields of its own requests. */
export function earlierReplyBody({
  code: _code,
  subCode: _subCode,
  error,
  ...rest
}: PublishReplyBody): PublishReplyBody {
  return {
    ...rest,
    ...(error === undefined
      ? {}
      : { error: error.replaceAll('healthAuthorityID', 'appPackageName') }),
  }
}
