// Test: cells of CSV.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvCell } from './csv-cell.ts'

test('what a spreadsheet would compute is text', () => {
  for (const text of ['=1', '+1', '-1', '@a', '|cmd', '%a', ' =1', '\u200b=1', '\u202e=1', '＝1'])
    assert.match(csvCell(text), /^"?'/, JSON.stringify(text))
  assert.equal(csvCell('a=1'), 'a=1')
  assert.equal(csvCell('2026-11-25'), '2026-11-25')
})

test('quotation marks, commas, semicolons and lines stay in their cell', () => {
  assert.equal(csvCell('a "b", c'), '"a ""b"", c"')
  assert.equal(csvCell('a;b'), '"a;b"')
  assert.equal(csvCell('a\r\nb'), '"a\r\nb"')
  assert.equal(csvCell(' a'), '" a"')
  assert.equal(csvCell(''), '')
})
