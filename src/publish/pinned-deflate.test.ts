// Test: the pinned compression: what goes in comes out again of zlib, and how it went in makes no difference.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { pinnedDeflate } from './pinned-deflate.ts'

/** Compresses bytes that are handed over in pieces of the lengths given in turn, then the rest. */
function compress(bytes: Uint8Array, lengths: readonly number[]): Buffer {
  const deflate = pinnedDeflate()
  const pieces: Uint8Array[] = []
  let offset = 0
  for (const length of lengths) {
    pieces.push(...deflate.push(bytes.subarray(offset, offset + length), false))
    offset += length
  }
  pieces.push(...deflate.push(bytes.subarray(offset), true))
  return Buffer.concat(pieces)
}

/** Half of it random, half of it repeated: what keys with their metadata look like. */
function likeKeys(length: number): Buffer {
  const rows: Buffer[] = []
  for (let row = 0; row * 31 < length; row++) {
    const digest = createHash('sha256').update(`row ${row}`).digest()
    rows.push(
      digest.subarray(0, 16),
      Buffer.from([16, 2, 24, 160, 159, 180, 1, 32, 144, 1, 40, 1, 48, 4, 58]),
    )
  }
  return Buffer.concat(rows).subarray(0, length)
}

test('zlib gives back what was compressed, from nothing to a few blocks', () => {
  const edges = [0, 1, 65_535, 65_536, 65_537, 98_304, 131_072, 131_073, 300_000]
  for (const length of edges) {
    const bytes = likeKeys(length)
    assert.ok(inflateRawSync(compress(bytes, [])).equals(bytes), `${length} bytes`)
  }
})

test('zlib gives back bytes of any kind, in pieces of any length', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 3_000 }),
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 8 }),
      (part, times, lengths) => {
        const bytes = Buffer.concat(Array.from({ length: times }, () => part))
        assert.ok(inflateRawSync(compress(bytes, lengths)).equals(bytes))
      },
    ),
    { numRuns: 40 },
  )
})

test('the same content gives the same bytes, however it is cut into pieces', () => {
  const bytes = likeKeys(200_000)
  const whole = compress(bytes, [])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 10 }), (lengths) => {
      assert.ok(compress(bytes, lengths).equals(whole))
    }),
    { numRuns: 40 },
  )
})

test('keys are compressed to less than two thirds', () => {
  const bytes = likeKeys(310_000)
  assert.ok(compress(bytes, []).length < (bytes.length * 2) / 3)
})
