// Fuzzing: the formats of files and texts; promises a refusal or a value for all bytes, and that decoding undoes encoding.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { decodeBase64, decodeHex, encodeBase64, encodeHex } from '../../src/format/bytes.ts'
import { decodeEcdsaSignature, encodeEcdsaSignature } from '../../src/format/ecdsa-signature.ts'
import { FormatError } from '../../src/format/format-error.ts'
import {
  decodeExport,
  encodeExportKeys,
  encodeExportStart,
  type DecodedExport,
  type ExportKey,
} from '../../src/format/gaen-export.ts'
import {
  decodeSignatureList,
  encodeSignatureList,
  type ExportSignature,
} from '../../src/format/gaen-signature.ts'
import { decodePem, encodePem } from '../../src/format/pem.ts'
import { isPlainName, printable } from '../../src/format/printable.ts'
import { ProtobufReader, ProtobufWriter, readTag, readText } from '../../src/format/protobuf.ts'
import { tekmacCleartexts } from '../../src/format/tekmac.ts'
import { KEYS } from './certified-request.ts'
import { mutatedBytes, mutatedText } from './mutate.ts'
import { BIN, SIG, SIGNATURE } from './some-exports.ts'
import { hex, target, valueOf } from './target.ts'

const isFormatError = (error: unknown) => error instanceof FormatError

const someBytes = fc.uint8Array({ maxLength: 60 })
const someText = fc.string({ unit: 'grapheme', maxLength: 40 })
const base64Texts = ['', 'AA==', 'AAE=', 'AAEC', '+/+/', '-_-_', 'AAEC\r\nAwQF', 'AAE', 'A']

