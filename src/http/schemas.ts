// Http: the shapes of the publish API for the OpenAPI document; promises to say what its parser takes.

import { LIMITS } from '../submit/validate-keys.ts'
import type { Schema } from './route.ts'

const KEY: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['key', 'rollingStartNumber'],
  properties: {
    key: { type: 'string', description: 'Base64 of 16 bytes, any alphabet, padded or not' },
    rollingStartNumber: { type: 'integer', description: 'Intervals of 10 minutes since the epoch' },
    rollingPeriod: {
      type: 'integer',
      minimum: 1,
      maximum: LIMITS.maxRollingPeriod,
      default: LIMITS.maxRollingPeriod,
    },
    transmissionRisk: {
      type: 'integer',
      minimum: 0,
      maximum: LIMITS.maxTransmissionRisk,
      default: 0,
    },
  },
}

/** The body of POST /v1/publish. Field names count in any letter case. */
export const PUBLISH_REQUEST: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['temporaryExposureKeys', 'healthAuthorityID', 'verificationPayload', 'hmacKey'],
  properties: {
    temporaryExposureKeys: { type: 'array', minItems: 1, maxItems: LIMITS.maxKeys, items: KEY },
    healthAuthorityID: { type: 'string' },
    verificationPayload: {
      type: 'string',
      description: 'The certificate, a JWT signed with ES256',
    },
    hmacKey: { type: 'string', description: 'Base64 of the secret under which tekmac was made' },
    symptomOnsetInterval: { type: 'integer', description: 'Interval of the first symptoms' },
    traveler: { type: 'boolean', default: false },
    revisionToken: {
      type: 'string',
      description: 'The newest token received, when keys are uploaded again',
    },
    padding: { type: 'string', description: 'Ignored: hides how long the rest is' },
  },
}

/** The reply of POST /v1/publish; fields that say nothing are left out. */
export const PUBLISH_REPLY: Schema = {
  type: 'object',
  properties: {
    revisionToken: { type: 'string' },
    insertedExposures: { type: 'integer', description: 'Keys that are new' },
    error: { type: 'string', description: 'What to mend' },
    code: { type: 'string', description: 'A stable code' },
    subCode: {
      type: 'string',
      description: 'A second stable code, with a refused certificate: what kind of fault it has',
    },
    warnings: { type: 'array', items: { type: 'string' } },
    padding: { type: 'string' },
  },
}

const {
  healthAuthorityID: _authority,
  traveler: _traveler,
  hmacKey,
  ...SHARED
} = PUBLISH_REQUEST['properties'] as Readonly<Record<string, Schema>>

/** The body of POST / in the earlier API. Field names count in any letter case. */
export const EARLIER_PUBLISH_REQUEST: Schema = {
  ...PUBLISH_REQUEST,
  required: ['temporaryExposureKeys', 'appPackageName', 'verificationPayload', 'hmackey'],
  properties: {
    ...SHARED,
    hmackey: hmacKey,
    appPackageName: { type: 'string', description: 'What healthAuthorityID is to /v1/publish' },
    regions: {
      type: 'array',
      items: { type: 'string' },
      description:
        "Some of the health authority's, all of them when empty; more than one marks a traveler's keys",
    },
    platform: { type: 'string', description: 'Ignored' },
    deviceVerificationPayload: { type: 'string', description: 'Ignored' },
  },
}

const {
  code: _code,
  subCode: _subCode,
  ...EARLIER_REPLY_FIELDS
} = PUBLISH_REPLY['properties'] as Readonly<Record<string, Schema>>

/** The reply of POST / in the earlier API. */
export const EARLIER_PUBLISH_REPLY: Schema = { type: 'object', properties: EARLIER_REPLY_FIELDS }

const VERDICT: Schema = { type: 'string', enum: ['passed', 'failed', 'not_checked'] }

/** The reply of POST /explain-submission on the operator's port. */
export const EXPLANATION: Schema = {
  type: 'object',
  properties: {
    at: { type: 'string', format: 'date-time' },
    api: { type: 'string' },
    rules: {
      type: 'array',
      description: 'In the order in which a request meets them',
      items: {
        type: 'object',
        properties: {
          rule: { type: 'string' },
          verdict: VERDICT,
          says: { type: 'string' },
          code: { type: 'string' },
          subCode: { type: 'string' },
        },
      },
    },
    keys: {
      type: 'array',
      description: 'In the order in which replies count them',
      items: {
        type: 'object',
        properties: {
          key: { type: 'integer', description: 'Its number in the sentences of replies' },
          sent: { type: 'integer', description: 'Its place in the request, from 0' },
          rollingStart: { type: 'integer' },
          rollingPeriod: { type: 'integer' },
          verdict: { type: 'string' },
          says: { type: 'string' },
          daysSinceOnset: { type: 'integer' },
          transmissionRisk: { type: 'integer' },
          embargoed: { type: 'boolean' },
          availableFrom: { type: 'string', format: 'date-time' },
          known: {
            type: 'object',
            properties: { reportType: { type: 'string' }, revisedTo: { type: 'string' } },
          },
          becomes: { type: 'string' },
        },
      },
    },
    reply: {
      type: 'object',
      description: 'What a phone gets, but for what is secret in it',
      properties: {
        status: { type: 'integer' },
        code: { type: 'string' },
        subCode: { type: 'string' },
        error: { type: 'string' },
        warnings: { type: 'array', items: { type: 'string' } },
        insertedExposures: { type: 'integer' },
        tokenCovers: { type: 'integer', description: 'Keys that its revision token covers' },
        repeats: { type: 'string', description: 'Tracking id of the report that it repeats' },
      },
    },
  },
}
