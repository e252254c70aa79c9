// Publish: one export file, from keys to zip, as a stream; promises the same bytes for the same keys and signatures, on every machine and version.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { storeFailed } from '../distribute/store-error.ts'
import { Deflate } from '../format/deflate.ts'
import { encodeExportKeys, encodeExportStart } from '../format/gaen-export.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../format/gaen-signature.ts'
import { ZipWriter } from '../format/zip.ts'
import type { KeyPage } from './read-window.ts'

/** Goes into a release's event: which encoder made its files. Changes with every change of the bytes. */
export const ENCODER_VERSION = 3

/** A signature as it is recorded and published. */
export interface RecordedSignature {
  readonly keyId: string
  readonly keyVersion: string
  /** ASN.1 DER. */
  readonly signature: Uint8Array
}

/** What an export file says of itself. */
export interface ExportDescription {
  /** Unix seconds. */
  readonly start: number
  readonly end: number
  readonly region: string
  /** Of those that sign it, in the order of the signatures. */
  readonly keys: readonly SigningKeyName[]
}

/** As phones know a signing key. */
export type SigningKeyName = Pick<RecordedSignature, 'keyId' | 'keyVersion'>

/** Signs the SHA-256 of export.bin with one of the keys, or gives the signature that was recorded. ASN.1 DER. */
export type SignDigest = (digest: Uint8Array, key: SigningKeyName) => Promise<Uint8Array>

/** A file that was made and waits to be published. */
export interface BuiltExport {
  readonly staged: string
  readonly keys: number
  readonly revisedKeys: number
  readonly size: number
  /** SHA-256 of the zip. */
  readonly digest: Uint8Array
  readonly signatures: readonly RecordedSignature[]
}

/** An export file that is being written; holds at most what one page gives. */
export interface ExportFile {
  /** Appends keys; those of `keys` come before the first of `revisedKeys`. */
  append(page: KeyPage): Promise<void>
  finish(sign: SignDigest): Promise<BuiltExport>
  /** To be called at the end, also after an error. */
  close(): Promise<void>
}

/**
 * Begins an export in a file of its own at `staged`.
 *
 * How the keys are cut into pages makes no difference to the bytes.
 *
 * @throws TocsinError `store_failed` when the file can't be written, here and later
 */
export async function openExport(
  description: ExportDescription,
  staged: string,
): Promise<ExportFile> {
  const file = await createFile(staged)
  const zip = new ZipWriter((bytes) => file.write(bytes))
  const signed = createHash('sha256')
  const counts = { keys: 0, revisedKeys: 0 }
  const append = (bytes: Uint8Array) => {
    signed.update(bytes)
    zip.append(bytes)
  }
  zip.startEntry('export.bin', new Deflate())
  append(encodeExportStart(headerOf(description)))
  return {
    async append({ list, keys }) {
      counts[list] += keys.length
      append(encodeExportKeys(keys, list))
      await file.keepUp()
    },
    async finish(sign) {
      zip.endEntry()
      const digest = signed.digest()
      const signatures: RecordedSignature[] = []
      for (const { keyId, keyVersion } of description.keys)
        signatures.push({
          keyId,
          keyVersion,
          signature: await sign(digest, { keyId, keyVersion }),
        })
      zip.startEntry('export.sig', new Deflate())
      zip.append(encodeSignatureList(signatures.map(signatureEntry)))
      zip.endEntry()
      zip.finish()
      return { staged, ...counts, signatures, ...(await file.finish()) }
    },
    close: () => file.close(),
  }
}

// Every file of a window says that it is the only one: phones told 1 of 1 do not wait for others.
const ONE_OF_ONE = { batchNum: 1, batchSize: 1 }

function headerOf({ start, end, region, keys }: ExportDescription) {
  return {
    startTimestamp: start,
    endTimestamp: end,
    region,
    ...ONE_OF_ONE,
    signatureInfos: keys.map(infoOf),
  }
}

function signatureEntry({ signature, ...key }: RecordedSignature) {
  return { signatureInfo: infoOf(key), ...ONE_OF_ONE, signature }
}

function infoOf({ keyId, keyVersion }: SigningKeyName) {
  return {
    verificationKeyId: keyId,
    verificationKeyVersion: keyVersion,
    signatureAlgorithm: SIGNATURE_ALGORITHM,
  }
}

/** Bytes that are written at once. */
const WRITE_BYTES = 1 << 18

/** Makes a file, counts and digests what goes into it. */
async function createFile(path: string) {
  // A file that is there belongs to another publisher, whose bytes must not be mixed with these.
  const handle = await open(path, 'wx', 0o600).catch(storeFailed(path))
  const hash = createHash('sha256')
  let size = 0
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let writing: Promise<void> | undefined
  /** Waits for the write before, and begins the next: so that keys are encoded while the disk writes. */
  const flush = async () => {
    await writing
    const bytes = Buffer.concat(pending)
    pending = []
    pendingBytes = 0
    writing = handle.writeFile(bytes).catch(storeFailed(path))
    // Whoever waits for it hears of a failure; until then it is nobody's.
    writing.catch(() => undefined)
  }
  return {
    /** Lets no more pile up than the disk takes. */
    async keepUp() {
      if (pendingBytes >= WRITE_BYTES) await flush()
    },
    write(bytes: Uint8Array) {
      hash.update(bytes)
      size += bytes.length
      pendingBytes += bytes.length
      pending.push(bytes)
    },
    async finish() {
      await flush()
      await writing
      // Made durable when it is put, before it has a public name.
      return { size, digest: hash.digest() as Uint8Array }
    },
    async close() {
      await writing?.catch(() => undefined)
      await handle.close()
    },
  }
}
