// Errors, for every step: the one table of stable codes, each with its HTTP status and the sentence that says what to mend.

/** One row of the table: the HTTP status it is answered with, and what the caller is told. */
interface ErrorRow {
  readonly status: number
  readonly sentence: string
}

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
      'healthAuthorityID is not registered here: check its spelling with the health authority.',
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
  partial_failure: { status: 200, sentence: 'Some keys were not accepted; the others were.' },
  unavailable: {
    status: 503,
    sentence: 'The service is busy or its database is away: try again later.',
  },
  internal_error: { status: 500, sentence: 'Something went wrong here; nothing was changed.' },
  not_found: { status: 404, sentence: 'There is nothing at this address.' },
  // Operating: configuration, database, log.
  configuration_invalid: { status: 500, sentence: 'The configuration has problems.' },
  authority_exists: { status: 409, sentence: 'The health authority is registered already.' },
  authority_unknown: { status: 404, sentence: 'No such health authority is registered.' },
  authority_invalid: {
    status: 400,
    sentence: 'The health authority can not be registered like this.',
  },
  stream_exists: { status: 409, sentence: 'A stream of this name exists already.' },
  stream_unknown: { status: 404, sentence: 'There is no stream of this name.' },
  stream_invalid: { status: 400, sentence: 'The stream can not be made like this.' },
  signing_key_invalid: { status: 500, sentence: 'The signing key can not be used.' },
  store_conflict: {
    status: 500,
    sentence: 'A published file would have changed: nothing was written.',
  },
  schema_newer: { status: 500, sentence: 'The database was migrated by a newer version.' },
  schema_changed: { status: 500, sentence: 'A migration that was applied has changed since.' },
  master_key_missing: { status: 500, sentence: 'The file of the master key is missing.' },
  master_key_wrong: {
    status: 500,
    sentence: 'The master key is not the one that wrapped the secrets.',
  },
  file_mode_unsafe: {
    status: 500,
    sentence: 'A file with a secret may be read by others than its owner.',
  },
  log_invalid: { status: 500, sentence: 'The log does not agree with itself.' },
  usage: { status: 400, sentence: 'The command was called wrongly.' },
  method_not_allowed: { status: 405, sentence: 'This address does not take that method.' },
} as const satisfies Record<string, ErrorRow>

/** A code of the error table. */
export type ErrorCode = keyof typeof ERRORS

/** An error on purpose: a code of the table and, where it helps, a sentence more precise than the table's. */
export class TocsinError extends Error {
  override readonly name = 'TocsinError'
  readonly code: ErrorCode

  /**
   * @param code a code of the table
   * @param sentence what to mend; the table's sentence when left out. Never holds a secret, a key or an address.
   */
  constructor(code: ErrorCode, sentence?: string, options?: ErrorOptions) {
    super(sentence ?? ERRORS[code].sentence, options)
    this.code = code
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return ERRORS[this.code].status
  }
}
