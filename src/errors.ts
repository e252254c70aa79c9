// Errors: the one table of stable codes, each with its HTTP status and a sentence; promises that a code never changes its meaning.

import { OPERATING_ERRORS, type ErrorRow } from './operating-errors.ts'

/**
 * Every error that Tocsin reports on purpose. A code never changes its meaning; anything that is not in this table is a
 * defect of ours and is answered as `internal_error`, with its details in the log only.
 */
export const ERRORS = {
  // Requests: submission (codes as existing apps know them).
  bad_request: { status: 400, sentence: 'The request could not be understood.' },
  unsupported_media_type: { status: 415, sentence: 'The content type must be application/json.' },
  request_too_large: { status: 413, sentence: 'The body is larger than this address accepts.' },
  unknown_health_authority_id: {
    status: 401,
    sentence:
      'healthAuthorityID is not accepted here: check its spelling with the health authority.',
  },
  health_authority_verification_certificate_invalid: {
    status: 401,
    sentence: 'The verification certificate was not accepted.',
  },
  missing_revision_token: {
    status: 400,
    sentence: 'A key was uploaded before: send the revision token of that upload.',
  },
  invalid_revision_token: {
    status: 400,
    sentence: 'The revision token does not cover these keys: send the newest one received.',
  },
  invalid_report_type_transition: {
    status: 400,
    sentence: 'A key was uploaded before with another report type, which this one cannot replace.',
  },
  key_metadata_mismatch: {
    status: 400,
    sentence:
      'A key was uploaded before with another rollingStartNumber or rollingPeriod: send it as it was.',
  },
  key_already_revised: {
    status: 400,
    sentence: 'The report type of a key was changed before; it can be changed once only.',
  },
  health_authority_missing_region_config: {
    status: 500,
    sentence:
      'The health authority has no region: its operator must name one, or TOCSIN_DEFAULT_REGION.',
  },
  partial_failure: { status: 200, sentence: 'Some keys were not accepted; the others were.' },
  request_headers_too_large: {
    status: 431,
    sentence: 'The headers are larger than this server accepts.',
  },
  request_timeout: { status: 408, sentence: 'The request took too long to come: send it again.' },
  // Requests: downloads that go on where the last one ended.
  cursor_gone: {
    status: 410,
    sentence:
      'The key that after names is not in the list, or not any more: download the whole list, without after.',
  },
  // Requests: reports of contact event numbers.
  daily_cap_reached: {
    status: 429,
    sentence:
      'Enough reports that nobody vouched for came today: send a code, or try again tomorrow.',
  },
  // Requests: codes, tokens and certificates (codes as existing apps and health systems know them).
  unparsable_request: { status: 400, sentence: 'The request could not be understood.' },
  unauthorized: {
    status: 401,
    sentence: 'The API key was not accepted: send one of the right type as X-API-Key.',
  },
  missing_date: { status: 400, sentence: 'Give symptomDate or testDate.' },
  invalid_date: { status: 400, sentence: 'The date is too early, or in the future.' },
  invalid_test_type: {
    status: 400,
    sentence: 'The test type must be confirmed, likely, negative or user-report.',
  },
  unsupported_test_type: {
    status: 400,
    sentence: 'This test type is not enabled here: use another one.',
  },
  test_type_not_accepted: {
    status: 412,
    sentence:
      'The code is of a test type that the app does not accept: install its newest version.',
  },
  texts_not_offered: {
    status: 400,
    sentence: 'No text messages are sent here: leave phone out and tell the code.',
  },
  phone_number_invalid: {
    status: 400,
    sentence: 'phone is no telephone number: write it with + and the number of the country.',
  },
  sms_failure: { status: 400, sentence: 'The text could not be handed over: try again later.' },
  sms_queue_full: {
    status: 400,
    sentence: 'The text was not sent, as too many are waiting: try again later.',
  },
  uuid_already_exists: {
    status: 409,
    sentence: 'A code was issued under this uuid before: use a new one.',
  },
  card_text_unprintable: {
    status: 400,
    sentence: 'A text for the cards has characters that the fonts lack: write it without them.',
  },
  card_text_too_long: { status: 400, sentence: 'A text does not fit on a card: shorten it.' },
  code_invalid: {
    status: 400,
    sentence:
      'The verification code does not count: check each character; it may have been used before, or not be activated yet.',
  },
  code_expired: { status: 400, sentence: 'The verification code has expired: ask for a new one.' },
  token_invalid: { status: 400, sentence: 'The token was not accepted: verify the code again.' },
  token_expired: {
    status: 400,
    sentence: 'The token has expired, or was used for other keys: ask for a new code.',
  },
  hmac_invalid: { status: 400, sentence: 'ekeyhmac must be 32 bytes in base64.' },
  app_invalid: { status: 400, sentence: 'The mobile app can not be registered like this.' },
  app_unknown: { status: 404, sentence: 'The realm has no mobile app of this name.' },
  signing_key_unknown: { status: 404, sentence: 'The realm has no signing key of this kid.' },
  signing_key_in_use: { status: 409, sentence: 'The signing key is in use: replace it first.' },
  signing_keys_too_many: {
    status: 409,
    sentence: 'The realm has too many signing keys: wait until an old one is gone.',
  },
  too_many_guesses: {
    status: 429,
    sentence: 'Too many codes were wrong: try again after the seconds of Retry-After.',
  },
  claims_unusual: {
    status: 500,
    sentence:
      'Far fewer codes are claimed than usual: see whether codes reach nobody, or phones fail.',
  },
  quota_exceeded: { status: 429, sentence: 'No more codes can be issued today.' },
  code_not_found: { status: 404, sentence: 'The realm has no code of this uuid.' },
  code_used: { status: 400, sentence: 'The code was used already.' },
  bulk_not_offered: {
    status: 400,
    sentence: 'This realm takes one code a request: ask for them one by one.',
  },
  missing_nonce: { status: 400, sentence: 'Send a nonce of 256 random bytes in base64.' },
  missing_phone: { status: 400, sentence: 'Send the phone number that gets the code.' },
  provider_exists: { status: 409, sentence: 'The realm has a provider of this name already.' },
  provider_unknown: { status: 404, sentence: 'The realm has no provider of this name.' },
  provider_invalid: { status: 400, sentence: 'The provider can not be registered like this.' },
  staff_exists: { status: 409, sentence: 'The realm has a member of staff of this name already.' },
  staff_unknown: { status: 404, sentence: 'The realm has no member of staff of this name.' },
  staff_invalid: { status: 400, sentence: 'The member of staff can not be registered like this.' },
  api_key_unknown: { status: 404, sentence: 'The realm has no API key of this prefix.' },
  api_key_invalid: { status: 400, sentence: 'The API key can not be made like this.' },
  batch_invalid: { status: 400, sentence: 'The batch of codes can not be made like this.' },
  batch_unknown: { status: 404, sentence: 'The realm has no batch of this name.' },
  activation_needless: {
    status: 409,
    sentence: 'The codes of this batch work as they are: hand the card over.',
  },
  withdrawal_too_wide: {
    status: 409,
    sentence: 'Other reports would be withdrawn as well: invalidate the codes from now on instead.',
  },
  operator_exists: { status: 409, sentence: 'There is an operator of this name already.' },
  operator_unknown: { status: 404, sentence: 'There is no operator of this name.' },
  operator_invalid: { status: 400, sentence: 'The operator can not be added like this.' },
  report_unknown: { status: 404, sentence: 'No report has this tracking id, or it was erased.' },
  withdrawal_order_unknown: {
    status: 404,
    sentence: 'There is no withdrawal order of this id.',
  },
  // Between the zones: orders to withdraw reports.
  order_invalid: { status: 400, sentence: 'The order was not accepted.' },
  order_unauthorized: {
    status: 401,
    sentence:
      'The order must be signed by a key that counts now, of a health authority that the key server knows with this iss and aud: its operator registers one with tocsin authority add.',
  },
  order_too_old: {
    status: 400,
    sentence: 'The order is older than 30 days, or has expired: sign a new one.',
  },
  order_not_yet_valid: {
    status: 400,
    sentence: 'The order is of a time to come: set the clocks of both servers.',
  },
  key_server_unreachable: {
    status: 503,
    sentence: 'The key server did not take the order; it stays here and is tried again.',
  },
  order_refused: {
    status: 502,
    sentence:
      'The key server refused the order: mend what its code says, then tocsin withdrawal deliver.',
  },
  // Requests: withdrawing, reinstating and amending reports.
  selection_invalid: { status: 400, sentence: "The selection of reports can't be used." },
  correction_invalid: { status: 400, sentence: "The correction can't be made like this." },
  correction_unknown: { status: 404, sentence: 'There is no correction of this id.' },
  correction_id_taken: {
    status: 409,
    sentence: 'Another correction was made under this id before: use a new one.',
  },
  preview_outdated: {
    status: 409,
    sentence: 'What would be corrected has changed since the preview: look at a new one.',
  },
  // Requests of every kind.
  unavailable: {
    status: 503,
    sentence: 'The service is busy or its database is away: try again later.',
  },
  maintenance: { status: 429, sentence: 'Closed for maintenance: please try again later.' },
  internal_error: { status: 500, sentence: 'Something went wrong here; nothing was changed.' },
  not_found: { status: 404, sentence: 'There is nothing at this address.' },
  ...OPERATING_ERRORS,
} as const satisfies Record<string, ErrorRow>

