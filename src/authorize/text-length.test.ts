// Test: how many messages a text is sent as, at each boundary.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureText } from './text-length.ts'

const check = (text: string, encoding: 'gsm' | 'ucs2', units: number, segments: number) =>
  assert.deepEqual(measureText(text), { encoding, units, segments })

test('letters of the default alphabet: 160 alone, 153 in each of several', () => {
  check('', 'gsm', 0, 1)
  check('a'.repeat(160), 'gsm', 160, 1)
  check('a'.repeat(161), 'gsm', 161, 2)
  check('a'.repeat(306), 'gsm', 306, 2)
  check('a'.repeat(307), 'gsm', 307, 3)
  check('a'.repeat(918), 'gsm', 918, 6)
  check('a'.repeat(919), 'gsm', 919, 7)
})

test('the default alphabet has 127 characters beside the escape, the extension table ten', () => {
  const gsm = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter(
    (character) => measureText(character).encoding === 'gsm',
  )
  assert.equal(gsm.filter((character) => measureText(character).units === 1).length, 127)
  assert.equal(gsm.filter((character) => measureText(character).units === 2).length, 10)
  for (const character of '@£Çéñ_\n\rΩ¿§') check(character, 'gsm', 1, 1)
  for (const character of '€[]{}~|\\^\f') check(character, 'gsm', 2, 1)
  for (const character of 'ç`áőΑ\t’“') check(character, 'ucs2', 1, 1)
})

test('characters of the extension table take two places and are not split', () => {
  check('€'.repeat(80), 'gsm', 160, 1)
  check(`a${'€'.repeat(80)}`, 'gsm', 161, 2)
  // 306 places would do for two segments, but one € would lie on the border of the first.
  check('€'.repeat(153), 'gsm', 306, 3)
  check('€'.repeat(152), 'gsm', 304, 2)
})

test('one other character makes it 70 alone, 67 in each of several', () => {
  check('ж'.repeat(70), 'ucs2', 70, 1)
  check('ж'.repeat(71), 'ucs2', 71, 2)
  check('ж'.repeat(134), 'ucs2', 134, 2)
  check('ж'.repeat(135), 'ucs2', 135, 3)
  check(`${'a'.repeat(70)}ж`, 'ucs2', 71, 2)
  // In UCS-2 the characters of the extension table are like all others.
  check(`ж${'€'.repeat(69)}`, 'ucs2', 70, 1)
})

test('a character of two units is not split', () => {
  check('🔔'.repeat(35), 'ucs2', 70, 1)
  check('🔔'.repeat(66), 'ucs2', 132, 2)
  check('🔔'.repeat(67), 'ucs2', 134, 3)
})
