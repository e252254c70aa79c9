// Test: decompression: what zlib takes is taken and gives the same bytes, what it refuses is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { inflateRaw } from './inflate.ts'

const MAX = 400_000

function inflate(compressed: Uint8Array, maxSize: number): Uint8Array {
  const pieces = Array.from(inflateRaw(compressed, maxSize), (piece) => piece.slice())
  return new Uint8Array(Buffer.concat(pieces))
}

/** What zlib makes of it, or undefined. */
function inflateNatively(compressed: Uint8Array): Uint8Array | undefined {
  try {
    // With info, it says how much it has read; the types don't know that.
    const { buffer, engine } = inflateRawSync(compressed, {
      maxOutputLength: MAX,
      info: true,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } }
    return engine.bytesWritten === compressed.length ? new Uint8Array(buffer) : undefined
  } catch {
    return undefined
  }
}

/** Random bytes, long runs, and texts of few letters, some longer than a window. */
const content = fc
  .tuple(fc.nat(3), fc.oneof(fc.nat(300), fc.nat(MAX / 4)), fc.nat(2 ** 30))
  .map(([kind, length, seed]) => {
    let state = seed + 1
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
    const next = [() => random() * 256, () => 7, () => random() ** 6 * 256, () => random() * 3][
      kind
    ]
    return new Uint8Array(length).map(() => next?.() ?? 0)
  })
const settings = fc.record({
  level: fc.nat(9),
  memLevel: fc.integer({ min: 1, max: 9 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ),
})

test('what zlib compressed, in every way that it knows, is the same again', () => {
  fc.assert(
    fc.property(content, settings, (bytes, options) => {
      const compressed = new Uint8Array(deflateRawSync(bytes, options))
      assert.ok(Buffer.from(inflate(compressed, bytes.length)).equals(bytes))
      if (bytes.length > 0) assert.throws(() => inflate(compressed, bytes.length - 1), RangeError)
    }),
    { numRuns: 150 },
  )
})

test('a stream with bits changed is taken or refused as zlib does, to the byte', () => {
  let taken = 0
  fc.assert(
    fc.property(content, settings, fc.nat(), fc.nat(7), (bytes, options, place, bit) => {
      const compressed = new Uint8Array(deflateRawSync(bytes.subarray(0, 20_000), options))
      const at = place % Math.min(compressed.length, 90)
      compressed[at] = (compressed[at] as number) ^ (1 << bit)
      const expected = inflateNatively(compressed)
      if (expected === undefined) assert.throws(() => inflate(compressed, MAX), RangeError)
      else assert.ok(Buffer.from(inflate(compressed, MAX)).equals(expected))
      if (expected !== undefined) taken++
    }),
    { numRuns: 1_500 },
  )
  assert.ok(taken > 50, 'some were taken')
})

test('it must be one whole stream', () => {
  const bytes = new Uint8Array(3_000).map((_, index) => index % 7)
  const data = new Uint8Array(deflateRawSync(bytes))
  assert.deepEqual(inflate(data, 3_000), bytes)
  assert.equal(inflate(new Uint8Array(deflateRawSync(new Uint8Array())), 0).length, 0)
  for (const wrong of [
    data.subarray(0, -1),
    Buffer.concat([data, Buffer.of(0)]),
    Uint8Array.of(0xff, 0xff),
    new Uint8Array(),
  ])
    assert.throws(() => inflate(wrong, 3_000), RangeError)
})

test('a bomb is left off within one piece of the limit', () => {
  const bomb = deflateRawSync(new Uint8Array(50_000_000))
  let given = 0
  assert.throws(() => {
    for (const piece of inflateRaw(bomb, 1_000_000)) given += piece.length
  }, /more than 1000000 bytes/)
  assert.ok(given <= 1_000_000, `${given} bytes`)
})
