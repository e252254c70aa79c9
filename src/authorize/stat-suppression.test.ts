// Test: which counts are told: for every small case, and for many large ones, no told number nor difference is 1 to 9.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tellCount, tellParts } from './stat-suppression.ts'

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
const isSmall = (count: number) => count > 0 && count < 10

/** What anybody can compute: the total, each told part, and the total without any choice of told parts. */
function assertTellsNothing(total: number, parts: readonly number[]): void {
  const told = tellParts(total, parts)
  const told10 = tellCount(total)
  const say = JSON.stringify({ total, parts, told })
  assert.ok(!isSmall(told10) && !told.some(isSmall), say)
  for (const [index, count] of told.entries()) assert.ok(count === 0 || count === parts[index], say)
  if (told10 === 0) {
    assert.deepEqual(
      told,
      parts.map(() => 0),
      say,
    )
    return
  }
  const given = told.filter((count) => count > 0)
  for (let choice = 0; choice < 2 ** given.length; choice++) {
    const chosen = given.filter((_, index) => (choice >> index) % 2 === 1)
    assert.ok(!isSmall(total - sum(chosen)), say)
  }
}

test('no count below 10 is told, and 10 is', () => {
  assert.deepEqual([0, 1, 9, 10, 11].map(tellCount), [0, 0, 0, 10, 11])
})

test('a rest that would tell a hidden part takes the smallest told part with it', () => {
  assert.deepEqual(tellParts(45, [3, 12, 30]), [0, 0, 30])
  // In no part at all: hidden, too.
  assert.deepEqual(tellParts(45, [12, 30]), [0, 30])
  // What is hidden is 10 or more already.
  assert.deepEqual(tellParts(51, [4, 5, 12, 30]), [0, 0, 0, 30])
  assert.deepEqual(tellParts(54, [6, 6, 12, 30]), [0, 0, 12, 30])
  assert.deepEqual(tellParts(42, [12, 30]), [12, 30])
  assert.deepEqual(tellParts(9, [4, 5]), [0, 0])
  assert.deepEqual(tellParts(0, []), [])
})

test('of every three parts up to 25, with what is in no part, nothing small can be computed', () => {
  for (let a = 0; a <= 25; a++)
    for (let b = 0; b <= 25; b++)
      for (let c = 0; c <= 25; c++)
        for (const none of [0, 1, 9, 10]) assertTellsNothing(a + b + c + none, [a, b, c])
})

test('of many parts nothing small can be computed', () => {
  // A fixed sequence: a failure can be repeated.
  let state = 1
  const draw = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let round = 0; round < 2_000; round++) {
    const parts = Array.from({ length: 1 + draw(9) }, () => draw(draw(2) === 0 ? 12 : 200))
    assertTellsNothing(sum(parts) + draw(3) * draw(12), parts)
  }
})

test('nobody can tell how small a hidden part was: for each told set there are several', () => {
  const worlds = new Map<string, Set<number>>()
  for (let a = 0; a <= 60; a++)
    for (let b = 0; a + b <= 60; b++) {
      const told = JSON.stringify([tellCount(a + b), tellParts(a + b, [a, b])])
      if (isSmall(a)) worlds.set(told, (worlds.get(told) ?? new Set()).add(a))
    }
  for (const [told, values] of worlds) assert.ok(values.size > 1, `${told}: ${[...values].join()}`)
})
