// Http: the shapes of uploads of contact event numbers for the OpenAPI document; promises to say what their parsers take.

import { CEN_BYTES, MOST_CENS } from '../format/cen.ts'
import { CHAFF_HEADER, type Schema } from './route.ts'

/** The headers that say why an upload is let in, and where it belongs. */
export const UPLOAD_HEADERS: Schema = {
  type: 'object',
  properties: {
    ...CHAFF_HEADER,
    authorization: {
      type: 'string',
      description: 'Bearer, and a permission number or a certificate over the numbers',
    },
    'x-hmac-key': {
      type: 'string',
      description: "With a certificate: base64 of the secret of its numbers' HMAC",
    },
    'cen-cell': {
      type: 'string',
      pattern: '^[0-9b-hjkmnp-zB-HJKMNP-Z]{1,4}$',
      description: 'Where the numbers are published: a geohash of 1 to 4 characters',
    },
  },
}

/** The body of POST /v1/cens. */
export const CENS_REQUEST: Schema = {
  type: 'string',
  format: 'binary',
  description: `1 to ${MOST_CENS} numbers of ${CEN_BYTES} bytes, one after the other, as application/octet-stream`,
}

/** Its reply; fields that say nothing are left out. */
export const CENS_REPLY: Schema = {
  type: 'object',
  properties: {
    insertedNumbers: { type: 'integer', description: 'How many numbers the report has' },
    error: { type: 'string', description: 'What to mend' },
    code: { type: 'string', description: 'A stable code' },
    subCode: { type: 'string', description: 'What kind of error of this code it is' },
    padding: { type: 'string', description: 'Hides how long the rest is' },
  },
}

/** The body of POST /api/v1/cens/. */
export const CEN_LIST_REQUEST: Schema = {
  type: 'object',
  required: ['cens'],
  properties: {
    cens: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_CENS,
      items: {
        type: 'object',
        required: ['uuid', 'created_at'],
        properties: {
          uuid: { type: 'string', description: '32 hex digits' },
          created_at: { type: 'string', description: 'A time, which is not kept' },
        },
      },
    },
  },
}

/** The body of POST /api/interaction, a form. */
export const STORED_VALUE_REQUEST: Schema = {
  type: 'object',
  required: ['stored_value'],
  properties: {
    stored_value: { type: 'string', description: 'A number: 32 hex digits, a UUID, or base64' },
  },
}
