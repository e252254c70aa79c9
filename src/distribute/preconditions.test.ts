// Test: what conditional and partial requests ask for, by the letter of RFC 9110.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isFresh, isOutdated, MAX_RANGES, readRanges } from './preconditions.ts'

const FILE = { etag: '"abc"', modifiedMs: Date.UTC(1994, 10, 6, 8, 49, 37) + 250, size: 1_000 }

test('a client that names the tag has the file already, in a list, weakly or by a star', () => {
  for (const [ifNoneMatch, fresh] of [
    ['"abc"', true],
    ['W/"abc"', true],
    ['"x", "abc"', true],
    ['"x",W/"abc" , "y"', true],
    ['*', true],
    ['"x"', false],
    ['abc', false],
    ['"ABC"', false],
    ['"abc', false],
    ['', false],
    ['"abc"x', false],
  ] as const)
    assert.equal(isFresh({ ifNoneMatch }, FILE), fresh, ifNoneMatch)
})

test('a date of any of the three forms counts, to the second; what is no date does not', () => {
  for (const [ifModifiedSince, fresh] of [
    ['Sun, 06 Nov 1994 08:49:37 GMT', true],
    ['Sunday, 06-Nov-94 08:49:37 GMT', true],
    ['Sun Nov  6 08:49:37 1994', true],
    ['Sun, 06 Nov 1994 08:49:38 GMT', true],
    ['Sun, 06 Nov 1994 08:49:36 GMT', false],
    ['Sun Nov  6 08:49:36 1994', false],
    // Date.parse would take these for dates in the future.
    ['2099', false],
    ['2099-01-01', false],
    ['Sun, 06 Nov 2099 08:49:37 +0100', false],
    ['999999999999999', false],
    ['Xyz, 99 Abc 2099 99:99:99 GMT', false],
    ['yesterday', false],
    ['', false],
  ] as const)
    assert.equal(isFresh({ ifModifiedSince }, FILE), fresh, ifModifiedSince)
})

test('the tag decides alone when both are sent', () => {
  const ifModifiedSince = 'Sun, 06 Nov 2044 08:49:37 GMT'
  assert.equal(isFresh({ ifNoneMatch: '"x"', ifModifiedSince }, FILE), false)
  assert.equal(isFresh({ ifNoneMatch: '"abc"', ifModifiedSince: 'yesterday' }, FILE), true)
})

test('whoever wants an answer from one version alone is refused any other', () => {
  for (const [conditions, outdated] of [
    [{}, false],
    [{ ifMatch: '"abc"' }, false],
    [{ ifMatch: '"x", "abc"' }, false],
    [{ ifMatch: '*' }, false],
    [{ ifMatch: '"x"' }, true],
    [{ ifMatch: 'W/"abc"' }, true],
    [{ ifMatch: '' }, true],
    [{ ifUnmodifiedSince: 'Sun, 06 Nov 1994 08:49:37 GMT' }, false],
    [{ ifUnmodifiedSince: 'Sun, 06 Nov 1994 08:49:36 GMT' }, true],
    [{ ifUnmodifiedSince: 'yesterday' }, false],
    [{ ifMatch: '"abc"', ifUnmodifiedSince: 'Sun, 06 Nov 1994 08:49:36 GMT' }, false],
    [{ ifMatch: '"x"', ifUnmodifiedSince: 'Sun, 06 Nov 2044 08:49:37 GMT' }, true],
  ] as const)
    assert.equal(isOutdated(conditions, FILE), outdated, JSON.stringify(conditions))
})

test('one range of bytes is understood at every edge', () => {
  for (const [range, expected] of [
    ['bytes=0-0', [{ start: 0, end: 1 }]],
    ['bytes=999-999', [{ start: 999, end: 1_000 }]],
    ['bytes=0-999', [{ start: 0, end: 1_000 }]],
    ['bytes=0-5000', [{ start: 0, end: 1_000 }]],
    ['bytes=200-', [{ start: 200, end: 1_000 }]],
    ['bytes=-1', [{ start: 999, end: 1_000 }]],
    ['bytes=-5000', [{ start: 0, end: 1_000 }]],
    ['BYTES=1-2', [{ start: 1, end: 3 }]],
    [' bytes=1-2 ', [{ start: 1, end: 3 }]],
    ['bytes=1-2,', [{ start: 1, end: 3 }]],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=1000-1001', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=1000-,-0', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
  ] as const)
    assert.deepEqual(readRanges({ range }, FILE), expected, range)
})

