// Test: a card has words in its realm's language, or in one that is near.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CARD_LANGUAGES, cardTexts, hasCardTexts } from './card-texts.ts'

test('a language tag gets its language, its first part, or English', () => {
  for (const [tag, language] of [
    ['nl', 'nl'],
    ['pt-BR', 'pt'],
    ['DE-AT', 'de'],
    ['sw', 'en'],
    ['', 'en'],
    ['constructor', 'en'],
  ] as const)
    assert.equal(cardTexts(tag).language, language)
})

test('languages without words are known', () => {
  for (const tag of [...CARD_LANGUAGES, 'pt-BR', 'DE-AT']) assert.ok(hasCardTexts(tag), tag)
  for (const tag of ['sw', '', 'constructor']) assert.ok(!hasCardTexts(tag), tag)
})

test('the month of a date is a word, the number and the batch stand as they are', () => {
  assert.equal(cardTexts('en-US').validUntil('2026-12-03'), 'Valid until 3 December 2026')
  assert.equal(cardTexts('nl').validUntil('2026-12-03'), 'Geldig tot 3 december 2026')
  assert.equal(cardTexts('en').card(1_234, 'B$&X'), 'Card 1234, batch B$&X')
})

test('no language leaves a place unfilled, and each has words of its own', () => {
  const all = CARD_LANGUAGES.map(cardTexts)
  for (const texts of all) {
    const written = [
      texts.howTo,
      texts.activation,
      texts.validUntil('2026-12-03'),
      texts.card(7, 'B7QX'),
    ]
    assert.doesNotMatch(written.join(' '), /[{}]/)
    assert.match(texts.card(7, 'B7QX'), /7.*B7QX/)
    assert.match(texts.validUntil('2026-12-03'), /2026/)
  }
  assert.equal(new Set(all.map(({ howTo }) => howTo)).size, all.length)
})
