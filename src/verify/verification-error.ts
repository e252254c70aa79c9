// Verify: why files are not believed; promises a stable code and a sentence for each reason.

import type { FormatProblem } from '../format/format-error.ts'

/** Every reason. */
export type VerificationProblem =
  | FormatProblem
  // Trust.
  | 'trusted_key_invalid'
  | 'signature_missing'
  | 'signature_not_trusted'
  | 'signature_invalid'
  // What a file says of itself.
  | 'batch_inconsistent'
  | 'window_invalid'
  // Keys.
  | 'key_length_wrong'
  | 'rolling_start_wrong'
  | 'rolling_period_wrong'
  | 'transmission_risk_wrong'
  | 'report_type_wrong'
  // Feeds.
  | 'index_invalid'
  | 'index_too_large'
  | 'file_too_large'
  | 'file_missing'
  | 'file_repeated'
  | 'name_differs'
  | 'look_too_large'
  | 'too_many_refused'
  | 'download_failed'

/**
 * `untrusted` is well-formed, but not signed by a trusted key; `unavailable` could not be read, so nothing is known;
 * everything else that is wrong is `invalid`.
 */
export type Verdict = 'valid' | 'invalid' | 'untrusted' | 'unavailable'

/** Thrown, or reported, when something is not believed. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
  readonly code: VerificationProblem

  constructor(code: VerificationProblem, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.code = code
  }

  get verdict(): Exclude<Verdict, 'valid'> {
    if (this.code === 'signature_missing' || this.code === 'signature_not_trusted')
      return 'untrusted'
    if (this.code === 'download_failed' || this.code === 'look_too_large') return 'unavailable'
    return 'invalid'
  }
}

/** What is odd about a file that is valid nevertheless. */
export interface Finding {
  readonly code: FindingCode
  readonly sentence: string
}

/** Every oddity. */
export type FindingCode =
  | 'keys_unsorted'
  | 'keys_repeated'
  | 'keys_still_valid'
  | 'onset_out_of_range'
  | 'batch_not_single'
  | 'signature_unknown'
  | 'signature_wrong'
  | 'signature_info_differs'
  | 'signature_name_odd'
  | 'algorithm_unusual'
  | 'entry_unknown'
