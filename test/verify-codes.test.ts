// Test: the page about the client; promises that it explains every code that the code has, and no other.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CONCLUSION_CODES } from '../src/verify/draw-conclusions.ts'
import { FINDING_CODES, VERDICTS, VERIFICATION_PROBLEMS } from '../src/verify/verification-error.ts'

const page = await readFile(join(import.meta.dirname, '../docs/client.md'), 'utf8')

/** The first column of the table whose heading is `title`. */
function column(title: string): string[] {
  const [, table = ''] = page.split(`| ${title} | meaning |\n|---|---|\n`)
  const [rows = ''] = table.split('\n\n')
  return [...rows.matchAll(/^\| `(\w+)` \| \S.* \|$/gm)].map(([, code]) => code ?? '')
}

for (const [title, codes] of Object.entries({
  verdict: VERDICTS,
  problem: VERIFICATION_PROBLEMS,
  finding: FINDING_CODES,
  conclusion: CONCLUSION_CODES,
}))
  test(`the page explains every ${title}, in the order of the code`, () => {
    assert.equal(new Set(codes).size, codes.length)
    assert.deepEqual(column(title), [...codes])
  })
