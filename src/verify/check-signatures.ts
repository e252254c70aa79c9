// Verify: who signed an export; promises that no key gets past it without a trusted signature over every byte.

import { decodeEcdsaSignature } from '../format/ecdsa-signature.ts'
import { FormatError } from '../format/format-error.ts'
import { SIGNATURE_ALGORITHM, type ExportSignature } from '../format/gaen-signature.ts'
import { isPlainName } from '../format/printable.ts'
import type { SignatureInfo } from '../format/signature-info.ts'
import type { LoadedKey } from './trusted-keys.ts'
import { VerificationError, type Finding } from './verification-error.ts'

/** A signature of a file, and what it is worth: by a trusted key, by one that isn't known, or wrong. */
export interface CheckedSignature extends SignatureInfo {
  readonly verdict: 'trusted' | 'unknown' | 'wrong'
}

// A file is signed with at most 10 keys; each signature costs a look at every byte.
const MAX_SIGNATURES = 20

/** ECDSA with SHA-512 (RFC 5758, section 3.2): the format allows it, nobody uses it. */
const SHA512_ALGORITHM = '1.2.840.10045.4.3.4'

/**
 * Checks the signatures over the whole export.bin.
 *
 * @param digest SHA-256 of it
 * @throws VerificationError `signature_missing`; `signature_invalid` when one that names a trusted key is wrong or none is
 * well-formed; `signature_not_trusted` when they are of other keys, as far as one can tell
 */
export function checkSignatures(
  digest: Uint8Array,
  signatures: readonly ExportSignature[],
  keys: readonly LoadedKey[],
): CheckedSignature[] {
  if (signatures.length === 0)
    throw new VerificationError('signature_missing', 'The file is not signed.')
  if (signatures.length > MAX_SIGNATURES)
    throw new VerificationError(
      'signature_invalid',
      `The file has more than ${MAX_SIGNATURES} signatures.`,
    )
  const checked = signatures.map((signature) => ({
    ...signature.signatureInfo,
    verdict: checkOne(digest, signature, keys),
  }))
  if (checked.some(({ verdict }) => verdict === 'trusted')) return checked
  if (checked.some(({ verdict }) => verdict === 'wrong'))
    throw new VerificationError(
      'signature_invalid',
      'A signature is wrong: the file was changed after it was signed, the trusted key is not the one that the signature names, or it is no ASN.1 DER.',
    )
  throw new VerificationError(
    'signature_not_trusted',
    'No trusted key made any of the signatures: the file is of somebody else, or was changed after it was signed.',
  )
}

function checkOne(
  digest: Uint8Array,
  signature: ExportSignature,
  keys: readonly LoadedKey[],
): CheckedSignature['verdict'] {
  const { verificationKeyId, verificationKeyVersion, signatureAlgorithm } = signature.signatureInfo
  let numbers: Uint8Array
  try {
    // Whoever's it is: what is no signature at all can't be another key's.
    numbers = decodeEcdsaSignature(signature.signature)
  } catch (error) {
    if (error instanceof FormatError) return 'wrong'
    throw error
  }
  if (signatureAlgorithm === SHA512_ALGORITHM) return 'unknown'
  const candidates = keys.filter(
    ({ keyId, keyVersion }) =>
      (keyId ?? verificationKeyId) === verificationKeyId &&
      (keyVersion ?? verificationKeyVersion) === verificationKeyVersion,
  )
  if (candidates.some((key) => key.verify(numbers, digest))) return 'trusted'
  // A key without a name was only tried: the signature may well be another's.
  const named = candidates.some(
    ({ keyId, keyVersion }) => keyId !== undefined || keyVersion !== undefined,
  )
  return named ? 'wrong' : 'unknown'
}

/** What is odd about the signatures of a file that has a trusted one. */
export function findSignatureOddities(
  checked: readonly CheckedSignature[],
  listed: readonly SignatureInfo[],
): Finding[] {
  const findings: Finding[] = []
  for (const [index, info] of checked.entries()) {
    const { verificationKeyId, verificationKeyVersion, signatureAlgorithm } = info
    // export.sig is not signed: what stands there may be anybody's, so a name that nobody would choose is not repeated.
    const isPlain = [verificationKeyId, verificationKeyVersion, signatureAlgorithm].every(
      isPlainName,
    )
    const name = isPlain
      ? `The signature of key "${verificationKeyId}", version "${verificationKeyVersion}",`
      : `Signature ${index + 1}`
    if (!isPlain)
      findings.push({
        code: 'signature_name_odd',
        sentence: `${name} names its key or algorithm with other characters than printable ones, or too many.`,
      })
    if (info.verdict === 'wrong')
      findings.push({ code: 'signature_wrong', sentence: `${name} is wrong; another is right.` })
    if (info.verdict === 'unknown')
      findings.push({ code: 'signature_unknown', sentence: `${name} is of no trusted key.` })
    if (signatureAlgorithm !== SIGNATURE_ALGORITHM)
      findings.push({
        code: 'algorithm_unusual',
        sentence: isPlain
          ? `${name} calls its algorithm "${signatureAlgorithm}", not ${SIGNATURE_ALGORITHM}.`
          : `${name} does not call its algorithm ${SIGNATURE_ALGORITHM}.`,
      })
    if (!listed.some((each) => sameKey(each, info)))
      findings.push({
        code: 'signature_info_differs',
        sentence: `${name} is not among those that export.bin names.`,
      })
  }
  return findings
}

function sameKey(a: SignatureInfo, b: SignatureInfo): boolean {
  return (
    a.verificationKeyId === b.verificationKeyId &&
    a.verificationKeyVersion === b.verificationKeyVersion
  )
}
