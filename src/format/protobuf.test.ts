// Test: fields of protocol buffers: what is written is read again, as other readers read it, and broken messages are refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import protobuf from 'protobufjs'
import { decodeHex } from './bytes.ts'
import { FormatError } from './format-error.ts'
import {
  FIXED64,
  LENGTH_DELIMITED,
  ProtobufReader,
  ProtobufWriter,
  readTag,
  readText,
  VARINT,
} from './protobuf.ts'

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

/** What a writer made. */
function written(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter(0)
  write(writer)
  return writer.finish()
}

function readerOf(hex: string): ProtobufReader {
  return new ProtobufReader(decodeHex(hex.replaceAll(' ', '')) ?? new Uint8Array())
}

function isMalformed(error: unknown): boolean {
  return error instanceof FormatError && error.code === 'protobuf_malformed'
}

test('numbers of 32 bits, plain and zigzag, are written as protobufjs writes them and read again', () => {
  fc.assert(
    fc.property(int32, (value) => {
      const plain = written((writer) => writer.varint(value))
      assert.deepEqual(plain, new Uint8Array(protobuf.Writer.create().int32(value).finish()))
      assert.equal(new ProtobufReader(plain).int32(), value)
      const zigzag = written((writer) => writer.zigzag(value))
      assert.deepEqual(zigzag, new Uint8Array(protobuf.Writer.create().sint32(value).finish()))
      assert.equal(new ProtobufReader(zigzag).sint32(), value)
    }),
  )
})

test('numbers of 53 bits, varint and fixed64, are read again', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const varint = written((writer) => writer.varint(value))
      assert.equal(new ProtobufReader(varint).varint(), value)
      const fixed = written((writer) => writer.fixed64(value))
      assert.equal(Buffer.from(fixed).readBigUInt64LE(), BigInt(value))
      assert.equal(new ProtobufReader(fixed).fixed64(), value)
    }),
  )
})

test('any number of 64 bits is read as 32 bits the way protobufjs reads it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const bytes: number[] = []
      let rest = value
      for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
      const message = Uint8Array.from([...bytes, Number(rest)])
      assert.equal(new ProtobufReader(message).int32(), protobuf.Reader.create(message).int32())
      assert.equal(new ProtobufReader(message).sint32(), protobuf.Reader.create(message).sint32())
      assert.equal(new ProtobufReader(message).int32(), Number(BigInt.asIntN(32, value)))
    }),
  )
})

test('texts are read again, and those that are not UTF-8 or too long are refused', () => {
  const roundTrip = (text: string) => {
    const message = written((writer) => writer.bytes(3, new TextEncoder().encode(text)))
    const reader = new ProtobufReader(message)
    assert.deepEqual(readTag(reader), { field: 3, wireType: LENGTH_DELIMITED })
    assert.equal(readText(reader), text)
  }
  roundTrip('\ufeffUS')
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), roundTrip))
  assert.throws(() => readText(readerOf('02 c328')), isMalformed)
  const long = written((writer) => writer.bytes(3, new Uint8Array(1_001)))
  assert.throws(() => readText(new ProtobufReader(long, 1)), isMalformed)
})

test('fields that are not known are passed over', () => {
  const message = written((writer) => {
    writer.tag(1, VARINT)
    writer.varint(-1)
    writer.tag(2, FIXED64)
    writer.fixed64(7)
    writer.bytes(3, Uint8Array.of(1, 2, 3))
    writer.tag(4, 5)
    writer.raw(new Uint8Array(4))
    writer.tag(2 ** 29 - 1, VARINT)
    writer.varint(1)
  })
  const reader = new ProtobufReader(message)
  const fields: number[] = []
  while (!reader.done) {
    const { field, wireType } = readTag(reader)
    fields.push(field)
    reader.skip(wireType)
  }
  assert.deepEqual(fields, [1, 2, 3, 4, 2 ** 29 - 1])
})

test('a broken message is refused, whatever length it declares', () => {
  const broken: [string, string, (reader: ProtobufReader) => unknown][] = [
    ['a number without an end', '80 80', (reader) => reader.int32()],
    ['a number of 11 bytes', '80808080808080808080 00', (reader) => reader.int32()],
    ['a number of more than 64 bits', 'ffffffffffffffffff 02', (reader) => reader.int32()],
    ['a length that only seems small', '81808080808080808001', (reader) => reader.delimited()],
    ['a length of 2 GB', 'ffffffff07', (reader) => reader.delimited()],
    ['a negative length', 'ffffffffffffffffff01', (reader) => reader.delimited()],
    ['a time of more than 53 bits', 'ffffffffffffffff', (reader) => reader.fixed64()],
    ['a time that ends early', '00000000000000', (reader) => reader.fixed64()],
    ['field number 0', '02', readTag],
    ['a field number of more than 29 bits', '8080808010', readTag],
    ['a tag that only seems small', '88808080808080808001', readTag],
    ['a group', '0b', (reader) => reader.skip(readTag(reader).wireType)],
    ['the end of a group', '0c', (reader) => reader.skip(readTag(reader).wireType)],
    ['wire type 6', '0e', (reader) => reader.skip(readTag(reader).wireType)],
    ['wire type 7', '0f', (reader) => reader.skip(readTag(reader).wireType)],
    ['4 bytes that end early', '0d 000000', (reader) => reader.skip(readTag(reader).wireType)],
    ['8 bytes that end early', '09 000000', (reader) => reader.skip(readTag(reader).wireType)],
  ]
  for (const [what, hex, read] of broken)
    assert.throws(() => read(readerOf(hex)), isMalformed, what)
})

test('a message inside another never reads beyond its own end', () => {
  const outer = new ProtobufReader(Uint8Array.of(0x12, 0x01, 0x08, 0x05), 2, 3)
  assert.deepEqual(readTag(outer), { field: 1, wireType: VARINT })
  assert.throws(() => outer.int32(), isMalformed)
})
