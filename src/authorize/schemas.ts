// Authorize: the shapes of its three requests for the OpenAPI document; promises to say what their parsers take.

/** JSON Schema, as OpenAPI 3.1 takes it. */
type Schema = Readonly<Record<string, unknown>>

/** What an address takes and what it gives. Field names of requests count in any letter case. */
interface AddressSchemas {
  readonly request: Schema
  readonly reply: Schema
}

const PADDING: Schema = { type: 'string', description: 'Ignored: hides how long the rest is' }
const DATE: Schema = { type: 'string', format: 'date', description: 'YYYY-MM-DD, UTC' }

function object(required: readonly string[], properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required, properties: { ...properties, padding: PADDING } }
}

function request(
  required: readonly string[],
  properties: Readonly<Record<string, Schema>>,
): Schema {
  return { ...object(required, properties), additionalProperties: false }
}

const EKEYHMAC =
  'Base64 of HMAC-SHA256, under the secret that is sent as hmacKey with the upload, of a text: for each key `key.rollingStartNumber.rollingPeriod.transmissionRisk` with the key in base64 as it is sent, sorted by key, joined by commas; when every risk is 0 the risks may be left out'

/** Every refusal. */
export const refusalSchema: Schema = object(['error', 'errorCode', 'error_code'], {
  error: { type: 'string', description: 'What to mend' },
  errorCode: { type: 'string', description: 'A stable code; empty for an API key not accepted' },
  error_code: { type: 'string', description: 'The same, for older apps' },
})

/** POST /api/issue */
export const issueSchemas: AddressSchemas = {
  request: request(['testType'], {
    testType: { type: 'string', enum: ['confirmed', 'likely', 'negative', 'user-report'] },
    symptomDate: { ...DATE, description: 'First symptoms; this or testDate must be given' },
    testDate: { ...DATE, description: 'The test; this or symptomDate must be given' },
    tzOffset: { type: 'number', default: 0, description: 'Minutes' },
    phone: { type: 'string', description: 'Refused: no text messages are sent' },
    smsTemplateLabel: { type: 'string', description: 'Ignored: no text messages are sent' },
    uuid: { type: 'string', format: 'uuid', description: 'Chosen by the caller; used once' },
    externalIssuerID: { type: 'string', maxLength: 255, description: 'Who asked, to the caller' },
    onlyGenerateSMS: { type: 'boolean', default: false, description: 'Refused when true' },
  }),
  reply: object(['uuid', 'code', 'expiresAt', 'expiresAtTimestamp'], {
    uuid: { type: 'string', format: 'uuid' },
    code: { type: 'string', description: '8 digits' },
    expiresAt: { type: 'string', description: 'As in RFC 1123' },
    expiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
    longExpiresAt: { type: 'string', description: 'As in RFC 1123' },
    longExpiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
  }),
}

/** POST /api/verify */
export const verifySchemas: AddressSchemas = {
  request: request(['code'], {
    code: { type: 'string', description: 'The short or the long form' },
    accept: {
      type: 'array',
      items: { type: 'string', enum: ['confirmed', 'likely', 'negative', 'user-report'] },
      description: 'Test types that the app accepts, each with the stronger ones; all when empty',
    },
    nonce: { type: 'string', description: 'Base64; counts for self-reported codes only' },
  }),
  reply: object(['testtype', 'token'], {
    testtype: { type: 'string', enum: ['confirmed', 'likely', 'negative', 'user-report'] },
    symptomDate: DATE,
    testDate: DATE,
    token: { type: 'string', description: 'For POST /api/certificate, within 24 hours' },
  }),
}

/** POST /api/certificate */
export const certificateSchemas: AddressSchemas = {
  request: request(['token', 'ekeyhmac'], {
    token: { type: 'string', description: 'As POST /api/verify gave it' },
    ekeyhmac: { type: 'string', description: EKEYHMAC },
  }),
  reply: object(['certificate'], {
    certificate: { type: 'string', description: 'A JWT signed with ES256, valid for 15 minutes' },
  }),
}
