// Fuzzing: contact event numbers by every API; promises whole numbers or a refusal, and one order for the same numbers.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { parseCell, parseCen, parseHexCen, sortCens } from '../../src/format/cen.ts'
import { parseLocations } from '../../src/submit/cen-variables.ts'
import { parseCenList, parsePackedCens, parseStoredValue } from '../../src/submit/parse-cen.ts'
import { mutatedJson } from './json.ts'
import { mutatedBytes, mutatedText } from './mutate.ts'
import { hex, isClientError, target, valueOf } from './target.ts'

const UUID = '00112233-4455-6677-8899-aabbccddeeff'
const DIGITS = UUID.replaceAll('-', '')
const NUMBER = Buffer.from(DIGITS, 'hex')
const LISTS = [
  { cens: [{ uuid: DIGITS, created_at: '2026-03-09T12:00:00Z' }] },
  { cens: [DIGITS, UUID].map((uuid) => ({ uuid, created_at: '2026-03-09 12:00:00.123456' })) },
]
const FORMS = [DIGITS, UUID, encodeURIComponent(NUMBER.toString('base64'))].map((value) =>
  Buffer.from(`stored_value=${value}&other=1`),
)

function assertWhole(numbers: Uint8Array | undefined): void {
  if (numbers === undefined) return
  assert.ok(numbers.length > 0 && numbers.length % 16 === 0)
  const sorted = hex(sortCens(numbers)).match(/.{32}/g) ?? []
  const wanted = [...new Set(hex(numbers).match(/.{32}/g) ?? [])].sort()
  assert.deepEqual(sorted, wanted)
}

/** What uploads of contact event numbers are read by. */
export const cenTargets = [
  target(
    'packed numbers',
    fc.oneof(mutatedBytes([Buffer.concat([NUMBER, NUMBER])]), fc.uint8Array({ maxLength: 400 })),
    (body) => {
      const read = valueOf(() => parsePackedCens(body), isClientError)
      assert.equal(read !== undefined, body.length > 0 && body.length % 16 === 0)
      assertWhole(read)
    },
  ),
  target('a list of numbers', mutatedJson(LISTS, ['cens', 'uuid', 'created_at']), (body) =>
    assertWhole(valueOf(() => parseCenList(body), isClientError)),
  ),
  target('a form with a number', mutatedBytes(FORMS), (body) => {
    const read = valueOf(() => parseStoredValue(body), isClientError)
    assert.ok(read === undefined || read.length === 16)
  }),
  target('a number as text', mutatedText([DIGITS, UUID, NUMBER.toString('base64')]), (text) => {
    const read = parseCen(text)
    assert.ok(read === undefined || read.length === 16)
    if (parseHexCen(text) !== undefined)
      assert.equal(hex(read ?? NUMBER), text.replaceAll('-', '').toLowerCase())
  }),
  target('a cell', mutatedText(['u09t', '0', 'ZZZZ']), (text) => {
    const cell = parseCell(text)
    assert.ok(
      cell === undefined || (/^[0-9b-hjkmnp-z]{1,4}$/.test(cell) && cell.length === text.length),
    )
  }),
  target(
    'ranges of addresses',
    mutatedText(['192.0.2.0/24, 2001:db8::/32', '::ffff:192.0.2.1']),
    (text) => {
      const ranges = parseLocations(text)
      assert.ok(ranges === undefined || !ranges.includes('unknown'))
    },
  ),
]
