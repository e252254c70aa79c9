// Submit: the proofs by which an upload is let in, whatever its kind; promises that what came of a code is told in one form.

import type { ErrorCode } from '../errors.ts'

/** A health authority's certificate over what was uploaded. */
export interface CertificateProof {
  readonly proof: 'certificate'
  readonly certificate: string
  /** Base64 of the secret under which the certificate's `tekmac` was made. */
  readonly hmacKey: string
}

/** A code that was swapped for such a certificate on the way. */
export interface SwappedCode extends Omit<CertificateProof, 'proof'> {
  readonly proof: 'code'
  /** In the one form in which it was drawn. */
  readonly code: string
}

/** A code that was not: it does not count, now. The upload is refused like this, unless it repeats one that was accepted. */
export interface RefusedCode {
  readonly proof: 'refused code'
  readonly code: string
  readonly refusal: ErrorCode
  readonly sentence: string
}

/** What came of a code. */
export type PassedCode = SwappedCode | RefusedCode
