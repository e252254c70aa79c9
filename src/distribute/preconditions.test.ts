// Test: what conditional and partial requests ask for, by the letter of RFC 9110.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isFresh, readRange } from './preconditions.ts'

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

test('one range of bytes is understood at every edge', () => {
  for (const [range, expected] of [
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=999-999', { start: 999, end: 1_000 }],
    ['bytes=0-999', { start: 0, end: 1_000 }],
    ['bytes=0-5000', { start: 0, end: 1_000 }],
    ['bytes=200-', { start: 200, end: 1_000 }],
    ['bytes=-1', { start: 999, end: 1_000 }],
    ['bytes=-5000', { start: 0, end: 1_000 }],
    ['BYTES=1-2', { start: 1, end: 3 }],
    [' bytes=1-2 ', { start: 1, end: 3 }],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=1000-1001', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
  ] as const)
    assert.deepEqual(readRange({ range }, FILE), expected, range)
})

test('several ranges, and what is no range of bytes, get the whole file', () => {
  const ranges = ['bytes=0-1,3-4', 'bytes=5-2', 'bytes=-', 'bytes=', 'bytes', 'lines=1-2', '']
  const malformed = ['bytes=a-b', 'bytes=1', 'bytes=--1', 'bytes=0x1-2', 'bytes=1-2;', 'bytes=١-٢']
  for (const range of [...ranges, ...malformed])
    assert.equal(readRange({ range }, FILE), undefined, range)
})

test('an If-Range that does not name this very file gets the whole of it', () => {
  const range = 'bytes=0-1'
  assert.deepEqual(readRange({ range, ifRange: '"abc"' }, FILE), { start: 0, end: 2 })
  for (const ifRange of ['"x"', 'W/"abc"', '', 'Sun, 06 Nov 1994 08:49:37 GMT'])
    assert.equal(readRange({ range, ifRange }, FILE), undefined, ifRange)
})

test('an empty file has no range', () => {
  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
    assert.equal(readRange({ range }, { ...FILE, size: 0 }), 'unsatisfiable', range)
})

test('whatever is sent, a part lies within the file and is not empty', () => {
  const number = fc.oneof(fc.constant(''), fc.nat(1_200).map(String), fc.string({ maxLength: 3 }))
  fc.assert(
    fc.property(number, number, fc.nat(1_100), (first, last, size) => {
      const part = readRange({ range: `bytes=${first}-${last}` }, { ...FILE, size })
      if (part === undefined || part === 'unsatisfiable') return
      assert.ok(part.start >= 0 && part.start < part.end && part.end <= size)
    }),
    { numRuns: 500 },
  )
})
