// Authorize: the shapes of its requests for the OpenAPI document; promises to say what their parsers take.

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

/** A request whose unknown fields are passed over. */
const tolerant = object

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
    phone: {
      type: 'string',
      description: 'Who is sent the code, where the realm sends texts; needed for user-report',
    },
    smsTemplateLabel: {
      type: 'string',
      description: "Which of the realm's texts; `default` when left out",
    },
    uuid: { type: 'string', format: 'uuid', description: 'Chosen by the caller; used once' },
    externalIssuerID: { type: 'string', maxLength: 255, description: 'Who asked, to the caller' },
    onlyGenerateSMS: {
      type: 'boolean',
      default: false,
      description:
        'The text comes back as generatedSMS, where the realm allows it; the caller sends it',
    },
  }),
  reply: object(['uuid', 'code', 'expiresAt', 'expiresAtTimestamp'], {
    uuid: { type: 'string', format: 'uuid' },
    code: { type: 'string', description: 'Its short form: 6 to 10 digits' },
    expiresAt: { type: 'string', description: 'As in RFC 1123' },
    expiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
    longExpiresAt: { type: 'string', description: 'As in RFC 1123' },
    longExpiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
    generatedSMS: { type: 'string', description: 'With onlyGenerateSMS' },
    phone: { type: 'string', description: 'With onlyGenerateSMS: E.164' },
  }),
}

/** POST /api/batch-issue */
export const issueSeveralSchemas: AddressSchemas = {
  request: request(['codes'], {
    codes: { type: 'array', maxItems: 10, items: issueSchemas.request },
  }),
  reply: object(['codes'], {
    codes: { type: 'array', items: { anyOf: [issueSchemas.reply, refusalSchema] } },
    error: { type: 'string', description: 'How many were refused, when any was' },
    errorCode: { type: 'string', description: 'Of the first that was refused' },
  }),
}

const UUID_ALONE = request(['uuid'], { uuid: { type: 'string', format: 'uuid' } })
const TIMES: Readonly<Record<string, Schema>> = {
  expiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
  longExpiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
}

/** POST /api/checkcodestatus */
export const statusSchemas: AddressSchemas = {
  request: UUID_ALONE,
  reply: object(['claimed'], { claimed: { type: 'boolean' }, ...TIMES }),
}

/** POST /api/expirecode */
export const expireSchemas: AddressSchemas = {
  request: UUID_ALONE,
  reply: object([], { uuid: { type: 'string', format: 'uuid' }, ...TIMES }),
}

/** POST /api/user-report */
export const userReportSchemas: AddressSchemas = {
  request: tolerant(['phone', 'nonce'], {
    symptomDate: { ...DATE, description: 'First symptoms' },
    testDate: { ...DATE, description: 'The test' },
    tzOffset: { type: 'number', default: 0, description: 'Minutes' },
    phone: { type: 'string', description: 'Who is sent the code' },
    nonce: { type: 'string', description: '256 random bytes in base64: the code is bound to them' },
  }),
  reply: object(['expiresAt', 'expiresAtTimestamp'], {
    expiresAt: { type: 'string', description: 'As in RFC 1123' },
    expiresAtTimestamp: { type: 'integer', description: 'Unix seconds' },
  }),
}

/** POST /api/verify */
export const verifySchemas: AddressSchemas = {
  request: tolerant(['code'], {
    code: { type: 'string', description: 'A short, long or paper code, however it was typed' },
    accept: {
      type: 'array',
      items: { type: 'string', enum: ['confirmed', 'likely', 'negative', 'user-report'] },
      description: 'Test types that the app accepts, each with the stronger ones; all when empty',
    },
    nonce: {
      type: 'string',
      description:
        'Base64; needed for self-reported codes, and gives a phone its own token again for others',
    },
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
  request: tolerant(['token', 'ekeyhmac'], {
    token: { type: 'string', description: 'As POST /api/verify gave it' },
    ekeyhmac: { type: 'string', description: EKEYHMAC },
  }),
  reply: object(['certificate'], {
    certificate: { type: 'string', description: 'A JWT signed with ES256, valid for 15 minutes' },
  }),
}
