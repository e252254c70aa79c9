// Test: what makes an export file valid: every way in which one can be wrong has its code, and no key leaves a wrong one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  EXPORT_START,
  exportKey,
  makeEntries,
  makeExport,
  makeSigner,
  makeZip,
  type TestExport,
} from '../../test/export-files.ts'
import { concatBytes } from '../format/bytes.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import { encodeSignatureList, type ExportSignature } from '../format/gaen-signature.ts'
import type { Limits } from './limits.ts'
import type { TrustedKey } from './trusted-keys.ts'
import { VerificationError, type VerificationProblem } from './verification-error.ts'
import { verifyExport } from './verify-export.ts'

const signer = makeSigner()
const stranger = makeSigner('999', 'v9')
const trusted: TrustedKey = { publicKey: signer.publicKey, keyId: '310', keyVersion: 'v1' }
const nameless: TrustedKey = { publicKey: signer.publicKey }

async function refuses(
  zip: Uint8Array,
  code: VerificationProblem,
  what: string,
  keys: readonly TrustedKey[] = [trusted],
  limits: Partial<Limits> = {},
): Promise<VerificationError> {
  try {
    await verifyExport(zip, keys, limits)
  } catch (error) {
    assert.ok(error instanceof VerificationError, `${what}: ${error}`)
    assert.equal(error.code, code, `${what}: ${error.message}`)
    assert.match(error.message, /^\S.*[.)]$/s, 'a whole sentence')
    return error
  }
  return assert.fail(`${what}: the file was taken for valid`)
}

async function findingsOf(content: TestExport, keys: readonly TrustedKey[] = [trusted]) {
  const { findings } = await verifyExport(makeExport({ signers: [signer], ...content }), keys)
  return findings.map(({ code }) => code)
}

test('a signed export gives its keys, its revised keys and what it says of itself', async () => {
  const keys = [exportKey(1), exportKey(2, { rollingPeriod: 90, transmissionRisk: 8 })]
  const revisedKeys = [exportKey(7, { reportType: 5 })]
  const zip = makeExport({ signers: [signer], keys, revisedKeys })
  for (const key of [trusted, nameless, { ...trusted, keyVersion: undefined }]) {
    const verified = await verifyExport(zip, [key])
    assert.equal(verified.header.region, 'US')
    assert.deepEqual([verified.keys, verified.revisedKeys], [2, 1])
    assert.deepEqual(
      [...verified.entries()],
      [
        ...keys.map((each) => ({ list: 'keys', key: each })),
        ...revisedKeys.map((each) => ({ list: 'revisedKeys', key: each })),
      ],
    )
    assert.deepEqual(verified.findings, [])
  }
})

test('without a trusted key that can be used, nothing is verified', async () => {
  const zip = makeExport({ signers: [signer] })
  const weak = makeSigner().publicKey.replace('A', 'B')
  await refuses(zip, 'trusted_key_invalid', 'no key', [])
  for (const publicKey of ['', 'AAAA', weak, signer.publicKey.replace('PUBLIC', 'PRIVATE')])
    await refuses(zip, 'trusted_key_invalid', publicKey, [{ publicKey }, trusted])
})

test('a file of somebody else is not trusted', async () => {
  const other = { publicKey: stranger.publicKey }
  const zip = makeExport({ signers: [signer] })
  const error = await refuses(zip, 'signature_not_trusted', 'another key', [other])
  assert.equal(error.verdict, 'untrusted')
  for (const key of [
    { ...trusted, keyId: '311' },
    { ...trusted, keyVersion: 'v2' },
  ])
    await refuses(zip, 'signature_not_trusted', 'the key under another name', [key])
  const unsigned = await refuses(makeExport({}), 'signature_missing', 'no signature')
  assert.equal(unsigned.verdict, 'untrusted')
})

test('a byte that was changed after signing makes the file invalid, wherever it is', async () => {
  const { bin, sig } = makeEntries({ signers: [signer] })
  for (let index = 0; index < bin.length; index++) {
    const changed = bin.slice()
    changed[index] = (changed[index] as number) ^ 0x01
    const zip = makeZip({ 'export.bin': changed, 'export.sig': sig })
    await assert.rejects(verifyExport(zip, [trusted]), VerificationError, `byte ${index}`)
    await assert.rejects(verifyExport(zip, [nameless]), VerificationError, `byte ${index}`)
  }
  const region = bin.slice()
  region[bin.indexOf('U'.charCodeAt(0))] = 'C'.charCodeAt(0)
  const zip = makeZip({ 'export.bin': region, 'export.sig': sig })
  const error = await refuses(zip, 'signature_invalid', 'another region')
  assert.equal(error.verdict, 'invalid')
  // Without the name of the key, a wrong signature can't be told from another key's.
  await refuses(zip, 'signature_not_trusted', 'another region', [nameless])
})

