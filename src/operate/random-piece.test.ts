// Test: random bytes in small pieces: as many as asked for, none handed out twice.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomPiece } from './random-piece.ts'

test('pieces have their length, differ, and stay what they were', () => {
  const pieces = Array.from({ length: 10_000 }, () => randomPiece(16))
  const texts = pieces.map((piece) => piece.toString('hex'))
  assert.equal(new Set(texts).size, 10_000)
  assert.ok(!texts.includes('0'.repeat(32)))
  assert.deepEqual(
    pieces.map((piece) => piece.toString('hex')),
    texts,
  )
  for (const length of [0, 1, 1024, 65_536]) assert.equal(randomPiece(length).length, length)
})

test('a piece that lives long keeps nothing else', () => {
  assert.equal(randomPiece(16).buffer.byteLength, 16)
})
