// Verify: feeds of contact event numbers; promises that no file is believed without a trusted signature over all of it, and findings where files don't follow one another.

import { startSha256 } from '#digest'
import { encodeHex } from '../format/bytes.ts'
import { decodeSignatureList } from '../format/gaen-signature.ts'
import {
  NUMBER_BYTES,
  NUMBER_INDEX_HEAD,
  parseIndexLine,
  parseNumberFilePath,
  SIGNATURE_SUFFIX,
  type IndexedNumberFile,
  type NumberFile,
} from '../format/number-file.ts'
import { printable } from '../format/printable.ts'
import {
  checkSignatures,
  findSignatureOddities,
  type CheckedSignature,
} from './check-signatures.ts'
import { limitLook, type FeedSource } from './feed-source.ts'
import type { Limits } from './limits.ts'
import type { LoadedKey } from './trusted-keys.ts'
import { VerificationError, type Finding } from './verification-error.ts'
import { asVerification } from './verify-export.ts'

/** A file of numbers that a trusted key has signed. */
export interface VerifiedNumbers extends IndexedNumberFile {
  readonly signatures: readonly CheckedSignature[]
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly digest: string
  readonly findings: readonly Finding[]
}

/** What is found out about a file. */
export type NumbersEvent =
  | { readonly type: 'file'; readonly file: string; readonly numbers: VerifiedNumbers }
  | { readonly type: 'refused'; readonly file: string; readonly error: VerificationError }

/** A file of all that counts may be large; it lies in memory while it is checked. */
const MAX_NUMBER_FILE_BYTES = 2 ** 30
const MAX_NUMBER_LOOK_BYTES = 2 ** 36
// A signature has 150 bytes.
const MAX_SIGNATURE_BYTES = 16_384

/** Whether an index is one of contact event numbers. */
export function isNumberIndex(index: Uint8Array): boolean {
  const head = new TextDecoder().decode(index.subarray(0, NUMBER_INDEX_HEAD.length + 1))
  return head.split('\n', 1)[0] === NUMBER_INDEX_HEAD
}

/**
 * The files that an index lists, in its order.
 *
 * @throws VerificationError `index_invalid`, `index_too_large`
 */
export function readNumberIndex(
  index: Uint8Array,
  limits: Pick<Limits, 'maxIndexBytes' | 'maxIndexFiles'>,
): IndexedNumberFile[] {
  if (index.length > limits.maxIndexBytes)
    throw new VerificationError(
      'index_too_large',
      `The index has more than ${limits.maxIndexBytes} bytes.`,
    )
  const [, ...lines] = new TextDecoder().decode(index).split('\n')
  if (lines.length > limits.maxIndexFiles)
    throw new VerificationError(
      'index_too_large',
      `The index lists more than ${limits.maxIndexFiles} files.`,
    )
  return lines.map((line, at) => {
    const file = parseIndexLine(line)
    if (file !== undefined) return file
    throw new VerificationError(
      'index_invalid',
      `Line ${at + 2} of the index is no file of numbers: ${printable(JSON.stringify(line.slice(0, 80)))}.`,
    )
  })
}

/**
 * Verifies every file that an index of numbers lists.
 *
 * @throws VerificationError `index_invalid`, `index_too_large`; `download_failed` and `look_too_large` in the midst of it
 */
export async function* verifyNumberFeed(
  source: FeedSource,
  index: Uint8Array,
  keys: readonly LoadedKey[],
  limits: Limits,
): AsyncGenerator<NumbersEvent, void> {
  const look = limitLook(source, { maxLookBytes: MAX_NUMBER_LOOK_BYTES })
  const follow = startOrder()
  for (const file of readNumberIndex(index, limits)) {
    const { path } = file
    try {
      const bytes = await look.readFile(path, MAX_NUMBER_FILE_BYTES)
      const signatures = await look.readFile(`${path}${SIGNATURE_SUFFIX}`, MAX_SIGNATURE_BYTES)
      const verified = asVerification(() => verifyNumbers(file, bytes, signatures, keys))
      look.release?.(bytes)
      const numbers = { ...verified, findings: [...verified.findings, ...follow(file)] }
      yield { type: 'file', file: path, numbers }
    } catch (error) {
      const isVerdict = error instanceof VerificationError && error.verdict !== 'unavailable'
      if (!isVerdict) throw error
      yield { type: 'refused', file: path, error }
    }
  }
}

/**
 * Verifies a file of numbers without the index that names it: nothing then says how many numbers it has.
 *
 * @param source where it lies, its signatures beside it
 * @param path of the file there
 * @throws VerificationError
 */
