// Format: which signing key made a signature, as export.bin and export.sig say it; promises to read what other servers leave out.

import { LENGTH_DELIMITED, ProtobufReader, ProtobufWriter, readTag, readText } from './protobuf.ts'

/** Which signing key made a signature (export.proto, SignatureInfo). */
export interface SignatureInfo {
  readonly verificationKeyId: string
  readonly verificationKeyVersion: string
  /** An object identifier. */
  readonly signatureAlgorithm: string
}

/** What a signature says of its key when it says nothing. */
export const NO_SIGNATURE_INFO: SignatureInfo = {
  verificationKeyId: '',
  verificationKeyVersion: '',
  signatureAlgorithm: '',
}

const utf8 = new TextEncoder()

/** Empty fields are left out. */
export function encodeSignatureInfo(info: SignatureInfo): Uint8Array {
  const writer = new ProtobufWriter(64)
  if (info.verificationKeyVersion !== '') writer.bytes(3, utf8.encode(info.verificationKeyVersion))
  if (info.verificationKeyId !== '') writer.bytes(4, utf8.encode(info.verificationKeyId))
  if (info.signatureAlgorithm !== '') writer.bytes(5, utf8.encode(info.signatureAlgorithm))
  return writer.finish()
}

/**
 * The message that the reader stands at.
 *
 * @param before what the same field said before: a message that comes in parts is one
 * @throws FormatError `protobuf_malformed`
 */
export function readSignatureInfo(
  reader: ProtobufReader,
  before: SignatureInfo = NO_SIGNATURE_INFO,
): SignatureInfo {
  const { start, end } = reader.delimited()
  const fields = new ProtobufReader(reader.bytes, start, end)
  const info = { ...before }
  while (!fields.done) {
    const { field, wireType } = readTag(fields)
    if (wireType !== LENGTH_DELIMITED || field < 3 || field > 5) fields.skip(wireType, field)
    else if (field === 3) info.verificationKeyVersion = readText(fields)
    else if (field === 4) info.verificationKeyId = readText(fields)
    else info.signatureAlgorithm = readText(fields)
  }
  return info
}
