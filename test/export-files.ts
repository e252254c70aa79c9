// Test helper: signed export files, good ones and ones that are wrong in one way each; promises real signatures.

import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import {
  encodeExportKeys,
  encodeExportStart,
  type ExportHeader,
  type ExportKey,
} from '../src/format/gaen-export.ts'
import {
  encodeSignatureList,
  SIGNATURE_ALGORITHM,
  type ExportSignature,
} from '../src/format/gaen-signature.ts'
import { ZipWriter } from '../src/format/zip.ts'

/** A signing key with the name that its signatures give it. */
export interface TestSigner {
  readonly keyId: string
  readonly keyVersion: string
  readonly privateKey: KeyObject
  /** PEM. */
  readonly publicKey: string
}

export function makeSigner(keyId = '310', keyVersion = 'v1'): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { keyId, keyVersion, privateKey, publicKey: pem }
}

/** 2026-03-10T08:00:00Z, in Unix seconds. */
export const EXPORT_START = 1_773_129_600
/** The last day whose keys were out of use by then. */
export const EXPORT_DAY = Math.floor(EXPORT_START / 86_400) * 144 - 144

/** A key of that day; the number becomes its first bytes, so that numbers sort as keys do. */
export function exportKey(number: number, fields: Partial<ExportKey> = {}): ExportKey {
  const keyData = new Uint8Array(16).fill(0x5a)
  new DataView(keyData.buffer).setUint32(0, number)
  return {
    keyData,
    transmissionRisk: 0,
    rollingStart: EXPORT_DAY,
    rollingPeriod: 144,
    reportType: 1,
    daysSinceOnset: 2,
    ...fields,
  }
}

/** What to put into an export; everything has a default that is right. */
export interface TestExport {
  readonly keys?: readonly ExportKey[]
  readonly revisedKeys?: readonly ExportKey[]
  readonly header?: Partial<ExportHeader>
  readonly signers?: readonly TestSigner[]
  /** Changes export.bin before it is signed. */
  readonly changeBin?: (bin: Uint8Array) => Uint8Array
  /** Changes each signature after it was made. */
  readonly changeSignature?: (signature: ExportSignature) => ExportSignature
}

/** The entries of an export. */
export function makeEntries(content: TestExport = {}): { bin: Uint8Array; sig: Uint8Array } {
  const { signers = [], changeBin = same, changeSignature = same } = content
  const header = {
    startTimestamp: EXPORT_START,
    endTimestamp: EXPORT_START + 3_600,
    region: 'US',
    batchNum: 1,
    batchSize: 1,
    signatureInfos: signers.map(infoOf),
    ...content.header,
  }
  const bin = changeBin(
    new Uint8Array(
      Buffer.concat([
        encodeExportStart(header),
        encodeExportKeys(content.keys ?? [exportKey(1), exportKey(2)], 'keys'),
        encodeExportKeys(content.revisedKeys ?? [], 'revisedKeys'),
      ]),
    ),
  )
  const signatures = signers.map((signer) =>
    changeSignature({
      signatureInfo: infoOf(signer),
      batchNum: header.batchNum,
      batchSize: header.batchSize,
      signature: sign('sha256', bin, signer.privateKey),
    }),
  )
  return { bin, sig: encodeSignatureList(signatures) }
}

/** An export file. */
export function makeExport(content: TestExport): Uint8Array {
  const { bin, sig } = makeEntries(content)
  return makeZip({ 'export.bin': bin, 'export.sig': sig })
}

/** A zip of these entries. */
export function makeZip(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const pieces: Uint8Array[] = []
  const zip = new ZipWriter((piece) => pieces.push(piece))
  for (const [name, bytes] of Object.entries(entries)) {
    zip.startEntry(name, deflater())
    zip.append(bytes)
    zip.endEntry()
  }
  zip.finish()
  return new Uint8Array(Buffer.concat(pieces))
}

/** Compresses everything at the end: files of tests are small. */
function deflater() {
  const pieces: Uint8Array[] = []
  return {
    push(chunk: Uint8Array, final: boolean): Uint8Array[] {
      pieces.push(chunk)
      return final ? [deflateRawSync(Buffer.concat(pieces))] : []
    },
  }
}

function infoOf({ keyId, keyVersion }: TestSigner) {
  return {
    verificationKeyId: keyId,
    verificationKeyVersion: keyVersion,
    signatureAlgorithm: SIGNATURE_ALGORITHM,
  }
}

function same<Value>(value: Value): Value {
  return value
}
