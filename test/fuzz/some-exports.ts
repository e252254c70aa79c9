// Fuzzing: a signed export file; promises the same bytes whenever it is made, so that a seed repeats a run.

import { p256 } from '@noble/curves/nist.js'
import { SIGNATURE_ALGORITHM, encodeSignatureList } from '../../src/format/gaen-signature.ts'
import { EXPORT_START, exportKey, makeEntries, makeZip } from '../export-files.ts'
import { keyPairOf } from './certified-request.ts'

const SCALAR = new Uint8Array(32).fill(0x42)
const { publicKey } = keyPairOf(SCALAR)

/** Whom readers of the file trust. */
export const TRUSTED = {
  publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  keyId: '310',
  keyVersion: 'v1',
}

const info = {
  verificationKeyId: TRUSTED.keyId,
  verificationKeyVersion: TRUSTED.keyVersion,
  signatureAlgorithm: SIGNATURE_ALGORITHM,
}

/** An export file of an hour, and what it is made of. */
export function makeExport(hour: number) {
  const start = EXPORT_START + hour * 3_600
  const { bin } = makeEntries({
    keys: [exportKey(hour + 1), exportKey(hour + 2, { transmissionRisk: 3, reportType: 1 })],
    revisedKeys: [exportKey(hour + 3, { daysSinceOnset: -2 })],
    header: { startTimestamp: start, endTimestamp: start + 3_600, signatureInfos: [info] },
  })
  const signature = p256.sign(bin, SCALAR, { format: 'der', lowS: false })
  const sig = encodeSignatureList([{ signatureInfo: info, batchNum: 1, batchSize: 1, signature }])
  const zip = makeZip({ 'export.bin': bin, 'export.sig': sig })
  return { bin, sig, signature, zip, name: `us/${start}-${start + 3_600}-00001.zip` }
}

/** The first hour's file, its entries, and its signature in DER. */
export const { bin: BIN, sig: SIG, signature: SIGNATURE, zip: ZIP } = makeExport(0)
