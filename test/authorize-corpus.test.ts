// Test: the device and admin APIs, row by row, as Google's verification server answers them; where not, the compatibility page must say why.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { CERTIFICATE_ROWS } from './authorize-corpus/certificate-rows.ts'
import { ISSUE_NAME_ROWS } from './authorize-corpus/issue-name-rows.ts'
import { ISSUE_DATE_ROWS, ISSUE_ROWS } from './authorize-corpus/issue-rows.ts'
import { JSON_ROWS } from './authorize-corpus/json-rows.ts'
import { OTHER_ROWS } from './authorize-corpus/other-rows.ts'
import { runRaces } from './authorize-corpus/races.ts'
import type { Row } from './authorize-corpus/row.ts'
import { openCorpus, runRow } from './authorize-corpus/run-row.ts'
import { runSequences } from './authorize-corpus/sequences.ts'
import { TRANSPORT_ROWS } from './authorize-corpus/transport-rows.ts'
import { STATE_ROWS, VERIFY_ROWS } from './authorize-corpus/verify-rows.ts'
import { START } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import { movableClock } from './key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const CHAPTERS: Readonly<Record<string, readonly Row[]>> = {
  // First: they depend on the time of day, which others move.
  dates: ISSUE_DATE_ROWS,
  'keys, methods, content types, sizes, decoys': TRANSPORT_ROWS,
  'JSON and its fields': JSON_ROWS,
  'codes and what they are swapped for': VERIFY_ROWS,
  'tokens and HMACs': CERTIFICATE_ROWS,
  'issuing codes': ISSUE_ROWS,
  'names, issuers and phones of codes': ISSUE_NAME_ROWS,
  'batches, status, self-reports': OTHER_ROWS,
  'every state of a code': STATE_ROWS,
}
const ROWS = Object.values(CHAPTERS).flat()

test('the corpus says everything once', () => {
  assert.ok(ROWS.length >= 1_000, `${ROWS.length} rows`)
  const names = ROWS.map((row) => row.what)
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  )
})

test('whatever is answered otherwise has a row with its reason', async () => {
  const page = await readFile(new URL('../docs/compatibility.md', import.meta.url), 'utf8')
  const [, part = ''] = page.split('## The device and admin APIs')
  const rows = part.split('\n').filter((line) => /^\| (?!---|existing)/.test(line))
  const seen = rows.map((line) => line.slice(2))
  for (const { what, there, here, why } of ROWS) {
    assert.equal(here === undefined, why === undefined, what)
    if (why === undefined) continue
    assert.ok(
      seen.some((line) => line.startsWith(why)),
      `${what}: ${why} (${there} there)`,
    )
  }
})

databaseTestOnce('every row of the corpus holds', async (database, t) => {
  const clock = movableClock(START)
  await using corpus = await openCorpus(database.url, await temporaryFolder(t), clock)
  for (const [chapter, rows] of Object.entries(CHAPTERS))
    await t.test(chapter, async (inside) => {
      for (const row of rows) await inside.test(row.what, () => runRow(corpus, row))
    })
  await t.test('several at once', (inside) => runRaces(corpus, inside))
  await t.test('several in turn', (inside) => runSequences(corpus, inside))
})
