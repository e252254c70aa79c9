// Test: which records of ct-diag-server's forms can't be taken, and that a refusal names each.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { parseRecords, RECORDS, refuseUntakeable } from './parse-ctdiag.ts'

const NOW = new Date('2026-11-26T10:00:00Z')
const TODAY = Math.floor(NOW.getTime() / 86_400_000) * 144

/** What is said of keys, each by its first byte and its start in intervals before today. */
function refusalOf(...keys: readonly (readonly [byte: number, before: number])[]): string {
  const body = Buffer.alloc(keys.length * 21)
  for (const [index, [byte, before]] of keys.entries()) {
    body[index * 21] = byte
    body.writeUInt32BE(TODAY - before, index * 21 + 16)
  }
  try {
    refuseUntakeable(parseRecords(body, RECORDS, 30), NOW)
    return ''
  } catch (error) {
    assert.ok(error instanceof TocsinError && error.code === 'bad_request')
    return error.message
  }
}

test('keys that overlap are named by their records', () => {
  const others = [
    [1, 1440],
    [2, 1440],
  ] as const
  assert.equal(refusalOf(...others, [3, 144], [4, 288]), '')
  assert.match(refusalOf(...others, [3, 144], [4, 250]), /^The periods .* overlap: records 3 and 4/)
  assert.match(refusalOf([9, 150], ...others, [5, 160], [4, 288]), /overlap: records 4 and 5/)
  assert.match(
    refusalOf(...others, [8, 144], [3, 1440], [4, 1440]),
    /^At most 3 keys may share one rolling start number: records 1, 2, 4 and 5/,
  )
})

test('a key of zeros is refused: behind it in a list is everything', () => {
  assert.match(refusalOf([1, 144], [0, 288]), /: record 2: .* zeros/)
  assert.match(refusalOf([0, 17 * 144], [1, 17 * 144]), /record 1: .* zeros.*; record 2: .*15 days/)
})
