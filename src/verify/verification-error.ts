// Verify: why files are not believed; promises a stable code and a sentence for each reason.

import { FORMAT_PROBLEMS } from '../format/format-error.ts'

/** Every reason why files are not believed. */
export const VERIFICATION_PROBLEMS = [
  ...FORMAT_PROBLEMS,
  // Trust.
  'trusted_key_invalid',
  'signature_missing',
  'signature_not_trusted',
  'signature_invalid',
  // What a file says of itself.
  'batch_inconsistent',
  'window_invalid',
  // Keys.
  'key_length_wrong',
  'rolling_start_wrong',
  'rolling_period_wrong',
  'transmission_risk_wrong',
  'report_type_wrong',
  'too_many_keys',
  // Feeds.
  'index_invalid',
  'index_too_large',
  'file_too_large',
  'file_missing',
  'file_repeated',
  'name_differs',
  'look_too_large',
  'too_many_refused',
  'download_failed',
] as const

/** Why a file is not believed. */
export type VerificationProblem = (typeof VERIFICATION_PROBLEMS)[number]

/** Every verdict. */
export const VERDICTS = ['valid', 'invalid', 'untrusted', 'unavailable'] as const

/**
 * `untrusted` is well-formed, but not signed by a trusted key; `unavailable` could not be read, so nothing is known;
 * everything else that is wrong is `invalid`.
 */
export type Verdict = (typeof VERDICTS)[number]

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
export const FINDING_CODES = [
  // Keys of a file.
  'keys_unsorted',
  'keys_repeated',
  'keys_still_valid',
  'keys_in_future',
  'keys_too_old',
  'keys_revoked',
  'onset_out_of_range',
  // What a file says of itself, and who signed it.
  'batch_not_single',
  'signature_unknown',
  'signature_wrong',
  'signature_info_differs',
  'signature_name_odd',
  'algorithm_unusual',
  'entry_unknown',
  // Files of a feed, each beside the others.
  'window_gap',
  'window_overlap',
  'split_incomplete',
  'region_differs',
  'keys_published_before',
  'keys_in_both_lists',
  'revised_not_published',
  'keys_not_compared',
] as const

/** What is odd. */
export type FindingCode = (typeof FINDING_CODES)[number]