/** A text that is the same for the same values, whatever kind of array their bytes lie in. */
function spellOut(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return `[${value.map(spellOut).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, each]) => `${name}:${spellOut(each)}`)
  return `{${members.sort().join()}}`
}

const int32 = fc.oneof(fc.integer(), fc.nat(300))
const exportKey: fc.Arbitrary<ExportKey> = fc.record(
  {
    keyData: fc.uint8Array({ maxLength: 20 }),
    transmissionRisk: int32,
    rollingStart: int32,
    rollingPeriod: fc.oneof(fc.constant(144), int32),
    reportType: int32,
    daysSinceOnset: int32,
  },
  { requiredKeys: ['keyData', 'transmissionRisk', 'rollingStart', 'rollingPeriod'] },
)
const signatureInfo = fc.record({
  verificationKeyId: someText,
  verificationKeyVersion: someText,
  signatureAlgorithm: someText,
})
const exported: fc.Arbitrary<DecodedExport> = fc.record({
  startTimestamp: fc.maxSafeNat(),
  endTimestamp: fc.maxSafeNat(),
  region: someText,
  batchNum: int32,
  batchSize: int32,
  signatureInfos: fc.array(signatureInfo, { maxLength: 3 }),
  keys: fc.array(exportKey, { maxLength: 4 }),
  revisedKeys: fc.array(exportKey, { maxLength: 4 }),
})
const signatures: fc.Arbitrary<ExportSignature[]> = fc.array(
  fc.record({ signatureInfo, batchNum: int32, batchSize: int32, signature: someBytes }),
  { maxLength: 3 },
)

function encodeExport(content: DecodedExport): Uint8Array {
  return Buffer.concat([
    encodeExportStart(content),
    encodeExportKeys(content.keys, 'keys'),
    encodeExportKeys(content.revisedKeys, 'revisedKeys'),
  ])
}

/** Ways to go on reading a message of protocol buffers. */
const READS: readonly ((reader: ProtobufReader) => unknown)[] = [
  (reader) => reader.varint(),
  (reader) => reader.int32(),
  (reader) => reader.sint32(),
  (reader) => reader.fixed64(),
  (reader) => reader.delimited(),
  readText,
  (reader) => {
    const { field, wireType } = readTag(reader)
    assert.ok(field >= 1 && field < 2 ** 29)
    reader.skip(wireType)
  },
]

export const formatTargets = [
  target('base64', mutatedText(base64Texts), (text) => {
    const bytes = decodeBase64(text)
    if (bytes === undefined) return
    assert.equal(hex(bytes), Buffer.from(text, 'base64').toString('hex'))
    assert.match(text, /^[\r\n\w+/-]*[=\r\n]*$/)
  }),
  target('base64 and hex there and back', someBytes, (bytes) => {
    const text = encodeBase64(bytes)
    assert.equal(text, Buffer.from(bytes).toString('base64'))
    assert.equal(hex(decodeBase64(text) ?? new Uint8Array(99)), hex(bytes))
    assert.equal(hex(decodeHex(encodeHex(bytes)) ?? new Uint8Array(99)), hex(bytes))
  }),
  target('hex', mutatedText(['00ff', 'AbCd']), (text) => {
    const bytes = decodeHex(text)
    if (bytes !== undefined) assert.equal(encodeHex(bytes), text.toLowerCase())
  }),
  target(
    'protocol buffers',
    fc.tuple(
      mutatedBytes([BIN, SIG]),
      fc.nat(0xffff),
      fc.array(fc.nat(READS.length - 1), { maxLength: 60 }),
    ),
    ([bytes, part, reads]) => {
      // As a message inside another: what lies behind its end is none of its bytes.
      const reader = new ProtobufReader(bytes, 0, part % (bytes.length + 1))
      valueOf(() => {
        for (const each of reads) {
          const before = reader.offset
          READS[each]?.(reader)
          assert.ok(reader.offset > before && reader.offset <= reader.end)
        }
      }, isFormatError)
    },
  ),
  target(
    'numbers of protocol buffers there and back',
    fc.record({ length: fc.maxSafeNat(), int: int32, sint: int32, time: fc.maxSafeNat() }),
    ({ length, int, sint, time }) => {
      const writer = new ProtobufWriter(1)
      writer.varint(length)
      writer.varint(int)
      writer.zigzag(sint)
      writer.fixed64(time)
      const reader = new ProtobufReader(writer.finish())
      const read = [reader.varint(), reader.int32(), reader.sint32(), reader.fixed64()]
      assert.deepEqual([...read, reader.done], [length, int, sint, time, true])
    },
  ),
  target('export.bin', mutatedBytes([BIN]), (bytes) => {
    const content = valueOf(() => decodeExport(bytes), isFormatError)
    if (content === undefined) return
    assert.equal(spellOut(decodeExport(encodeExport(content))), spellOut(content))
  }),
  target('export.bin there and back', exported, (content) => {
    const decoded = decodeExport(encodeExport(content))
    assert.equal(spellOut(decoded), spellOut(content))
  }),
  target('export.sig', mutatedBytes([SIG]), (bytes) => {
    const list = valueOf(() => decodeSignatureList(bytes), isFormatError)
    if (list === undefined) return
    assert.equal(spellOut(decodeSignatureList(encodeSignatureList(list))), spellOut(list))
  }),
  target('export.sig there and back', signatures, (list) => {
    const decoded = decodeSignatureList(encodeSignatureList(list))
    assert.equal(spellOut(decoded), spellOut(list))
  }),
  target(
    'signature in DER',
    mutatedBytes([SIGNATURE, Buffer.from('3006020101020101', 'hex')]),
    (der) => {
      const numbers = valueOf(() => decodeEcdsaSignature(der), isFormatError)
      if (numbers !== undefined) assert.equal(hex(encodeEcdsaSignature(numbers)), hex(der))
    },
  ),
  target(
    'PEM',
    mutatedText([encodePem('PUBLIC KEY', BIN), `\n${encodePem('PUBLIC KEY', SIGNATURE)}\n`]),
    (text) => {
      const bytes = valueOf(() => decodePem('PUBLIC KEY', text), isFormatError)
      if (bytes === undefined) return
      assert.ok(bytes.length > 0)
      assert.equal(hex(decodePem('PUBLIC KEY', encodePem('PUBLIC KEY', bytes))), hex(bytes))
    },
  ),
  target('text on a screen', mutatedText(['plain', '{"a":"\\u001b"}', 'a\u001b[31mb']), (text) => {
    const shown = printable(text)
    assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
    if (isPlainName(text)) assert.equal(shown, text)
    assert.equal(JSON.parse(printable(JSON.stringify(text))), text)
  }),
  target(
    'text of an HMAC over keys',
    fc
      .uniqueArray(mutatedText(KEYS.map((key) => key.key)), { maxLength: 5 })
      .chain((texts) =>
        fc.tuple(fc.constant(texts), fc.shuffledSubarray(texts, { minLength: texts.length })),
      ),
    ([texts, shuffled]) => {
      const keyOf = (key: string) => ({ ...(KEYS[0] as (typeof KEYS)[0]), key })
      const cleartexts = tekmacCleartexts(texts.map(keyOf))
      assert.deepEqual(tekmacCleartexts(shuffled.map(keyOf)), cleartexts)
      assert.equal(cleartexts.length, 2)
    },
  ),
]
