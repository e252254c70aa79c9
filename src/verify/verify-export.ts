// Verify: one export file, from zip to keys; promises that no key is handed on before a trusted signature over all of them was checked.

import { startSha256 } from '#digest'
import { encodeHex } from '../format/bytes.ts'
import { FormatError } from '../format/format-error.ts'
import { readExport, type ExportEntry, type ExportHeader } from '../format/gaen-export.ts'
import { decodeSignatureList, type ExportSignature } from '../format/gaen-signature.ts'
import { isPlainName } from '../format/printable.ts'
import { extractEntry, findEntry, listZip, streamEntry } from '../format/read-zip.ts'
import { checkContents } from './check-keys.ts'
import {
  checkSignatures,
  findSignatureOddities,
  type CheckedSignature,
} from './check-signatures.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { loadTrustedKeys, type LoadedKey, type TrustedKey } from './trusted-keys.ts'
import { VerificationError, type Finding } from './verification-error.ts'

/** An export that a trusted key has signed and whose keys keep the rules. */
export interface VerifiedExport {
  readonly header: ExportHeader
  /** How many. */
  readonly keys: number
  readonly revisedKeys: number
  readonly signatures: readonly CheckedSignature[]
  /** SHA-256 of export.bin, in hexadecimal digits: the zip around it is not signed. */
  readonly digest: string
  /** What is odd, though nothing that makes the file invalid. */
  readonly findings: readonly Finding[]
  /**
   * The keys, one by one, decompressed anew with each call, so that a file never lies in memory as a whole: leave the zip's bytes
   * as they are until then.
   */
  entries(): Generator<ExportEntry, unknown>
}

/**
 * Verifies an export file: a zip of export.bin and export.sig.
 *
 * @throws VerificationError
 */
export async function verifyExport(
  zip: Uint8Array,
  trustedKeys: readonly TrustedKey[],
  limits: Partial<Limits> = {},
): Promise<VerifiedExport> {
  return verifyExportWith(zip, await loadTrustedKeys(trustedKeys), {
    ...DEFAULT_LIMITS,
    ...limits,
  })
}

/** As {@link verifyExport}, with keys that were loaded before. */
export function verifyExportWith(
  zip: Uint8Array,
  keys: readonly LoadedKey[],
  limits: Limits,
): VerifiedExport {
  return asVerification(() => {
    const { open, signatureList, findings } = unpack(zip, limits)
    const digest = digestOf(open())
    const signatures = checkTrust(digest, signatureList, keys)
    const contents = checkContents(open, limits.maxKeys)
    checkBatch(contents.header, signatureList)
    // Only now: untrusted is what is well-formed, and broken is what no phone should believe, whoever signed it.
    if (signatures instanceof VerificationError) throw signatures
    return {
      ...contents,
      signatures,
      digest: encodeHex(digest),
      findings: [
        ...findings,
        ...contents.findings,
        ...findSignatureOddities(signatures, contents.header.signatureInfos),
      ],
      entries() {
        if (zip.length === 0)
          throw new RangeError('the file was given back: read its keys before the next event')
        return readExport(open())
      },
    }
  })
}

/** What a broken file is called here. */
export function asVerification<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof FormatError)
      throw new VerificationError(error.code, error.message, { cause: error })
    throw error
  }
}

/** Signatures of which one is trusted, or why none is. @throws VerificationError `signature_invalid` */
function checkTrust(
  digest: Uint8Array,
  signatureList: readonly ExportSignature[],
  keys: readonly LoadedKey[],
): CheckedSignature[] | VerificationError {
  try {
    return checkSignatures(digest, signatureList, keys)
  } catch (error) {
    if (error instanceof VerificationError && error.verdict === 'untrusted') return error
    throw error
  }
}

function digestOf(pieces: Iterable<Uint8Array>): Uint8Array {
  const hash = startSha256()
  for (const piece of pieces) hash.update(piece)
  return hash.digest()
}

const BIN = 'export.bin'
const SIG = 'export.sig'
// A signature has 150 bytes.
const MAX_SIG_BYTES = 16_384

/** The parts of a file that nobody believes yet. */
export interface UnpackedExport {
  /** export.bin from its beginning, in pieces. */
  open(): Iterable<Uint8Array>
  readonly signatureList: readonly ExportSignature[]
  readonly findings: readonly Finding[]
}

/** Takes a zip apart. @throws VerificationError, FormatError */
export function unpack(zip: Uint8Array, limits: Limits): UnpackedExport {
  if (zip.length > limits.maxFileBytes)
    throw new VerificationError(
      'file_too_large',
      `The file has more than ${limits.maxFileBytes} bytes.`,
    )
  const entries = listZip(zip)
  const [bin, sig] = [findEntry(entries, BIN), findEntry(entries, SIG)]
  const signatureList = decodeSignatureList(extractEntry(sig, MAX_SIG_BYTES))
  const findings = entries
    .filter((entry) => entry !== bin && entry !== sig)
    .map(({ name }): Finding => ({
      code: 'entry_unknown',
      sentence: `The zip has an entry ${isPlainName(name) ? `"${name}"` : 'with an odd name'} that phones don't read.`,
    }))
  return { open: () => streamEntry(bin, limits.maxExportBytes), signatureList, findings }
}

/** A signature that leaves the batch out says nothing; one that names it must name the file's. */
function checkBatch(header: ExportHeader, signatures: readonly ExportSignature[]): void {
  for (const { batchNum, batchSize } of signatures)
    if (
      (batchNum !== 0 || batchSize !== 0) &&
      (batchNum !== header.batchNum || batchSize !== header.batchSize)
    )
      throw new VerificationError(
        'batch_inconsistent',
        `export.bin says that it is ${header.batchNum} of ${header.batchSize}, a signature that it is ${batchNum} of ${batchSize}.`,
      )
}
