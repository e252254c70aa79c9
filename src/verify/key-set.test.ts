// Test: a set of keys says which came before, and how often keys of a list are repeated.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { countRepeats, KeySet } from './key-set.ts'

const keys = Array.from({ length: 40_000 }, () => new Uint8Array(randomBytes(16)))

test('a key keeps the mark that it came with first, also while the set grows', () => {
  const set = new KeySet()
  for (const [index, key] of keys.entries()) {
    assert.equal(set.markOf(key), 0)
    assert.equal(set.add(key, 1 + (index % 100)), 0)
  }
  assert.equal(set.size, keys.length)
  for (const [index, key] of keys.entries()) {
    assert.equal(set.markOf(key), 1 + (index % 100))
    assert.equal(set.add(key, 7), 1 + (index % 100))
  }
  assert.equal(set.size, keys.length)
})

test('keys that differ in one bit are two', () => {
  const set = new KeySet()
  for (let bit = 0; bit < 128; bit++) {
    const key = new Uint8Array(16)
    key[bit >> 3] = 1 << (bit & 7)
    assert.equal(set.add(key, 1), 0, String(bit))
  }
  assert.equal(set.add(new Uint8Array(16), 1), 0)
})

test('repeated keys are counted, in any order', () => {
  const some = keys.slice(0, 1_000)
  assert.equal(countRepeats(some, some.length), 0)
  const more = [...some, ...some.slice(0, 10), ...some.slice(5, 10).reverse()]
  assert.equal(countRepeats(more, more.length), 15)
  assert.equal(countRepeats([], 0), 0)
})
