// Publish: one export file, from keys to zip, as a stream; promises the same bytes for the same keys and signatures, on every machine and version.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { storeFailed } from '../distribute/store-error.ts'
import { encodeExportKeys, encodeExportStart, type ExportKey } from '../format/gaen-export.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../format/gaen-signature.ts'
import { ZipWriter } from '../format/zip.ts'
import { pinnedDeflate } from './pinned-deflate.ts'

/** Goes into a release's event: which encoder made its files. Changes with every change of the bytes. */
export const ENCODER_VERSION = 1

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
  readonly keyId: string
  readonly keyVersion: string
}

/** Signs the SHA-256 of export.bin, or gives the signature that was recorded. ASN.1 DER. */
export type SignDigest = (digest: Uint8Array) => Promise<Uint8Array>

/** A file that was made and waits to be published. */
export interface BuiltExport {
  readonly staged: string
  readonly keys: number
  readonly size: number
  /** SHA-256 of the zip. */
  readonly digest: Uint8Array
  readonly signatures: readonly RecordedSignature[]
}

/**
 * Builds an export into a file of its own at `staged`; undefined, and no file, when there is no key.
 *
 * How the keys are cut into pages makes no difference to the bytes.
 *
 * @throws TocsinError `store_failed` when the file can't be written
 */
export async function buildExport(
  description: ExportDescription,
  pages: AsyncIterable<readonly ExportKey[]>,
  sign: SignDigest,
  staged: string,
): Promise<BuiltExport | undefined> {
  let output: ExportOutput | undefined
  try {
    for await (const page of pages) {
      if (page.length === 0) continue
      output ??= await openExport(description, staged)
      await output.append(page)
    }
    return await output?.finish(sign)
  } finally {
    await output?.close()
  }
}

/** An export that is being written; holds at most what one page gives. */
interface ExportOutput {
  append(page: readonly ExportKey[]): Promise<void>
  finish(sign: SignDigest): Promise<BuiltExport>
  close(): Promise<void>
}

async function openExport(description: ExportDescription, staged: string): Promise<ExportOutput> {
  const file = await createFile(staged)
  const zip = new ZipWriter((bytes) => file.write(bytes))
  const signed = createHash('sha256')
  let keys = 0
  const append = (bytes: Uint8Array) => {
    signed.update(bytes)
    zip.append(bytes)
  }
  zip.startEntry('export.bin', pinnedDeflate())
  append(encodeExportStart(headerOf(description)))
  return {
    async append(page) {
      keys += page.length
      append(encodeExportKeys(page, 'keys'))
      await file.flush()
    },
    async finish(sign) {
      zip.endEntry()
      const { keyId, keyVersion } = description
      const signatures = [{ keyId, keyVersion, signature: await sign(signed.digest()) }]
      zip.startEntry('export.sig', pinnedDeflate())
      zip.append(encodeSignatureList(signatures.map(signatureEntry)))
      zip.endEntry()
      zip.finish()
      return { staged, keys, signatures, ...(await file.finish()) }
    },
    close: () => file.close(),
  }
}

// Every file of a window says that it is the only one: phones told 1 of 1 do not wait for others.
const ONE_OF_ONE = { batchNum: 1, batchSize: 1 }

function headerOf(description: ExportDescription) {
  const { start, end, region, keyId, keyVersion } = description
  return {
    startTimestamp: start,
    endTimestamp: end,
    region,
    ...ONE_OF_ONE,
    signatureInfos: [infoOf(keyId, keyVersion)],
  }
}

function signatureEntry({ keyId, keyVersion, signature }: RecordedSignature) {
  return { signatureInfo: infoOf(keyId, keyVersion), ...ONE_OF_ONE, signature }
}

function infoOf(verificationKeyId: string, verificationKeyVersion: string) {
  return { verificationKeyId, verificationKeyVersion, signatureAlgorithm: SIGNATURE_ALGORITHM }
}

/** Makes a file, counts and digests what goes into it. */
async function createFile(path: string) {
  // A file that is there belongs to another publisher, whose bytes must not be mixed with these.
  const handle = await open(path, 'wx', 0o600).catch(storeFailed(path))
  const hash = createHash('sha256')
  let size = 0
  let pending: Uint8Array[] = []
  const flush = async () => {
    const bytes = pending
    pending = []
    for (const chunk of bytes) await handle.writeFile(chunk).catch(storeFailed(path))
  }
  return {
    flush,
    write(bytes: Uint8Array) {
      hash.update(bytes)
      size += bytes.length
      pending.push(bytes)
    },
    async finish() {
      await flush()
      await handle.sync().catch(storeFailed(path))
      return { size, digest: hash.digest() as Uint8Array }
    },
    close: () => handle.close(),
  }
}
