// Test: what phones broadcast: the published vectors, and OpenSSL as a second opinion.

import assert from 'node:assert/strict'
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encryptBlocks } from './aes128.ts'
import { concatBytes, decodeHex, encodeHex } from './bytes.ts'
import {
  cipherMetadata,
  deriveIdentifierKey,
  deriveIdentifiers,
  deriveMetadataKey,
  IDENTIFIER_BYTES,
} from './gaen-derivation.ts'
import { hkdfSha256, hmacSha256, sha256 } from './sha256.ts'

const hex = (text: string) => decodeHex(text) ?? new Uint8Array()
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

// google/exposure-notifications-internals, TestVectors.java at aaada6ce (specification 1.2).
const VECTORS = {
  key: hex('75c734c6dd1a782de7a965da5eb93125'),
  rollingStart: 2642976,
  identifierKey: '185ad91db69ec7dd048960f1f3ba6175',
  metadataKey: 'd57c46af7a1d83965b9bed8bd152936a',
  metadata: hex('40080000'),
  broadcasts: [
    { index: 0, identifier: '8be6cd371c5c891604bfbe49df845096', metadata: '72033874' },
    { index: 1, identifier: '3c9a1de5dd6b02afa7fded7b570b3e56', metadata: 'c29211b1' },
    { index: 2, identifier: '243ffe9a3b08bded3094bac8630bb8ad', metadata: '6adfad03' },
    { index: 71, identifier: '416ffc7a32fcfda9a316d01790e31945', metadata: 'c122ad68' },
    { index: 142, identifier: 'a65ef7ba9752c4173ba48a33849c5e52', metadata: '592dbca8' },
    { index: 143, identifier: 'f431b62ecf443102ce4ed0407de54bd4', metadata: '1215e57e' },
  ],
  identifiersSha256: '7d0d92c8f0ebe30719c9cedbe5262fd8da1a914dd76a6d163bd080c6c04d7fd9',
  metadataSha256: 'e044d6790779f3260a665cf33298c3f02f23866ded7232b20814a593b2f23148',
}

test('a day of identifiers and their metadata are those of the published vectors', () => {
  const { key, rollingStart, metadata } = VECTORS
  assert.equal(encodeHex(deriveIdentifierKey(key)), VECTORS.identifierKey)
  const metadataKey = deriveMetadataKey(key)
  assert.equal(encodeHex(metadataKey), VECTORS.metadataKey)
  const identifiers = deriveIdentifiers(key, rollingStart, 144)
  const identifierAt = (index: number) =>
    identifiers.subarray(index * IDENTIFIER_BYTES, (index + 1) * IDENTIFIER_BYTES)
  for (const { index, identifier, metadata: encrypted } of VECTORS.broadcasts) {
    assert.equal(encodeHex(identifierAt(index)), identifier)
    assert.equal(encodeHex(cipherMetadata(metadataKey, identifierAt(index), metadata)), encrypted)
    assert.deepEqual(cipherMetadata(metadataKey, identifierAt(index), hex(encrypted)), metadata)
  }
  assert.equal(digestOf(identifiers), VECTORS.identifiersSha256)
  const all = Array.from({ length: 144 }, (_, index) =>
    cipherMetadata(metadataKey, identifierAt(index), metadata),
  )
  assert.equal(digestOf(concatBytes(all)), VECTORS.metadataSha256)
})

test('a part of a day gives that part of the identifiers', () => {
  const { key, rollingStart } = VECTORS
  const day = deriveIdentifiers(key, rollingStart, 144)
  fc.assert(
    fc.property(fc.nat(143), fc.nat(143), (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b) + 1]
      assert.deepEqual(
        deriveIdentifiers(key, rollingStart + from, to - from),
        day.slice(from * IDENTIFIER_BYTES, to * IDENTIFIER_BYTES),
      )
    }),
  )
})

test('any key gives the identifiers and metadata that OpenSSL gives', () => {
  const block = fc.uint8Array({ minLength: 16, maxLength: 16 })
  fc.assert(
    fc.property(block, fc.nat(2 ** 32 - 1), block, (key, interval, metadata) => {
      const identifierKey = Buffer.from(hkdfSync('sha256', key, '', 'EN-RPIK', 16))
      const padded = Buffer.alloc(16)
      padded.write('EN-RPI')
      padded.writeUInt32LE(interval, 12)
      const identifier = opensslBlock(identifierKey, padded)
      assert.deepEqual(deriveIdentifiers(key, interval, 1), identifier)
      const metadataKey = Buffer.from(hkdfSync('sha256', key, '', 'EN-AEMK', 16))
      const cipher = createCipheriv('aes-128-ctr', metadataKey, identifier)
      assert.deepEqual(
        cipherMetadata(deriveMetadataKey(key), identifier, metadata),
        new Uint8Array(cipher.update(metadata)),
      )
    }),
  )
})

test('digests, HMACs and derived keys of any length are those of OpenSSL', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(bytes, bytes, fc.nat(32), (a, b, length) => {
      assert.equal(encodeHex(sha256(a)), digestOf(a))
      assert.equal(encodeHex(hmacSha256(a, b)), createHmac('sha256', a).update(b).digest('hex'))
      if (length > 0)
        assert.deepEqual(
          hkdfSha256(a, b, length),
          new Uint8Array(hkdfSync('sha256', a, '', b, length)),
        )
    }),
    {
      examples: [55, 56, 63, 64, 65, 119, 120].map((n) => [
        new Uint8Array(n),
        new Uint8Array(n),
        32,
      ]),
    },
  )
  assert.throws(() => hkdfSha256(new Uint8Array(16), new Uint8Array(), 33), RangeError)
})

test('blocks are encrypted as OpenSSL encrypts them, each by itself', () => {
  const blocks = fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 5 })
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), blocks, (key, list) => {
      const plain = concatBytes(list)
      const output = new Uint8Array(plain.length)
      encryptBlocks(key, plain, output)
      assert.deepEqual(output, concatBytes(list.map((each) => opensslBlock(key, each))))
    }),
  )
})

test('what is no key, no interval or no block is refused', () => {
  const key = VECTORS.key
  for (const attempt of [
    () => deriveIdentifiers(key.subarray(1), 1, 1),
    () => deriveIdentifiers(key, -1, 1),
    () => deriveIdentifiers(key, 1.5, 1),
    () => deriveIdentifiers(key, 2 ** 32, 1),
    () => deriveIdentifiers(key, 1, 0),
    () => deriveIdentifiers(key, 1, 145),
    () => deriveIdentifiers(key, 1, 2, new Uint8Array(16)),
    () => cipherMetadata(key, key, new Uint8Array(17)),
    () => cipherMetadata(key, key.subarray(1), new Uint8Array(4)),
    () => encryptBlocks(key.subarray(1), key, new Uint8Array(16)),
    () => encryptBlocks(key, key.subarray(1), new Uint8Array(16)),
  ])
    assert.throws(attempt, RangeError, attempt.toString())
})

function opensslBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  return new Uint8Array(cipher.update(block))
}
