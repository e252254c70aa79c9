// Format: export.sig of exposure notification, bytes <-> values; promises to read what other servers sign.

import { LENGTH_DELIMITED, ProtobufReader, ProtobufWriter, readTag, VARINT } from './protobuf.ts'
import {
  encodeSignatureInfo,
  NO_SIGNATURE_INFO,
  readSignatureInfo,
  type SignatureInfo,
} from './signature-info.ts'

/** ECDSA with SHA-256 (RFC 5758, section 3.2). */
export const SIGNATURE_ALGORITHM = '1.2.840.10045.4.3.2'

/** One signature (export.proto, TEKSignature). */
export interface ExportSignature {
  readonly signatureInfo: SignatureInfo
  readonly batchNum: number
  readonly batchSize: number
  /** ASN.1 DER, over the SHA-256 of the whole export.bin. */
  readonly signature: Uint8Array
}

/** TEKSignatureList. */
export function encodeSignatureList(signatures: readonly ExportSignature[]): Uint8Array {
  const list = new ProtobufWriter()
  for (const { signatureInfo, batchNum, batchSize, signature } of signatures) {
    const entry = new ProtobufWriter()
    entry.bytes(1, encodeSignatureInfo(signatureInfo))
    entry.tag(2, VARINT)
    entry.varint(batchNum)
    entry.tag(3, VARINT)
    entry.varint(batchSize)
    entry.bytes(4, signature)
    list.bytes(1, entry.finish())
  }
  return list.finish()
}

/** @throws FormatError `protobuf_malformed` */
export function decodeSignatureList(bytes: Uint8Array): ExportSignature[] {
  const reader = new ProtobufReader(bytes)
  const signatures: ExportSignature[] = []
  while (!reader.done) {
    const { field, wireType } = readTag(reader)
    if (field !== 1 || wireType !== LENGTH_DELIMITED) reader.skip(wireType, field)
    else signatures.push(readSignature(reader))
  }
  return signatures
}

function readSignature(reader: ProtobufReader): ExportSignature {
  const { start, end } = reader.delimited()
  const fields = new ProtobufReader(reader.bytes, start, end)
  let signatureInfo = NO_SIGNATURE_INFO
  let batchNum = 0
  let batchSize = 0
  let signature = new Uint8Array()
  while (!fields.done) {
    const { field, wireType } = readTag(fields)
    if (wireType === VARINT && field === 2) batchNum = fields.int32()
    else if (wireType === VARINT && field === 3) batchSize = fields.int32()
    else if (wireType !== LENGTH_DELIMITED || (field !== 1 && field !== 4))
      fields.skip(wireType, field)
    else if (field === 1) signatureInfo = readSignatureInfo(fields, signatureInfo)
    else {
      const bounds = fields.delimited()
      signature = reader.bytes.slice(bounds.start, bounds.end)
    }
  }
  return { signatureInfo, batchNum, batchSize, signature }
}