test('several ranges stay in their order; what overlaps or touches becomes one', () => {
  for (const [range, expected] of [
    ['bytes=0-1,3-4', ['0-2', '3-5']],
    ['bytes=500-599, 0-99', ['500-600', '0-100']],
    ['bytes=0-1,2-3', ['0-4']],
    ['bytes=0-9,5-14', ['0-15']],
    ['bytes=0-,0-,0-', ['0-1000']],
    ['bytes=900-,10-19,-50,0-9', ['900-1000', '0-20']],
    ['bytes=0-1,5000-,7-8', ['0-2', '7-9']],
    ['bytes=0-99,10-19,200-', ['0-100', '200-1000']],
  ] as const) {
    const parts = readRanges({ range }, FILE)
    assert.ok(Array.isArray(parts), range)
    assert.deepEqual(
      (parts as { start: number; end: number }[]).map(({ start, end }) => `${start}-${end}`),
      expected,
      range,
    )
  }
})

test('more ranges than anybody needs, and what is no range of bytes, get the whole file', () => {
  const many = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, n) => `${n * 3}-${n * 3}`).join()}`
  assert.equal(readRanges({ range: many(MAX_RANGES) }, FILE)?.length, MAX_RANGES)
  assert.equal(readRanges({ range: many(MAX_RANGES + 1) }, FILE), undefined)
  const ranges = ['bytes=5-2', 'bytes=-', 'bytes=', 'bytes=,', 'bytes', 'lines=1-2', '']
  const malformed = ['bytes=a-b', 'bytes=1', 'bytes=--1', 'bytes=0x1-2', 'bytes=1-2;', 'bytes=١-٢']
  for (const range of [...ranges, ...malformed, 'bytes=0-1,5-2', 'bytes=0-1,x'])
    assert.equal(readRanges({ range }, FILE), undefined, range)
})

test('an If-Range that does not name this very file gets the whole of it', () => {
  const range = 'bytes=0-1'
  const part = [{ start: 0, end: 2 }]
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
  assert.deepEqual(readRanges({ range, ifRange: '"abc"' }, FILE), part)
  for (const ifRange of ['"x"', 'W/"abc"', '', date])
    assert.equal(readRanges({ range, ifRange }, FILE), undefined, ifRange)
  // A date names a file that never changes.
  const forever = { ...FILE, immutable: true }
  assert.deepEqual(readRanges({ range, ifRange: date }, forever), part)
  for (const ifRange of [date.replace('37', '38'), date.replace('37', '36'), 'yesterday'])
    assert.equal(readRanges({ range, ifRange }, forever), undefined, ifRange)
})

test('an empty file has no range', () => {
  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
    assert.equal(readRanges({ range }, { ...FILE, size: 0 }), 'unsatisfiable', range)
})

test('whatever is sent, parts lie within the file, none is empty, and no byte is in two', () => {
  const number = fc.oneof(fc.constant(''), fc.nat(1_200).map(String), fc.string({ maxLength: 3 }))
  const member = fc.tuple(number, number).map(([first, last]) => `${first}-${last}`)
  fc.assert(
    fc.property(fc.array(member, { maxLength: 12 }), fc.nat(1_100), (members, size) => {
      const parts = readRanges({ range: `bytes=${members.join()}` }, { ...FILE, size })
      if (parts === undefined || parts === 'unsatisfiable') return
      const sorted = [...parts].sort((a, b) => a.start - b.start)
      let end = 0
      for (const part of sorted) {
        assert.ok(part.start >= end && part.start < part.end && part.end <= size)
        ;({ end } = part)
      }
    }),
    { numRuns: 1_000 },
  )
})
