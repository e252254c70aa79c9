// Test: Huffman codes of limited length: as short as any, complete, and the codes that deflate's decoders expect.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { assignCodes, HuffmanBuilder } from './huffman.ts'

const builder = new HuffmanBuilder()

function findLengths(counts: readonly number[], limit: number): number[] {
  const lengths = new Uint8Array(counts.length)
  builder.findLengths(Uint32Array.from(counts), limit, lengths)
  return [...lengths]
}

const costOf = (counts: readonly number[], lengths: readonly number[]) =>
  counts.reduce((sum, count, symbol) => sum + count * (lengths[symbol] ?? 0), 0)

/** How much of all codes of the greatest length these take up; 1 when they are complete. */
const share = (lengths: readonly number[]) =>
  lengths.reduce((sum, bits) => sum + (bits === 0 ? 0 : 2 ** -bits), 0)

/** The least cost of any prefix code, by trying all lengths. */
function leastCost(counts: readonly number[], limit: number, room = 1): number {
  const [count, ...others] = counts
  if (count === undefined) return 0
  let least = Infinity
  for (let bits = 1; bits <= limit; bits++)
    if (2 ** -bits <= room)
      least = Math.min(least, count * bits + leastCost(others, limit, room - 2 ** -bits))
  return least
}

test('no code of limited length is shorter, by trying all of them', () => {
  const counts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 })
  fc.assert(
    fc.property(counts, fc.integer({ min: 3, max: 6 }), (some, limit) => {
      const lengths = findLengths(some, limit)
      assert.ok(Math.max(...lengths) <= limit)
      assert.equal(share(lengths), 1)
      assert.equal(costOf(some, lengths), leastCost(some, limit))
    }),
    { numRuns: 150 },
  )
})

test('counts that would make codes too long get the limit, at the least cost', () => {
  const fibonacci = [1, 1]
  while (fibonacci.length < 26) fibonacci.push((fibonacci.at(-1) ?? 0) + (fibonacci.at(-2) ?? 0))
  // Without a limit the longest would have 25 bits. The cost was found by trying how many codes there are of each length.
  const lengths = findLengths(fibonacci, 15)
  assert.equal(Math.max(...lengths), 15)
  assert.equal(share(lengths), 1)
  assert.equal(costOf(fibonacci, lengths), 832_020)
  const few = fibonacci.slice(0, 7)
  assert.deepEqual(findLengths(few, 6), [6, 6, 5, 4, 3, 2, 1])
  assert.equal(costOf(few, findLengths(few, 4)), leastCost(few, 4))
})

test('codes are complete for any counts, and rarer symbols have no shorter ones', () => {
  const counts = fc.array(fc.oneof(fc.constant(0), fc.nat(9), fc.nat(60_000)), { maxLength: 286 })
  fc.assert(
    fc.property(counts, (some) => {
      const lengths = findLengths(some, 15)
      const used = some.filter((count) => count > 0).length
      assert.equal(share(lengths), used === 0 ? 0 : used === 1 ? 0.5 : 1)
      const order = some.map((_, symbol) => symbol).sort((a, b) => (some[a] ?? 0) - (some[b] ?? 0))
      const sorted = order.filter((symbol) => some[symbol] !== 0).map((symbol) => lengths[symbol])
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => (b ?? 0) - (a ?? 0)),
      )
      for (const [symbol, count] of some.entries()) assert.equal(lengths[symbol] === 0, count === 0)
    }),
  )
})

test('the example of RFC 1951 has the codes that stand there', () => {
  const codes = new Uint32Array(8)
  assignCodes(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4), codes)
  const sent = Array.from(codes, (code) =>
    Array.from({ length: code & 15 }, (_, bit) => ((code >> 4) >> bit) & 1).join(''),
  )
  assert.deepEqual(sent, ['010', '011', '100', '101', '110', '00', '1110', '1111'])
})
