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
    warnings: { type: 'array', items: { type: 'string' } },
    padding: { type: 'string' },
  },
}
