// Publish: one export file, from keys to zip, as a stream; promises the same bytes for the same keys and signatures, on every machine and version.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Deflate } from 'fflate'
import { encodeExportKeys, encodeExportStart, type ExportKey } from '../format/gaen-export.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../format/gaen-signature.ts'
import { ZipWriter } from '../format/zip.ts'

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
 * Builds an export into a staged file; undefined when there is no key.
 *
 * @param sign makes the signature over the digest of export.bin, or gives the one that was recorded
 */
export async function buildExport(
  description: ExportDescription,
  pages: AsyncIterable<ExportKey[]>,
  sign: (digest: Uint8Array) => Promise<Uint8Array>,
  staged: string,
): Promise<BuiltExport | undefined> {
  const iterator = pages[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done === true) return undefined
  const output = await openOutput(staged)
  try {
    const zip = new ZipWriter((bytes: Uint8Array) => output.write(bytes))
    const signed = createHash('sha256')
    const append = async (bytes: Uint8Array) => {
      signed.update(bytes)
      zip.append(bytes)
      await output.drain()
    }
    zip.startEntry('export.bin', pinnedDeflate())
    await append(encodeExportStart(headerOf(description)))
    let keys = 0
    for (
      let page: IteratorResult<ExportKey[], unknown> = first;
      page.done !== true;
      page = await iterator.next()
    ) {
      keys += page.value.length
      await append(encodeExportKeys(page.value, 'keys'))
    }
    zip.endEntry()
    const { keyId, keyVersion } = description
    const signatures = [{ keyId, keyVersion, signature: await sign(signed.digest()) }]
    zip.startEntry('export.sig', pinnedDeflate())
    zip.append(encodeSignatureList(signatures.map(signatureEntry)))
    zip.endEntry()
    zip.finish()
    return { staged, keys, signatures, ...(await output.finish()) }
  } finally {
    await output.close()
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

/** Deflate in JavaScript, its version pinned: zlib's output differs between versions and processors. */
function pinnedDeflate() {
  let chunks: Uint8Array[] = []
  const deflate = new Deflate({ level: 6 }, (chunk) => chunks.push(chunk))
  return {
    push(chunk: Uint8Array, final: boolean): Uint8Array[] {
      chunks = []
      deflate.push(chunk, final)
      return chunks
    },
  }
}

/** Writes to a file, counts and digests; holds at most what one page gives. */
async function openOutput(path: string) {
  const handle = await open(path, 'w', 0o600)
  const hash = createHash('sha256')
  let size = 0
  let pending: Uint8Array[] = []
  let opened = true
  const drain = async () => {
    const bytes = pending
    pending = []
    for (const chunk of bytes) await handle.writeFile(chunk)
  }
  return {
    drain,
    write(bytes: Uint8Array) {
      hash.update(bytes)
      size += bytes.length
      pending.push(bytes)
    },
    async finish() {
      await drain()
      await handle.sync()
      return { size, digest: hash.digest() as Uint8Array }
    },
    async close() {
      if (opened) await handle.close()
      opened = false
    },
  }
}