/** A code of the error table. */
export type ErrorCode = keyof typeof ERRORS

/** What an error may say beside its code and its sentence. */
export interface TocsinErrorOptions extends ErrorOptions {
  readonly subCode?: string
  readonly warnings?: readonly string[]
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number
}

/** An error on purpose: a code of the table and, where it helps, a sentence more precise than the table's. */
export class TocsinError extends Error {
  override readonly name = 'TocsinError'
  readonly code: ErrorCode
  /** What kind of error of this code it is: for a caller that must tell them apart. */
  readonly subCode?: string
  /** Sentences beside the error's own. */
  readonly warnings: readonly string[]
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number

  /**
   * @param code a code of the table
   * @param sentence what to mend; the table's sentence when left out. Never holds a secret, a key or an address.
   */
  constructor(code: ErrorCode, sentence?: string, options: TocsinErrorOptions = {}) {
    // The stack of a refusal tells nothing that its code doesn't, and costs more than the rest of the refusal.
    const { stackTraceLimit } = Error
    if (ERRORS[code].status < 500) Error.stackTraceLimit = 0
    super(sentence ?? ERRORS[code].sentence, options)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.warnings = options.warnings ?? []
    if (options.subCode !== undefined) this.subCode = options.subCode
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return ERRORS[this.code].status
  }
}
