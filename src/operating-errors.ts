// Operating-errors: the rows of the table of errors that whoever runs Tocsin sees: configuration, database, log, archive; promises what the table promises.

/** One row of the table: the HTTP status it is answered with, and what the caller is told. */
export interface ErrorRow {
  readonly status: number
  readonly sentence: string
}

/** Part of `ERRORS`. */
export const OPERATING_ERRORS = {
  address_unusable: { status: 500, sentence: 'The address to listen on can not be used.' },
  configuration_invalid: { status: 500, sentence: 'The configuration has problems.' },
  authority_exists: { status: 409, sentence: 'The health authority is registered already.' },
  authority_unknown: { status: 404, sentence: 'No such health authority is registered.' },
  authority_invalid: {
    status: 400,
    sentence: 'The health authority can not be registered like this.',
  },
  authority_key_exists: {
    status: 409,
    sentence: 'The health authority has a public key of this kid already.',
  },
  authority_key_repeated: {
    status: 409,
    sentence: 'The health authority has this public key already, under another kid.',
  },
  authority_key_unknown: {
    status: 404,
    sentence: 'The health authority has no public key of this kid.',
  },
  authority_key_not_revoked: { status: 409, sentence: 'The public key is not revoked.' },
  jwks_unusable: {
    status: 502,
    sentence:
      'The public keys of a health authority can not be fetched; those that are known go on counting.',
  },
  realm_exists: { status: 409, sentence: 'A realm of this name exists already.' },
  realm_unknown: { status: 404, sentence: 'There is no realm of this name.' },
  realm_invalid: { status: 400, sentence: 'The realm can not be made like this.' },
  stream_exists: { status: 409, sentence: 'A stream of this name exists already.' },
  stream_unknown: { status: 404, sentence: 'There is no stream of this name.' },
  stream_invalid: { status: 400, sentence: 'The stream can not be made like this.' },
  signing_key_invalid: { status: 500, sentence: 'The signing key can not be used.' },
  publisher_lost: {
    status: 503,
    sentence: 'Another process may publish by now: this one has stopped in time.',
  },
  publisher_busy: { status: 409, sentence: 'Another process publishes: stop it first.' },
  store_conflict: {
    status: 500,
    sentence: 'A published file would have changed: nothing was written.',
  },
  store_failed: {
    status: 500,
    sentence: 'A published file can not be written or read: check the disk and the folder.',
  },
  data_folder_in_use: { status: 500, sentence: 'The data folder is in use by another process.' },
  data_folder_unusable: { status: 500, sentence: 'The data folder can not be used like this.' },
  embedded_database_missing: {
    status: 500,
    sentence: 'The embedded PostgreSQL is not installed for this machine.',
  },
  embedded_database_failed: { status: 500, sentence: 'The embedded PostgreSQL did not start.' },
  database_refused: { status: 500, sentence: 'PostgreSQL refused the login or a right.' },
  login_taken: {
    status: 500,
    sentence: 'A role of the name that a login of Tocsin would have exists already.',
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
  file_not_written: {
    status: 500,
    sentence: 'The file can not be written; one that exists is never overwritten.',
  },
  trusted_key_invalid: { status: 400, sentence: 'The public key can not be used.' },
  target_unreadable: { status: 404, sentence: 'What should be verified can not be read.' },
  archive_empty: { status: 404, sentence: 'There is no archive.' },
  archive_forked: { status: 500, sentence: 'The archive holds events of two logs.' },
  recovery_not_empty: {
    status: 409,
    sentence:
      'The database holds another log already: recover into an empty one, by another TOCSIN_DATABASE_URL or TOCSIN_DATA.',
  },
  recovery_point_invalid: {
    status: 400,
    sentence: 'The log can not be recovered to this point.',
  },
  recovery_point_unreachable: {
    status: 409,
    sentence: 'The archive does not reach back to this point.',
  },
  recovery_archive_occupied: {
    status: 409,
    sentence:
      'The archive of the new log needs a folder of its own: name another one by TOCSIN_ARCHIVE, and keep the old one.',
  },
  recovery_busy: { status: 409, sentence: 'Another process recovers into this database.' },
  secrets_invalid: { status: 400, sentence: 'The backup of secrets can not be read.' },
  recovery_unfinished: {
    status: 503,
    sentence: 'A recovery was interrupted: run tocsin recover again, which goes on where it was.',
  },
  log_invalid: { status: 500, sentence: 'The log does not agree with itself.' },
  archive_failed: { status: 500, sentence: 'The archive can not be written or read.' },
  archive_damaged: { status: 500, sentence: 'An object of the archive is damaged.' },
  archive_identity_wrong: { status: 400, sentence: 'The archive is for another identity.' },
  request_refused: { status: 502, sentence: 'The service refused the request.' },
  usage: { status: 400, sentence: 'The command was called wrongly.' },
  method_not_allowed: { status: 405, sentence: 'This address does not take that method.' },
} as const satisfies Record<string, ErrorRow>