test('a signature that is no DER, or one of too many, is invalid', async () => {
  const trailing = (each: ExportSignature) => ({
    ...each,
    signature: concatBytes([each.signature, Uint8Array.of(0)]),
  })
  const zip = makeExport({ signers: [signer], changeSignature: trailing })
  await refuses(zip, 'signature_invalid', 'a byte behind the signature')
  await refuses(zip, 'signature_invalid', 'a byte behind the signature', [nameless])
  const crowd = makeExport({ signers: Array.from({ length: 21 }, () => signer) })
  await refuses(crowd, 'signature_invalid', '21 signatures')
})

test('one trusted signature is enough; what the others are worth is remarked on', async () => {
  const wrong = makeSigner('310', 'v1')
  const verified = await verifyExport(makeExport({ signers: [stranger, wrong, signer] }), [trusted])
  assert.deepEqual(
    verified.signatures.map(({ verdict }) => verdict),
    ['unknown', 'wrong', 'trusted'],
  )
  assert.deepEqual(
    verified.findings.map(({ code }) => code),
    ['signature_unknown', 'signature_wrong'],
  )
  const both = [trusted, { publicKey: wrong.publicKey, keyId: '310', keyVersion: 'v1' }]
  const rotated = await verifyExport(makeExport({ signers: [wrong, signer] }), both)
  assert.deepEqual(
    rotated.signatures.map(({ verdict }) => verdict),
    ['trusted', 'trusted'],
  )
})

test('a container that is wrong is refused with its own code', async () => {
  const { bin, sig } = makeEntries({ signers: [signer] })
  await refuses(bin, 'zip_malformed', 'export.bin without a zip')
  await refuses(makeZip({ 'export.bin': bin }), 'zip_entry_missing', 'no signature entry')
  await refuses(makeZip({ 'export.sig': sig }), 'zip_entry_missing', 'no export.bin')
  const zip = makeZip({ 'export.bin': bin, 'export.sig': sig })
  await refuses(zip, 'file_too_large', 'a large file', [trusted], { maxFileBytes: zip.length - 1 })
  const oneTooMany = { maxExportBytes: bin.length - 1 }
  await refuses(zip, 'zip_too_large', 'a large export.bin', [trusted], oneTooMany)
  const long = makeZip({ 'export.bin': bin, 'export.sig': new Uint8Array(16_385) })
  await refuses(long, 'zip_too_large', 'a large export.sig')
  const noList = makeZip({ 'export.bin': bin, 'export.sig': Uint8Array.of(0x0a, 0xff) })
  await refuses(noList, 'protobuf_malformed', 'a broken list of signatures')
})

test('an export.bin that is wrong is refused although it is signed', async () => {
  const sign = (content: TestExport) => makeExport({ signers: [signer], ...content })
  const lower = (bin: Uint8Array) => concatBytes([Uint8Array.of(0x65), bin.subarray(1)])
  await refuses(sign({ changeBin: lower }), 'header_wrong', 'another beginning')
  const cut = (bin: Uint8Array) => bin.slice(0, -1)
  await refuses(sign({ changeBin: cut }), 'protobuf_malformed', 'a key that ends early')
  const still = { endTimestamp: EXPORT_START }
  await refuses(sign({ header: still }), 'window_invalid', 'a time span without length')
  for (const batch of [
    { batchNum: 0, batchSize: 1 },
    { batchNum: 2, batchSize: 1 },
    { batchNum: -1, batchSize: -1 },
  ])
    await refuses(sign({ header: batch }), 'batch_inconsistent', JSON.stringify(batch))
  const other = (each: ExportSignature) => ({ ...each, batchNum: 2, batchSize: 2 })
  await refuses(
    sign({ changeSignature: other }),
    'batch_inconsistent',
    'another batch in export.sig',
  )
})

test('a key that breaks a rule makes the file invalid although it is signed', async () => {
  const last = Math.floor((2 ** 32 - 1) / 600)
  const wrong: [VerificationProblem, Partial<ExportKey>][] = [
    ['key_length_wrong', { keyData: new Uint8Array(15) }],
    ['key_length_wrong', { keyData: new Uint8Array(17) }],
    ['key_length_wrong', { keyData: new Uint8Array() }],
    ['rolling_start_wrong', { rollingStart: 0 }],
    ['rolling_start_wrong', { rollingStart: -1 }],
    ['rolling_start_wrong', { rollingStart: last + 1 }],
    ['rolling_period_wrong', { rollingPeriod: 0 }],
    ['rolling_period_wrong', { rollingPeriod: 145 }],
    ['rolling_period_wrong', { rollingPeriod: -1 }],
    ['transmission_risk_wrong', { transmissionRisk: 9 }],
    ['transmission_risk_wrong', { transmissionRisk: -1 }],
    ['report_type_wrong', { reportType: 6 }],
    ['report_type_wrong', { reportType: -1 }],
  ]
  for (const [code, fields] of wrong) {
    const keys = [exportKey(1), exportKey(2, fields)]
    const inKeys = makeExport({ signers: [signer], keys })
    const error = await refuses(inKeys, code, JSON.stringify(fields))
    assert.match(error.message, /^keys\[1\] /)
    const revised = makeExport({ signers: [signer], revisedKeys: [exportKey(2, fields)] })
    const other = await refuses(revised, code, JSON.stringify(fields))
    assert.match(other.message, /^revisedKeys\[0\] /)
  }
})

