// Test: what padding costs, as it is told to whoever adds a stream.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paddingCost } from './padding-cost.ts'

test('what padding costs is the most that it can be, in keys and bytes a day', () => {
  const sound = { period: 2 * 3600, minimum: 1_000 }
  const { keysADay, sentence } = paddingCost(sound, [sound])
  assert.equal(keysADay, 12_000)
  assert.match(sentence, /12,000 keys a day/)
  // A family is padded at its smallest period and to its largest minimum.
  const finer = { ...sound, period: 3600, minimum: 500 }
  assert.equal(paddingCost(sound, [sound, finer]).keysADay, 24_000)
  assert.equal(paddingCost({ ...sound, minimum: 0 }, [{ ...sound, minimum: 0 }]).keysADay, 0)
})
