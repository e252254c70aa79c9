// Test: new codes have the forms that people and links can carry, and no pattern.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawCode } from './draw-code.ts'

const DRAWS = 20_000

test('a code is 8 digits, and 16 digits or lower-case letters', () => {
  for (let index = 0; index < 1_000; index++) {
    const { short, long } = drawCode()
    assert.match(short, /^[0-9]{8}$/)
    assert.match(long, /^[0-9a-z]{16}$/)
  }
})

test('every digit is as likely at every place, the first included', () => {
  const counts = Array.from({ length: 8 }, () => Array.from({ length: 10 }, () => 0))
  for (let index = 0; index < DRAWS; index++)
    Array.from(drawCode().short).forEach((digit, place) => {
      const ofPlace = counts[place] as number[]
      ofPlace[Number(digit)] = (ofPlace[Number(digit)] ?? 0) + 1
    })
  // 2,000 are expected with a deviation of 42: seven of them are never reached by chance.
  for (const ofPlace of counts)
    for (const count of ofPlace) assert.ok(Math.abs(count - DRAWS / 10) < 300, `${count}`)
})

test('no two are alike', () => {
  const longs = new Set(Array.from({ length: DRAWS }, () => drawCode().long))
  assert.equal(longs.size, DRAWS)
})
