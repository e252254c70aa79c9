// Test: an export.bin that comes in pieces, and as any writer of proto2 may write it: read alike, wherever the pieces end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { exportKey, makeEntries } from '../../test/export-files.ts'
import { concatBytes } from './bytes.ts'
import { FormatError } from './format-error.ts'
import { decodeExport, EXPORT_MAGIC, readExport, type ExportEntry } from './gaen-export.ts'
import { decodeSignatureList } from './gaen-signature.ts'

function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  // In one buffer, as decompression gives pieces: each is overwritten by the next.
  const buffer = new Uint8Array(length)
  for (let offset = 0; offset < bytes.length; offset += length) {
    const piece = bytes.subarray(offset, offset + length)
    buffer.set(piece)
    yield buffer.subarray(0, piece.length)
  }
}

function readAll(content: Uint8Array | Iterable<Uint8Array>) {
  const entries: ExportEntry[] = []
  const reading = readExport(content)
  for (;;) {
    const next = reading.next()
    if (next.done === true) return { entries, header: next.value }
    entries.push(next.value)
  }
}

const isMalformed = (error: unknown) =>
  error instanceof FormatError && error.code === 'protobuf_malformed'

/** Fields, by protobufjs. */
function message(write: (writer: protobuf.Writer) => void): Uint8Array {
  const writer = protobuf.Writer.create()
  write(writer)
  return new Uint8Array(writer.finish())
}

const tag = (field: number, wireType: number) => field * 8 + wireType

test('an export is the same in pieces of every length', () => {
  const keys = Array.from({ length: 60 }, (_, index) =>
    exportKey(index, { transmissionRisk: index % 9 }),
  )
  const { bin } = makeEntries({ keys, revisedKeys: [exportKey(99)] })
  const unknown = message((writer) => writer.uint32(tag(15, 2)).bytes(new Uint8Array(300)))
  const bytes = concatBytes([bin.subarray(0, 16), unknown, bin.subarray(16), unknown])
  const whole = readAll(bytes)
  assert.equal(whole.entries.length, 61)
  for (let length = 1; length <= bytes.length + 1; length += length < 80 ? 1 : 37)
    assert.deepEqual(readAll(cut(bytes, length)), whole, `${length} bytes`)
})

test('keys stay as they were when the pieces that they came in are gone', () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => exportKey(index))
  const { bin } = makeEntries({ keys })
  const entries = readAll(cut(bin, 5_000)).entries.map(({ key }) => key.keyData)
  assert.deepEqual(
    entries,
    keys.map(({ keyData }) => keyData),
  )
})

test('an export that ends early is refused, wherever it and its pieces end', () => {
  const { bin } = makeEntries({ keys: [exportKey(1)] })
  for (let length = 17; length < bin.length; length++)
    for (const piece of [1, 7, 1_000]) {
      const early = bin.subarray(0, length)
      try {
        const { entries } = readAll(cut(early, piece))
        assert.equal(entries.length, 0, 'only whole fields')
      } catch (error) {
        assert.ok(isMalformed(error), String(error))
      }
    }
})

test('unknown fields are passed over, however long they are; known ones must be short', () => {
  const long = (field: number, length: number) =>
    concatBytes([
      EXPORT_MAGIC,
      message((writer) => writer.uint32(tag(field, 2)).bytes(new Uint8Array(length))),
    ])
  for (const content of [long(15, 1_000_000), cut(long(15, 1_000_000), 65_536)])
    assert.equal(readAll(content).entries.length, 0)
  for (const field of [3, 6, 7, 8])
    for (const content of [
      long(field, 16_385),
      cut(long(field, 16_385), 65_536),
      cut(long(field, 16_385), 1),
    ])
      assert.throws(() => readAll(content), isMalformed, `field ${field}`)
})

test('groups of unknown fields are passed over, in the message and in a key, and only when they end', () => {
  const group = (inner: Uint8Array, end = 15) =>
    concatBytes([Uint8Array.of(tag(15, 3)), inner, Uint8Array.of(tag(end, 4))])
  const inner = message((writer) =>
    writer.uint32(tag(1, 0)).uint32(300).uint32(tag(2, 2)).string('a'),
  )
  const nested = group(group(inner))
  const key = message((writer) => writer.uint32(tag(1, 2)).bytes(new Uint8Array(16)))
  const field = concatBytes([key, nested])
  const bytes = concatBytes([
    EXPORT_MAGIC,
    nested,
    message((writer) => writer.uint32(tag(7, 2)).bytes(field)),
  ])
  for (const content of [bytes, cut(bytes, 3)])
    assert.deepEqual(readAll(content).entries[0]?.key.keyData, new Uint8Array(16))
  for (const wrong of [
    group(inner, 14),
    group(inner).subarray(0, -1),
    Uint8Array.of(tag(15, 4)),
    new Uint8Array(101).fill(tag(15, 3)),
    concatBytes([new Uint8Array(101).fill(tag(15, 3)), new Uint8Array(101).fill(tag(15, 4))]),
  ])
    assert.throws(() => readAll(concatBytes([EXPORT_MAGIC, wrong])), isMalformed)
})

test('fields come in any order, the last of several counts, and numbers of 32 bits may have 10 bytes', () => {
  const key = message((writer) => {
    writer.uint32(tag(6, 0)).sint32(9).uint32(tag(4, 0)).uint32(7).uint32(tag(2, 0)).int32(-1)
    writer.uint32(tag(2, 0)).int64(3).uint32(tag(3, 0)).int32(1_000).uint32(tag(4, 0)).uint32(90)
    writer.uint32(tag(1, 2)).bytes(new Uint8Array(3)).uint32(tag(1, 2)).bytes(new Uint8Array(16))
    writer.uint32(tag(6, 0)).sint32(-5)
  })
  const bytes = message((writer) => {
    writer.uint32(tag(8, 2)).bytes(key).uint32(tag(5, 0)).int32(2).uint32(tag(4, 0)).int32(1)
    writer.uint32(tag(7, 2)).bytes(key).uint32(tag(2, 1)).fixed64(20).uint32(tag(3, 2)).string('US')
    writer.uint32(tag(1, 1)).fixed64(5).uint32(tag(1, 1)).fixed64(10).uint32(tag(5, 0)).int32(1)
    writer.uint32(tag(3, 2)).string('CA')
  })
  const { keys, revisedKeys, ...header } = decodeExport(concatBytes([EXPORT_MAGIC, bytes]))
  const expected = {
    keyData: new Uint8Array(16),
    transmissionRisk: 3,
    rollingStart: 1_000,
    rollingPeriod: 90,
    daysSinceOnset: -5,
  }
  assert.deepEqual([keys, revisedKeys], [[expected], [expected]])
  assert.deepEqual(header, {
    startTimestamp: 10,
    endTimestamp: 20,
    region: 'CA',
    batchNum: 1,
    batchSize: 1,
    signatureInfos: [],
  })
})

test('a message inside another that comes in two parts is one', () => {
  const part = (field: number, text: string) =>
    message((writer) => writer.uint32(tag(field, 2)).string(text))
  const signature = message((writer) => {
    writer.uint32(tag(1, 2)).bytes(part(3, 'v1')).uint32(tag(4, 2)).bytes(new Uint8Array(3))
    writer.uint32(tag(1, 2)).bytes(part(4, '310'))
  })
  const [decoded] = decodeSignatureList(
    message((writer) => writer.uint32(tag(1, 2)).bytes(signature)),
  )
  assert.deepEqual(decoded?.signatureInfo, {
    verificationKeyId: '310',
    verificationKeyVersion: 'v1',
    signatureAlgorithm: '',
  })
})
