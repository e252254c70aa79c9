// Test: export.bin and export.sig: the bytes that protobufjs makes of the published definition, and read again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EXPORT_SCHEMA } from '../../test/published-files.ts'
import { concatBytes } from './bytes.ts'
import { FormatError } from './format-error.ts'
import {
  decodeExport,
  encodeExportKeys,
  encodeExportStart,
  EXPORT_MAGIC,
  type ExportHeader,
  type ExportKey,
} from './gaen-export.ts'
import { decodeSignatureList, encodeSignatureList } from './gaen-signature.ts'
import type { SignatureInfo } from './signature-info.ts'

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
// Objects as the decoders make them.
const PLAIN = { noNullPrototype: true } as const
const info: fc.Arbitrary<SignatureInfo> = fc.record(
  {
    verificationKeyId: text,
    verificationKeyVersion: text,
    signatureAlgorithm: text,
  },
  PLAIN,
)
const key: fc.Arbitrary<ExportKey> = fc.record(
  {
    keyData: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    transmissionRisk: fc.oneof(fc.nat(8), int32),
    rollingStart: fc.oneof(fc.constant(0), fc.nat(3_000_000), int32),
    rollingPeriod: fc.oneof(fc.constant(144), fc.nat(144), int32),
    reportType: fc.oneof(fc.nat(5), int32),
    daysSinceOnset: fc.oneof(fc.integer({ min: -14, max: 14 }), int32),
  },
  {
    requiredKeys: ['keyData', 'transmissionRisk', 'rollingStart', 'rollingPeriod'],
    ...PLAIN,
  },
)
const keys = fc.array(key, { maxLength: 6 })
const header: fc.Arbitrary<ExportHeader> = fc.record(
  {
    startTimestamp: fc.maxSafeNat(),
    endTimestamp: fc.maxSafeNat(),
    region: text,
    batchNum: int32,
    batchSize: int32,
    signatureInfos: fc.array(info, { maxLength: 3 }),
  },
  PLAIN,
)
const signatures = fc.array(
  fc.record(
    {
      signatureInfo: info,
      batchNum: int32,
      batchSize: int32,
      signature: fc.uint8Array({ maxLength: 80 }),
    },
    PLAIN,
  ),
  { maxLength: 4 },
)

function encode(head: ExportHeader, list: readonly ExportKey[], revised: readonly ExportKey[]) {
  return concatBytes([
    encodeExportStart(head),
    encodeExportKeys(list, 'keys'),
    encodeExportKeys(revised, 'revisedKeys'),
  ])
}

test('an export is byte for byte what protobufjs makes of the published definition', () => {
  fc.assert(
    fc.property(header, keys, keys, (head, list, revised) => {
      const message = EXPORT_SCHEMA.lookupType('TemporaryExposureKeyExport')
      const expected = message
        .encode({
          start_timestamp: head.startTimestamp,
          end_timestamp: head.endTimestamp,
          region: head.region,
          batch_num: head.batchNum,
          batch_size: head.batchSize,
          signature_infos: head.signatureInfos.map(infoMessage),
          keys: list.map(keyMessage),
          revised_keys: revised.map(keyMessage),
        })
        .finish()
      const bytes = encode(head, list, revised)
      assert.deepEqual(bytes.subarray(0, 16), EXPORT_MAGIC)
      assert.deepEqual(bytes.subarray(16), new Uint8Array(expected))
    }),
  )
})

test('an export is read again as it was written', () => {
  fc.assert(
    fc.property(header, keys, keys, (head, list, revised) => {
      assert.deepEqual(decodeExport(encode(head, list, revised)), {
        ...head,
        keys: list,
        revisedKeys: revised,
      })
    }),
  )
})

test('a list of signatures is what protobufjs makes of it, and is read again', () => {
  fc.assert(
    fc.property(signatures, (list) => {
      const bytes = encodeSignatureList(list)
      const expected = EXPORT_SCHEMA.lookupType('TEKSignatureList')
        .encode({
          signatures: list.map(({ signatureInfo, batchNum, batchSize, signature }) => ({
            signature_info: infoMessage(signatureInfo),
            batch_num: batchNum,
            batch_size: batchSize,
            signature,
          })),
        })
        .finish()
      assert.deepEqual(bytes, new Uint8Array(expected))
      assert.deepEqual(decodeSignatureList(bytes), list)
    }),
  )
})

test('whatever the bytes are, they are read or refused with a reason', () => {
  const start = encodeExportStart({
    startTimestamp: 1,
    endTimestamp: 2,
    region: 'US',
    batchNum: 1,
    batchSize: 1,
    signatureInfos: [],
  })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
      for (const read of [
        () => decodeExport(concatBytes([start, tail])),
        () => decodeExport(tail),
        () => decodeSignatureList(tail),
      ])
        try {
          read()
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error))
        }
    }),
    { numRuns: 2_000 },
  )
})

test('a file that does not begin as exports do is refused', () => {
  for (const bytes of [new Uint8Array(), EXPORT_MAGIC.slice(0, 15), new Uint8Array(16)])
    assert.throws(
      () => decodeExport(bytes),
      (error: unknown) => error instanceof FormatError && error.code === 'header_wrong',
    )
})

test('fields of other servers are passed over: bundle, package, variant', () => {
  const bytes = concatBytes([
    EXPORT_MAGIC,
    // SignatureInfo with android_package (2); a key with variant_of_concern (8); a field that nobody has yet (15).
    Uint8Array.of(0x32, 5, 0x12, 1, 0x61, 0x22, 0),
    Uint8Array.of(0x3a, 4, 0x0a, 0, 0x40, 1),
    Uint8Array.of(0x78, 1),
  ])
  const decoded = decodeExport(bytes)
  assert.equal(decoded.signatureInfos.length, 1)
  assert.equal(decoded.keys[0]?.rollingPeriod, 144)
  assert.equal(decoded.keys[0]?.keyData.length, 0)
})

test('a file that names a crowd of signing keys is refused before they fill the memory', () => {
  const crowd = new Uint8Array(2 * 101)
  for (let index = 0; index < crowd.length; index += 2) crowd[index] = 0x32
  assert.throws(
    () => decodeExport(concatBytes([EXPORT_MAGIC, crowd])),
    (error: unknown) => error instanceof FormatError && error.code === 'protobuf_malformed',
  )
})

/** Only what isn't empty, as the encoder has it. */
function infoMessage(each: SignatureInfo) {
  return {
    ...(each.verificationKeyVersion === ''
      ? {}
      : { verification_key_version: each.verificationKeyVersion }),
    ...(each.verificationKeyId === '' ? {} : { verification_key_id: each.verificationKeyId }),
    ...(each.signatureAlgorithm === '' ? {} : { signature_algorithm: each.signatureAlgorithm }),
  }
}

/** Start 0 and period 144 are left out. */
function keyMessage(each: ExportKey) {
  return {
    key_data: each.keyData,
    transmission_risk_level: each.transmissionRisk,
    ...(each.rollingStart === 0 ? {} : { rolling_start_interval_number: each.rollingStart }),
    ...(each.rollingPeriod === 144 ? {} : { rolling_period: each.rollingPeriod }),
    ...(each.reportType === undefined ? {} : { report_type: each.reportType }),
    ...(each.daysSinceOnset === undefined
      ? {}
      : { days_since_onset_of_symptoms: each.daysSinceOnset }),
  }
}
