// Test: families of streams: who can share a key, and that what a stream publishes is what its SQL says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { familiesOf, publishes, type Filter } from './families.ts'

interface Named extends Filter {
  readonly name: string
}

function stream(name: string, inputRegions: string[], other: Partial<Filter> = {}): Named {
  return {
    name,
    inputRegions,
    excludedRegions: [],
    travelers: 'regional',
    reportTypes: [],
    ...other,
  }
}

/** The families' names, in a fixed order. */
function familyNames(streams: readonly Named[], regionLists?: string[][]): string[] {
  return familiesOf(streams, regionLists)
    .map((family) =>
      family
        .map(({ name }) => name)
        .sort()
        .join('+'),
    )
    .sort()
}

test('streams of regions that no health authority has together are apart', () => {
  const streams = [stream('us', ['US']), stream('ca', ['CA']), stream('mx', ['MX'])]
  assert.deepEqual(familyNames(streams, [['US'], ['CA'], ['MX']]), ['ca', 'mx', 'us'])
  assert.deepEqual(familyNames(streams, [['US', 'CA'], ['MX']]), ['ca+us', 'mx'])
  assert.deepEqual(familyNames(streams, [['US', 'CA', 'MX']]), ['ca+mx+us'])
})

test('without the lists of health authorities any two regions can be of one report', () => {
  assert.deepEqual(familyNames([stream('us', ['US']), stream('ca', ['CA'])]), ['ca+us'])
})

test('streams with a region in common are one family, whatever the lists say', () => {
  const streams = [stream('both', ['US', 'CA']), stream('us', ['US'])]
  assert.deepEqual(familyNames(streams, []), ['both+us'])
})

test('a family is made by way of others', () => {
  const streams = [stream('a', ['A']), stream('c', ['C']), stream('abc', ['A', 'B', 'C'])]
  assert.deepEqual(familyNames(streams, []), ['a+abc+c'])
})

test('a stream that excludes all regions of another shares nothing with it', () => {
  const streams = [stream('us', ['US']), stream('rest', ['CA', 'MX'], { excludedRegions: ['US'] })]
  assert.deepEqual(familyNames(streams), ['rest', 'us'])
  // Excluded by a third, they still are.
  assert.deepEqual(familyNames(streams, [['US', 'CA']]), ['rest', 'us'])
})

test('a stream that takes every traveler shares with all but those that take none', () => {
  const everybody = stream('every', ['US'], { travelers: 'include' })
  assert.deepEqual(familyNames([everybody, stream('ca', ['CA'])], []), ['ca+every'])
  const none = stream('none', ['CA'], { travelers: 'exclude' })
  assert.deepEqual(familyNames([everybody, none], []), ['every', 'none'])
  assert.deepEqual(familyNames([everybody, none], [['US', 'CA']]), ['every+none'])
})

test('streams of different report types share nothing', () => {
  const streams = [
    stream('confirmed', ['US'], { reportTypes: [1] }),
    stream('others', ['US'], { reportTypes: [2, 3] }),
  ]
  assert.deepEqual(familyNames(streams), ['confirmed', 'others'])
  assert.deepEqual(familyNames([...streams, stream('all', ['US'])]), ['all+confirmed+others'])
})

test('no report is published by streams of two families', () => {
  const regions = ['A', 'B', 'C']
  const some = subsets(regions)
  const lists = [['A', 'B'], ['C']]
  let shared = 0
  for (let round = 0; round < 3_000; round++) {
    const pick = <Item>(items: readonly Item[]) =>
      items[Math.floor(Math.random() * items.length)] as Item
    const draw = (name: string) =>
      stream(name, pick(some.slice(1)), {
        excludedRegions: pick(some),
        travelers: pick(['regional', 'include', 'exclude'] as const),
        reportTypes: pick([[], [1], [2], [1, 2]]),
      })
    const [a, b] = [draw('a'), draw('b')]
    const isShared = [...lists.flatMap(subsets), ['D']].some((list) =>
      [true, false].some((traveler) =>
        [1, 2].some((reportType) => {
          const report = { regions: list, traveler, reportType }
          return publishes(a, report) && publishes(b, report)
        }),
      ),
    )
    if (isShared) shared++
    const told = JSON.stringify({ a, b })
    if (isShared) assert.equal(familiesOf([a, b], lists).length, 1, told)
    if (isShared) assert.equal(familiesOf([a, b]).length, 1, told)
  }
  assert.ok(shared > 300, 'some of them share a key')
})

function subsets(items: readonly string[]): string[][] {
  return items.reduce<string[][]>(
    (sets, item) => [...sets, ...sets.map((set) => [...set, item])],
    [[]],
  )
}
