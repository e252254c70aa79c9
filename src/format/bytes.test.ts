// Test: bytes as text: what is written is read again, and text of other systems is read as they mean it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 as nodeCrc32 } from 'node:zlib'
import * as fc from 'fast-check'
import {
  compareBytes,
  concatBytes,
  decodeBase64,
  decodeHex,
  encodeBase64,
  encodeHex,
  equalBytes,
} from './bytes.ts'
import { crc32 } from './crc32.ts'

const bytes = fc.uint8Array({ maxLength: 300 })

test('hex of any bytes is what Node.js writes, and gives the bytes again in either case', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      const text = encodeHex(value)
      assert.equal(text, Buffer.from(value).toString('hex'))
      assert.deepEqual(decodeHex(text), value)
      assert.deepEqual(decodeHex(text.toUpperCase()), value)
    }),
  )
})

test('text that is no hex gives nothing', () => {
  for (const text of ['0', 'abc', '0g', ' 00', '00\n', '٠٠', '0x00'])
    assert.equal(decodeHex(text), undefined, JSON.stringify(text))
  assert.equal(decodeHex('0'.repeat(2_000_001)), undefined)
  assert.equal(decodeHex('0'.repeat(2_000_000))?.length, 1_000_000)
})

test('base64 of any bytes is what Node.js writes, and gives the bytes again in every spelling', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      const text = encodeBase64(value)
      assert.equal(text, Buffer.from(value).toString('base64'))
      const url = Buffer.from(value).toString('base64url')
      const broken = text.replaceAll(/(.{7})/g, '$1\r\n')
      const half = text.replace(/==$/, '=')
      for (const spelling of [text, text.replaceAll('=', ''), url, broken, half, `${text}=`])
        assert.deepEqual(decodeBase64(spelling), value)
    }),
  )
})

test('text that is no base64 gives nothing', () => {
  for (const text of ['A', 'AAAAA', 'A===', 'A=AA', 'AA==AA', 'AA A', 'AA?=', 'ÄÄ=='])
    assert.equal(decodeBase64(text), undefined, JSON.stringify(text))
})

test('bytes are compared as Node.js compares them', () => {
  const short = fc.uint8Array({ maxLength: 3, max: 2 })
  fc.assert(
    fc.property(short, short, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b))
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0)
    }),
  )
})

test('the checksum of a file is that of its pieces, one after the other', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), (pieces) => {
      const whole = concatBytes(pieces)
      assert.deepEqual(whole, new Uint8Array(Buffer.concat(pieces)))
      const checksum = pieces.reduce((before, piece) => crc32(piece, before), 0)
      assert.equal(checksum, nodeCrc32(whole))
    }),
  )
})
