// Test: paper codes catch the mistakes that people make in copying, and 100,000 are made at once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkCharacter,
  drawBatchId,
  drawPaperCode,
  formatPaperCode,
  PAPER_ALPHABET,
  readPaperCode,
} from './paper-code.ts'

const CODES = Array.from({ length: 50 }, () => drawPaperCode(drawBatchId()))
const PLACES = Array.from({ length: 20 }, (_, place) => place)

const withCharacter = (code: string, place: number, character: string) =>
  code.slice(0, place) + character + code.slice(place + 1)

const withSwap = (code: string, one: number, other: number) =>
  withCharacter(withCharacter(code, one, code.charAt(other)), other, code.charAt(one))

/** A code with two given characters at two places, right at all. */
function codeWith(one: number, first: string, other: number, second: string): string {
  const code = drawPaperCode('7K2M')
  const right = withCharacter(withCharacter(code, one, first), other, second)
  if (other < 19) return right.slice(0, 19) + checkCharacter(right.slice(0, 19))
  // The check character follows from the rest: a free place is turned until it is the one that is wanted.
  const free = one === 0 ? 1 : 0
  const turned = Array.from(PAPER_ALPHABET, (character) => withCharacter(right, free, character))
  return turned.find((code) => checkCharacter(code.slice(0, 19)) === second) ?? assert.fail()
}

test('a code is its batch, 15 characters and a check character, and stands in groups of four', () => {
  for (const code of CODES) {
    assert.match(code, /^[0-9A-HJKMNP-TV-Z]{20}$/)
    assert.equal(checkCharacter(code.slice(0, 19)), code.at(-1))
    assert.match(formatPaperCode(code), /^([0-9A-Z]{4}-){4}[0-9A-Z]{4}$/)
    assert.equal(formatPaperCode(code).replaceAll('-', ''), code)
    assert.equal(readPaperCode(code), code)
    assert.equal(readPaperCode(formatPaperCode(code)), code)
  }
  assert.equal(drawPaperCode('7K2M').slice(0, 4), '7K2M')
  assert.match(drawBatchId(), /^[0-9A-HJKMNP-TV-Z]{4}$/)
})

test('cards that were printed stay right: the check character never changes its meaning', () => {
  for (const [first, check] of [
    ['0000000000000000000', '0'],
    ['0000000000000000001', '2'],
    ['0000000000000000010', '4'],
    ['1000000000000000000', '6'],
    ['7K2M9QWERTY0123ABCD', '2'],
    ['ZZZZZZZZZZZZZZZZZZZ', 'T'],
  ] as const)
    assert.equal(checkCharacter(first), check, first)
})

test('every single wrong character is caught: each other one, at each place', () => {
  for (const code of CODES)
    for (const place of PLACES)
      for (const character of PAPER_ALPHABET)
        assert.equal(
          readPaperCode(withCharacter(code, place, character)),
          character === code.charAt(place) ? code : undefined,
        )
})

test('every two different characters that changed places are caught: all pairs, at all places', () => {
  for (const one of PLACES)
    for (const other of PLACES.slice(one + 1))
      for (const first of PAPER_ALPHABET)
        for (const second of PAPER_ALPHABET) {
          if (first === second) continue
          const code = codeWith(one, first, other, second)
          assert.equal(readPaperCode(code), code)
          assert.equal(readPaperCode(withSwap(code, one, other)), undefined, `${one} ${other}`)
        }
})

test('a character too few or too many makes no code, and of all other mistakes 31 in 32 are caught', () => {
  for (const code of CODES)
    for (const place of PLACES) {
      assert.equal(readPaperCode(code.slice(0, place) + code.slice(place + 1)), undefined)
      assert.equal(readPaperCode(code.slice(0, place + 1) + code.slice(place)), undefined)
    }
  const tries = 20_000
  let taken = 0
  for (let index = 0; index < tries; index++)
    if (readPaperCode(drawPaperCode('7K2M').slice(0, 16) + drawBatchId()) !== undefined) taken++
  // 625 are expected with a deviation of 25.
  assert.ok(Math.abs(taken - tries / 32) < 200, `${taken}`)
})

test('what has a character that cards have not is no code', () => {
  for (const code of CODES.slice(0, 5))
    for (const place of PLACES)
      for (const character of ['U', 'u', '*', '$', '~', '=', '?', 'é', 'ß', '𝔘', '\0'])
        assert.equal(readPaperCode(withCharacter(code, place, character)), undefined, character)
})

test('what can be no batch or no beginning of a code is the mistake of the caller', () => {
  for (const batch of ['', 'ABC', 'ABCDE', 'abcd', 'ABCU', 'AB-D'])
    assert.throws(() => drawPaperCode(batch), RangeError, batch)
  for (const first of ['', '0'.repeat(18), '0'.repeat(20), 'o'.repeat(19)])
    assert.throws(() => checkCharacter(first), RangeError, first)
})

test('100,000 codes are drawn in under 2 seconds, no two alike', () => {
  const started = performance.now()
  const codes = new Set<string>()
  for (let drawn = 0; drawn < 100_000; drawn++) codes.add(drawPaperCode('7K2M'))
  const took = performance.now() - started
  assert.equal(codes.size, 100_000)
  assert.ok(took < 2_000, `${took} ms`)
})
