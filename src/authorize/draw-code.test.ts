// Test: new codes have the forms that people and links can carry, and nothing but chance in them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomPiece } from '../operate/random-piece.ts'
import { drawCode, drawLongCode, drawShortCode, type RandomBytes } from './draw-code.ts'
import { drawBatchId, drawPaperCode, PAPER_ALPHABET } from './paper-code.ts'

const DRAWS = 1_000_000
const DIGITS = '0123456789'
const LONG_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/**
 * By the number of characters: what chi-square exceeds with a probability of 1e-9 when all are as likely (the quantiles for
 * 9, 31 and 35 degrees of freedom). A hundred places are looked at in each run: ten million runs have one false alarm.
 */
const WORST: Readonly<Record<number, number>> = { 10: 60.66, 32: 103.44, 36: 110.31 }

/** The places, from 0 on, at which not all characters of the alphabet are as likely. */
function unevenPlaces(alphabet: string, draw: () => string): number[] {
  const length = draw().length
  const counts = new Uint32Array(length * 128)
  for (let drawn = 0; drawn < DRAWS; drawn++) {
    const code = draw()
    for (let place = 0; place < length; place++) {
      const index = place * 128 + code.charCodeAt(place)
      counts[index] = (counts[index] ?? 0) + 1
    }
  }
  const expected = DRAWS / alphabet.length
  return Array.from({ length }, (_, place) => place).filter((place) => {
    const ofPlace = counts.subarray(place * 128, (place + 1) * 128)
    const seen = Array.from(alphabet, (character) => ofPlace[character.charCodeAt(0)] ?? 0)
    assert.equal(sum(seen), DRAWS, 'nothing but the alphabet')
    const chiSquare = sum(seen.map((count) => (count - expected) ** 2 / expected))
    return chiSquare > (WORST[alphabet.length] ?? assert.fail('no such alphabet'))
  })
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

test('a code has as many digits, and as many digits or lower-case letters, as were asked for', () => {
  for (const shortLength of [6, 7, 8, 9, 10])
    for (const longLength of [12, 16, 32])
      for (let drawn = 0; drawn < 100; drawn++) {
        const { short, long } = drawCode({ shortLength, longLength })
        assert.match(short, new RegExp(`^[0-9]{${shortLength}}$`))
        assert.match(long, new RegExp(`^[0-9a-z]{${longLength}}$`))
      }
})

test('every digit is as likely at every place of a short code, the first included', () => {
  for (const length of [6, 8, 10])
    assert.deepEqual(
      unevenPlaces(DIGITS, () => drawShortCode(length)),
      [],
    )
})

test('every character is as likely at every place of a long code', () => {
  assert.deepEqual(
    unevenPlaces(LONG_ALPHABET, () => drawLongCode(16)),
    [],
  )
})

test('every character is as likely at every place of a paper code that chance decides, and at the check character', () => {
  const batch = drawBatchId()
  assert.deepEqual(
    unevenPlaces(PAPER_ALPHABET, () => drawPaperCode(batch).slice(4)),
    [],
  )
})

test('every character is as likely at every place of the name of a batch', () => {
  assert.deepEqual(
    unevenPlaces(PAPER_ALPHABET, () => drawBatchId()),
    [],
  )
})

test('a source that says 0 once in 128 times too often is found out, in every kind of code', () => {
  const biased: RandomBytes = (length) =>
    randomPiece(length).map((byte) => (byte !== 0 && randomPiece(1).readUInt8() < 2 ? 0 : byte))
  const everyPlace = (length: number) => Array.from({ length }, (_, place) => place)
  assert.deepEqual(
    unevenPlaces(DIGITS, () => drawShortCode(6, biased)),
    everyPlace(6),
  )
  assert.deepEqual(
    unevenPlaces(LONG_ALPHABET, () => drawLongCode(2, biased)),
    everyPlace(2),
  )
  assert.deepEqual(
    unevenPlaces(PAPER_ALPHABET, () => drawPaperCode('0000', biased).slice(4, 8)),
    everyPlace(4),
  )
})

test('a remainder alone, which favours the first characters by 1 in 64, is found out', () => {
  const byRemainder = (alphabet: string, length: number) =>
    unevenPlaces(alphabet, () =>
      Array.from(randomPiece(length), (byte) => alphabet.charAt(byte % alphabet.length)).join(''),
    )
  assert.deepEqual(byRemainder(DIGITS, 2), [0, 1])
  assert.deepEqual(byRemainder(LONG_ALPHABET, 2), [0, 1])
})

test('no two are alike', () => {
  const longs = new Set(Array.from({ length: 20_000 }, () => drawLongCode(16)))
  assert.equal(longs.size, 20_000)
})