export async function verifyNumbersAlone(
  source: Pick<FeedSource, 'readFile'>,
  path: string,
  keys: readonly LoadedKey[],
): Promise<VerifiedNumbers> {
  const named = nameOfNumbers(path)
  if (named === undefined) throw new Error(`${path} is no name of a file of numbers`)
  const bytes = await source.readFile(path, MAX_NUMBER_FILE_BYTES)
  const list = await source
    .readFile(`${path}${SIGNATURE_SUFFIX}`, MAX_SIGNATURE_BYTES)
    .catch((cause: unknown) => {
      if (!(cause instanceof VerificationError && cause.code === 'file_missing')) throw cause
      throw new VerificationError(
        'signature_missing',
        `The signatures of a file of numbers lie beside it, under its name with ${SIGNATURE_SUFFIX} behind it: fetch that file, too.`,
        { cause },
      )
    })
  const file = { ...named, count: Math.floor(bytes.length / NUMBER_BYTES) }
  return asVerification(() => verifyNumbers(file, bytes, list, keys))
}

/** What the name of a file says, whatever folder it lies in; undefined for any other than that of a file of numbers. */
export function nameOfNumbers(path: string): NumberFile | undefined {
  return parseNumberFilePath(`anywhere/${path.slice(path.lastIndexOf('/') + 1)}`)
}

/**
 * Verifies a file of numbers.
 *
 * @param list of its signatures, as they lie beside it
 * @throws VerificationError, FormatError
 */
export function verifyNumbers(
  file: IndexedNumberFile,
  bytes: Uint8Array,
  list: Uint8Array,
  keys: readonly LoadedKey[],
): VerifiedNumbers {
  const hash = startSha256()
  hash.update(bytes)
  const digest = hash.digest()
  if (bytes.length % NUMBER_BYTES !== 0)
    throw new VerificationError(
      'key_length_wrong',
      `The file has ${bytes.length} bytes, which are no whole numbers of ${NUMBER_BYTES}.`,
    )
  if (bytes.length !== file.count * NUMBER_BYTES)
    throw new VerificationError(
      'name_differs',
      `The file has ${bytes.length / NUMBER_BYTES} numbers, and the index says ${file.count}.`,
    )
  const signatures = checkSignatures(digest, decodeSignatureList(list), keys)
  return {
    ...file,
    signatures,
    digest: encodeHex(digest),
    findings: [...findDisorder(bytes), ...findSignatureOddities(signatures, signatures)],
  }
}

/** Whoever looks a number up by halves relies on the order. */
function findDisorder(bytes: Uint8Array): Finding[] {
  let unsorted = 0
  let repeated = 0
  for (let at = NUMBER_BYTES; at < bytes.length; at += NUMBER_BYTES) {
    let byte = 0
    while (byte < NUMBER_BYTES && bytes[at + byte] === bytes[at + byte - NUMBER_BYTES]) byte++
    if (byte === NUMBER_BYTES) repeated++
    else if ((bytes[at + byte] as number) < (bytes[at + byte - NUMBER_BYTES] as number)) unsorted++
  }
  const findings: Finding[] = []
  if (unsorted > 0)
    findings.push({
      code: 'keys_unsorted',
      sentence: `${unsorted} numbers come behind larger ones: their order may tell who uploaded them.`,
    })
  if (repeated > 0)
    findings.push({ code: 'keys_repeated', sentence: `${repeated} numbers are there twice.` })
  return findings
}

/** What only shows beside the files before: releases follow one another without overlap, and without a gap but for windows without numbers. */
function startOrder(): (file: IndexedNumberFile) => Finding[] {
  let covered: number | undefined
  let last: IndexedNumberFile | undefined
  return (file) => {
    if (file.kind === 'whole') {
      // It covers what went before.
      covered = Math.max(covered ?? file.end, file.end)
      return []
    }
    if (file.kind === 'removed') return []
    const isSame = last?.start === file.start && last.end === file.end
    const before = covered
    last = file
    covered = Math.max(before ?? file.end, file.end)
    if (isSame || before === undefined) return []
    const span = `from ${time(file.start)} to ${time(file.end)}`
    if (file.start < before && file.end <= before)
      return [
        { code: 'window_overlap', sentence: `The time ${span} is one that earlier files cover.` },
      ]
    if (file.start > before)
      return [
        {
          code: 'window_gap',
          sentence: `Nothing covers the time from ${time(before)} to ${time(file.start)}: windows without reports give no file, which is odd only where there must have been some.`,
        },
      ]
    return []
  }
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
