// Test: the split of reports into cells: every place in one, no cell with few reports, none that could be made still, and the same in any order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { nearestCell, partitionCells } from './cell-partition.ts'

const RULES = { longest: 3, least: 5 }

const cell = fc
  .array(fc.constantFrom('u', '0', '9'), { maxLength: 4 })
  .map((characters) => characters.join(''))
const reports = fc.array(fc.tuple(cell, fc.integer({ min: 1, max: 12 })), { maxLength: 30 })

const countsOf = (named: readonly (readonly [string, number])[]) => {
  const counts = new Map<string, number>()
  for (const [name, count] of named) counts.set(name, (counts.get(name) ?? 0) + count)
  return counts
}

/** How many reports lie in each cell, and in all of them, counted one by one. */
function countCells(
  counts: ReadonlyMap<string, number>,
  cells: readonly string[],
  joined = new Set<string>(),
) {
  const own = new Map(cells.map((name) => [name, 0]))
  let shared = 0
  for (const [name, count] of counts) {
    const named = name.slice(0, RULES.longest)
    const isCoarse = cells.some((each) => each !== named && each.startsWith(named))
    const nearest = nearestCell(new Set(cells), named)
    if (isCoarse || joined.has(named)) shared += count
    else own.set(nearest, (own.get(nearest) ?? 0) + count)
  }
  return { own, shared }
}

test('every report lies in the cell that its place has, or in all, and none is alone', () => {
  fc.assert(
    fc.property(reports, (named) => {
      const counts = countsOf(named)
      const { cells, cellOf } = partitionCells(counts, RULES)
      assert.equal(cells[0], '')
      assert.equal(new Set(cells).size, cells.length)
      const own = new Map<string, number>(cells.map((name) => [name, 0]))
      let shared = 0
      for (const [name, count] of counts) {
        const place = cellOf(name)
        if (place === null) shared += count
        else {
          assert.equal(place, nearestCell(new Set(cells), name.slice(0, RULES.longest)))
          own.set(place, (own.get(place) ?? 0) + count)
        }
        // Wherever it was within what it named, its numbers are in the file of that place.
        for (const finer of cells)
          if (finer !== place && finer.startsWith(name))
            assert.equal(place, null, `${name} of ${cells}`)
      }
      for (const [name, count] of own)
        if (cells.length > 1)
          assert.ok(count >= RULES.least || (name === '' && count === 0), `${name}: ${count}`)
      if (cells.length > 1) assert.ok(shared === 0 || shared >= RULES.least)
    }),
    { numRuns: 2000 },
  )
})

test('no further cell could be made', () => {
  fc.assert(
    fc.property(reports, (named) => {
      // Without reports that belong to all cells, whose company takes cells away.
      const counts = countsOf(
        named.map(([name, count]) => [name.padEnd(3, 'u').slice(0, 3), count]),
      )
      const { cells } = partitionCells(counts, RULES)
      const candidates = new Set(
        [...counts.keys()].flatMap((name) => [1, 2, 3].map((length) => name.slice(0, length))),
      )
      for (const candidate of candidates) {
        if (cells.includes(candidate)) continue
        const { own, shared } = countCells(counts, [...cells, candidate])
        const isPossible =
          shared === 0 &&
          [...own].every(([name, count]) => count >= RULES.least || (name === '' && count === 0))
        assert.ok(!isPossible, `${candidate} beside ${cells} of ${JSON.stringify([...counts])}`)
      }
    }),
    { numRuns: 2000 },
  )
})

test('the order of the reports makes no difference', () => {
  fc.assert(
    fc.property(reports, reports, (some, others) => {
      const one = partitionCells(countsOf([...some, ...others]), RULES)
      const other = partitionCells(countsOf([...others.toReversed(), ...some.toReversed()]), RULES)
      assert.deepEqual(one.cells, other.cells)
      for (const [name] of [...some, ...others]) assert.equal(one.cellOf(name), other.cellOf(name))
    }),
  )
})

test('small cells join the smallest area around them that has enough, and a stray report parts nobody', () => {
  const split = (counts: Record<string, number>) =>
    partitionCells(new Map(Object.entries(counts)), { longest: 4, least: 20 })
  // Two are large enough; the rest of their area is not, but with a third it is.
  assert.deepEqual(split({ u09: 40, u0b: 30, u0c: 3, u0d: 18 }).cells, ['', 'u0', 'u09', 'u0b'])
  // What is left would be 3: those stay with the smaller one.
  assert.deepEqual(split({ u09: 40, u0b: 30, u0c: 3 }).cells, ['', 'u0', 'u09'])
  assert.deepEqual(split({ u09: 40, u0b: 30, zzzz: 1 }).cells, ['', 'u09'])
  assert.deepEqual(split({ u09: 19 }).cells, [''])
  // One that named no cell is not to be found by comparing files: the smallest cell keeps it company.
  const { cells, cellOf } = split({ '': 1, u09: 40, u0b: 30, s: 50 })
  assert.deepEqual(
    [cells, cellOf(''), cellOf(null), cellOf('u0b'), cellOf('u09')],
    [['', 's', 'u09'], null, null, null, 'u09'],
  )
  assert.deepEqual(partitionCells(new Map([['u09', 50]]), { longest: 0, least: 20 }).cells, [''])
})
