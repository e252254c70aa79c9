// Test: how likely guessing is to hit, and that the page on threats says so.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createGuessLimits } from './guess-limits.ts'
import { hitProbability } from './guessing.ts'

const PAGE = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8')
const [, SECTION = ''] = PAGE.split('\n## Guessing codes\n')
const [TEXT = ''] = SECTION.split('\n## ')
const [HEAD = [], , ...ROWS] = TEXT.split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.slice(1, -1).split('|'))
  .map((cells) => cells.map((cell) => cell.trim()))

/** A day's guesses: all that are sent, what the brake lets through, what does not set it off, and those of one prefix. */
const GUESSES = [1_000_000, 150_000, 20_000, 120] as const
const [ALL, BRAKED, UNNOTICED, ONE_PREFIX] = GUESSES

const HOUR_MS = 3_600_000
/** Codes that people type in a day in the large realm of the page. */
const RIGHT_CODES = 96_000

/** Every guess after the other, as it is told on the page. */
function oneByOne(codeSpace: number, liveCodes: number, guesses: number): number {
  let misses = 1
  for (let guess = 0; guess < guesses; guess++) misses *= 1 - liveCodes / (codeSpace - guess)
  return 1 - misses
}

test('the probability is that of drawing without putting back', () => {
  for (const [codeSpace, liveCodes, guesses] of [
    [10, 1, 3],
    [10, 3, 1],
    [10, 5, 5],
    [52, 4, 5],
    [1_000_000, 1_000, 1_000],
    [1_000_000, 10, 1_000],
    [100_000_000, 1_000, 10_000],
  ] as const) {
    const expected = oneByOne(codeSpace, liveCodes, guesses)
    const given = hitProbability({ codeSpace, liveCodes, guesses })
    assert.ok(Math.abs(given - expected) < 1e-9, `${given} and not ${expected}`)
  }
  // An ace among five cards.
  const ace = hitProbability({ codeSpace: 52, liveCodes: 4, guesses: 5 })
  assert.ok(Math.abs(ace - (1 - 1_712_304 / 2_598_960)) < 1e-12)
})

test('nothing is hit by no guess or where nothing lives, and everything where more are guessed than are free', () => {
  assert.equal(hitProbability({ codeSpace: 10, liveCodes: 0, guesses: 10 }), 0)
  assert.equal(hitProbability({ codeSpace: 10, liveCodes: 10, guesses: 0 }), 0)
  assert.equal(hitProbability({ codeSpace: 10, liveCodes: 4, guesses: 7 }), 1)
  assert.ok(hitProbability({ codeSpace: 10, liveCodes: 4, guesses: 6 }) < 1)
  assert.equal(hitProbability({ codeSpace: 10, liveCodes: 1, guesses: 20 }), 1)
})

test('what is all but 0 is not 0', () => {
  const given = hitProbability({ codeSpace: 2 ** 75, liveCodes: 10_000_000, guesses: 1_000_000 })
  const most = 1e13 / 2 ** 75
  assert.ok(Math.abs(given / most - 1) < 1e-6, `${given}`)
})

test('a million guesses a day hit a paper code with a probability below 1 in 1,000,000', () => {
  const codeSpace = 32 ** 15
  const hit = hitProbability({ codeSpace, liveCodes: 10_000_000, guesses: 1_000_000 })
  assert.ok(hit < 1e-6, `${hit}`)
  assert.ok(TEXT.includes(`a probability of ${figure(hit)} a day`))
  const fourBillion = { codeSpace, liveCodes: 10_000_000, guesses: 4_000_000_000 }
  assert.equal(figure(hitProbability(fourBillion)), '0.0000011')
})

test('every figure of the table is what the arithmetic gives', () => {
  const guesses = HEAD.slice(4).map((cell) => numberOf(cell.replace(' guesses', '')))
  assert.deepEqual(guesses, GUESSES)
  assert.equal(ROWS.length, 9)
  for (const [kind = '', space = '', entropy, live = '', ...cells] of ROWS) {
    const [, base, exponent] = /^(\d+)\^(\d+)$/.exec(space) ?? assert.fail(space)
    const codeSpace = Number(base) ** Number(exponent)
    assert.equal(entropy, Math.log2(codeSpace).toFixed(1), kind)
    const liveCodes = numberOf(live)
    const expected: readonly string[] = guesses.map((count) =>
      figure(hitProbability({ codeSpace, liveCodes, guesses: count })),
    )
    assert.deepEqual(cells, expected, kind)
  }
})

test('the table has the spaces of the codes as they are drawn', () => {
  const spaces = ROWS.map(([kind = '', space = '']) => [kind.replace(/ \(.*/, ''), space])
  for (const [kind, space] of spaces) {
    const [, length, what] = /, (\d+) (digits|characters)$/.exec(kind ?? '') ?? []
    if (what === 'digits') assert.equal(space, `10^${length}`)
    else if (what === 'characters') assert.equal(space, `36^${length}`)
    else assert.deepEqual([kind, space], ['paper', `2^${15 * 5}`])
  }
})

/**
 * Three hours of a large realm, the last two with an attacker who has a new prefix for each guess. The phones' prefixes had right
 * codes by then, so that the brake leaves to the attacker all that it lets through: the worst case.
 *
 * @returns what of the last hour was answered, for a day, and whether there was an alarm
 */
function attack(guessesPerDay: number): { answered: number; isNoticed: boolean } {
  let now = 0
  let isNoticed = false
  const alarm = () => (isNoticed = true)
  const limits = createGuessLimits({ now: () => now, key: 'key of a test', alarm })
  const guessEvery = (24 * HOUR_MS) / guessesPerDay
  const rightEvery = (24 * HOUR_MS) / RIGHT_CODES
  let nextGuess = HOUR_MS
  let answered = 0
  for (let right = 0; right * rightEvery < 3 * HOUR_MS; right++) {
    for (; nextGuess <= right * rightEvery; nextGuess += guessEvery) {
      now = nextGuess
      if (!limits.mayTry('realm', `network ${now}`).allowed) continue
      limits.countWrong('realm', `network ${now}`)
      if (now >= 2 * HOUR_MS) answered++
    }
    now = right * rightEvery
    const phone = `phone ${right % 1_000}`
    if (limits.mayTry('realm', phone).allowed) limits.countRight('realm', phone)
  }
  return { answered: answered * 24, isNoticed }
}

test('of a million guesses from as many prefixes the brake lets no more through than the page says', () => {
  const { answered, isNoticed } = attack(ALL)
  assert.ok(isNoticed)
  assert.ok(answered <= BRAKED, `${answered}`)
})

test('more guesses than the page says set the brake off, though nobody mistypes', () => {
  assert.ok(attack(UNNOTICED).isNoticed)
})

test('one prefix gets no more guesses answered in a day than the page says', () => {
  let now = 0
  const limits = createGuessLimits({ now: () => now, key: 'key of a test' })
  let answered = 0
  for (; now < 24 * HOUR_MS; now += 1_000) {
    if (!limits.mayTry('realm', 'network').allowed) continue
    limits.countWrong('realm', 'network')
    answered++
  }
  assert.ok(answered <= ONE_PREFIX, `${answered}`)
})

const numberOf = (text: string) => Number(text.replaceAll(',', ''))

/** Two digits. */
function figure(probability: number): string {
  return probability > 0.99 ? '> 0.99' : String(Number(probability.toPrecision(2)))
}
