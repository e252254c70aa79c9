// Test: the page of validation rules says what the code does: every limit with its value, none besides; every code, in the order in which the code applies it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '../src/config.ts'
import { ERRORS } from '../src/errors.ts'
import { MAX_BODY_BYTES } from '../src/submit/parse-publish.ts'
import { TOKEN_CAPACITY } from '../src/submit/revision-token.ts'
import { LIMITS } from '../src/submit/validate-keys.ts'

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
const PAGE = read('docs/validation-rules.md')
const COLUMNS = ['rule', 'reason', 'limit', 'what happens', 'code']

/** The rows of all tables, by the names of their columns. */
function readRows(): Record<string, string>[] {
  const lines = PAGE.split('\n').filter((line) => line.startsWith('|'))
  const cells = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
  const rows = cells.filter(([first = '']) => first !== 'rule' && !/^-+$/.test(first))
  for (const row of rows) assert.equal(row.length, COLUMNS.length, row.join(' | '))
  return rows.map((row) =>
    Object.fromEntries(COLUMNS.map((column, index) => [column, row[index] ?? ''])),
  )
}
const ROWS = readRows()

test('every limit of the code is on the page with its value, and none besides', () => {
  const limits = ROWS.map((row) => row['limit'] ?? '').filter((cell) => cell !== '')
  const named = limits.map((cell) => {
    const [, name = '', value = ''] = /^`([A-Za-z_]+) = (\d+)`$/.exec(cell) ?? []
    assert.notEqual(name, '', `${cell} is no limit`)
    return [name, Number(value)] as const
  })
  const expected = {
    ...LIMITS,
    MAX_BODY_BYTES,
    TOKEN_CAPACITY,
    TOCSIN_CLOCK_LEEWAY: parseConfig({}).clockLeeway,
  }
  // A limit may stand in two rows, with one value.
  for (const [name, value] of named)
    assert.equal(value, expected[name as keyof typeof expected], name)
  assert.deepEqual([...new Set(named.map(([name]) => name))].sort(), Object.keys(expected).sort())
  assert.equal(PAGE.match(/`[A-Za-z_]+ = [^`]+`/g)?.length, named.length, 'none stands elsewhere')
})

test('every code is one of the table, and stands with its status', () => {
  for (const { code = '', ['what happens']: happens = '' } of ROWS) {
    const codes = [...code.matchAll(/(?<!\()`([a-z_]+)`/g)].map((match) => match[1] ?? '')
    for (const each of codes) assert.ok(Object.hasOwn(ERRORS, each), `${each} is no code`)
    const [, status] = /^refused, (\d{3})/.exec(happens) ?? []
    // One code for whatever is wrong with the request as such; the status tells more.
    if (status !== undefined && codes[0] !== 'bad_request')
      assert.equal(ERRORS[codes[0] as keyof typeof ERRORS].status, Number(status), codes[0])
  }
  const refusals = ROWS.filter((row) => (row['what happens'] ?? '').startsWith('refused'))
  for (const { rule, code } of refusals) assert.notEqual(code, '', `${rule} has a code`)
})

test('what is wrong with a certificate, and with known keys, is told in the order of the code', () => {
  const source = read('src/submit/verify-certificate.ts')
  const kinds = new Set([...source.matchAll(/invalid\('([a-z_]+)'/g)].map((match) => match[1]))
  const listed = ROWS.flatMap((row) => /\(`([a-z_]+)`\)/.exec(row['code'] ?? '')?.[1] ?? [])
  assert.deepEqual(new Set(listed), kinds)
  const settle = read('src/submit/settle-keys.ts')
  const [, faults = ''] = /const FAULTS = \[([^\]]+)\]/.exec(settle) ?? []
  const inOrder = [...faults.matchAll(/'([a-z_]+)'/g)].map((match) => match[1] ?? '')
  assert.equal(inOrder.length, 5)
  const codes = ROWS.map((row) => /`([a-z_]+)`/.exec(row['code'] ?? '')?.[1] ?? '')
  assert.deepEqual(
    codes.filter((code) => inOrder.includes(code)),
    inOrder,
  )
})