test('a broken file is invalid, also when a stranger or nobody signed it', async () => {
  const { bin } = makeEntries({ keys: [exportKey(1)] })
  const wrong: [VerificationProblem, TestExport][] = [
    ['key_length_wrong', { keys: [exportKey(1, { keyData: new Uint8Array(15) })] }],
    ['header_wrong', { changeBin: () => bin.subarray(1) }],
    ['protobuf_malformed', { changeBin: () => bin.slice(0, -1) }],
    ['window_invalid', { header: { endTimestamp: EXPORT_START } }],
    ['batch_inconsistent', { header: { batchNum: 2, batchSize: 1 } }],
  ]
  for (const [code, content] of wrong)
    for (const signers of [[stranger], []]) {
      const error = await refuses(makeExport({ signers, ...content }), code, `${signers.length}`)
      assert.equal(error.verdict, 'invalid')
    }
  const other = (each: ExportSignature) => ({ ...each, batchNum: 2, batchSize: 2 })
  const batch = makeExport({ signers: [stranger], changeSignature: other })
  await refuses(batch, 'batch_inconsistent', 'another batch in export.sig of a stranger')
  const two = makeExport({ signers: [stranger], keys: [exportKey(1), exportKey(2)] })
  await refuses(two, 'too_many_keys', 'keys of a stranger', [trusted], { maxKeys: 1 })
})

test('a file that was changed after signing is called that, whatever else is wrong with it', async () => {
  const keys = [exportKey(1, { keyData: new Uint8Array(15) })]
  const { bin, sig } = makeEntries({ signers: [signer], keys })
  bin[bin.length - 1] = (bin.at(-1) as number) ^ 1
  const zip = makeZip({ 'export.bin': bin, 'export.sig': sig })
  await refuses(zip, 'signature_invalid', 'a wrong key that was changed after signing')
})

test('a signature that is no DER makes the file invalid, whoever is said to have made it', async () => {
  const raw = (each: ExportSignature) => ({ ...each, signature: new Uint8Array(64).fill(7) })
  const zip = makeExport({ signers: [stranger], changeSignature: raw })
  await refuses(zip, 'signature_invalid', 'r and s of a stranger')
  const empty = (each: ExportSignature) => ({ ...each, signature: new Uint8Array() })
  await refuses(
    makeExport({ signers: [stranger], changeSignature: empty }),
    'signature_invalid',
    '',
  )
})

test('a signature over another digest than SHA-256, which the format allows, is not trusted', async () => {
  const zip = makeExport({
    signers: [signer],
    changeSignature: (each) => ({
      ...each,
      signatureInfo: { ...each.signatureInfo, signatureAlgorithm: '1.2.840.10045.4.3.4' },
    }),
  })
  const error = await refuses(zip, 'signature_not_trusted', 'SHA-512')
  assert.equal(error.verdict, 'untrusted')
})

test('a file of more keys than allowed is refused', async () => {
  const zip = makeExport({ signers: [signer], revisedKeys: [exportKey(3)] })
  assert.equal((await verifyExport(zip, [trusted], { maxKeys: 3 })).keys, 2)
  await refuses(zip, 'too_many_keys', 'three keys', [trusted], { maxKeys: 2 })
})

test('a signature that calls its algorithm otherwise, or leaves the batch out, still counts', async () => {
  const loose = (each: ExportSignature) => ({
    ...each,
    batchNum: 0,
    batchSize: 0,
    signatureInfo: { ...each.signatureInfo, signatureAlgorithm: 'ECDSA p-256 SHA-256' },
  })
  assert.deepEqual(await findingsOf({ changeSignature: loose }), ['algorithm_unusual'])
})

test('a file without keys is valid', async () => {
  const verified = await verifyExport(makeExport({ signers: [signer], keys: [] }), [trusted])
  assert.deepEqual([...verified.entries()], [])
})

test('a signature of another file does not fit', async () => {
  const one = makeEntries({ signers: [signer] })
  const other = makeEntries({ signers: [signer], keys: [exportKey(9)] })
  const zip = makeZip({ 'export.bin': one.bin, 'export.sig': other.sig })
  await refuses(zip, 'signature_invalid', 'export.sig of another file')
  const empty = makeZip({ 'export.bin': one.bin, 'export.sig': encodeSignatureList([]) })
  await refuses(empty, 'signature_missing', 'an empty export.sig')
})
