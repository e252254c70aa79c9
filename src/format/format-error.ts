// Format: what is wrong with bytes; promises a stable code for every way in which a file can be broken.

/** Why bytes are not what they should be. */
export type FormatProblem =
  | 'zip_malformed'
  | 'zip_too_large'
  | 'zip_entry_missing'
  | 'header_wrong'
  | 'protobuf_malformed'
  | 'signature_malformed'
  | 'pem_malformed'

/** Thrown by every decoder. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly code: FormatProblem

  constructor(code: FormatProblem, message: string) {
    super(message)
    this.code = code
  }
}
