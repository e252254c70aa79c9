// Format: what is wrong with bytes; promises a stable code for every way in which a file can be broken.

/** Every reason why bytes are not what they should be. */
export const FORMAT_PROBLEMS = [
  'zip_malformed',
  'zip_too_large',
  'zip_entry_missing',
  'header_wrong',
  'protobuf_malformed',
  'signature_malformed',
  'pem_malformed',
] as const

/** Why bytes are not what they should be. */
export type FormatProblem = (typeof FORMAT_PROBLEMS)[number]

/** Thrown by every decoder. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly code: FormatProblem

  constructor(code: FormatProblem, message: string) {
    super(message)
    this.code = code
  }
}
