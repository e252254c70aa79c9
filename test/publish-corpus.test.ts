// Test: every rule of POST /v1/publish, row by row, against the whole service: given, when, expect.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { databaseTestOnce } from './database.ts'
import { AUTHORITY_ROWS, SETTINGS_ROWS } from './publish-corpus/authority-rows.ts'
import { CERTIFICATE_ROWS } from './publish-corpus/certificate-rows.ts'
import { JSON_ROWS } from './publish-corpus/json-rows.ts'
import { KEY_ROWS } from './publish-corpus/key-rows.ts'
import { KEY_SET_ROWS } from './publish-corpus/key-set-rows.ts'
import { ONSET_ROWS } from './publish-corpus/onset-rows.ts'
import { REVISION_ROWS } from './publish-corpus/revision-rows.ts'
import type { Row } from './publish-corpus/row.ts'
import { openCorpus, runRow } from './publish-corpus/run-row.ts'
import { TRANSPORT_ROWS } from './publish-corpus/transport-rows.ts'
import { TYPE_ROWS } from './publish-corpus/type-rows.ts'
import { startService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

const CHAPTERS: Readonly<Record<string, readonly Row[]>> = {
  'method, content type and size': TRANSPORT_ROWS,
  'JSON and its fields': JSON_ROWS,
  'types of fields': TYPE_ROWS,
  'each key': KEY_ROWS,
  'keys together': KEY_SET_ROWS,
  'the onset of symptoms': ONSET_ROWS,
  'the certificate': CERTIFICATE_ROWS,
  'the health authority': AUTHORITY_ROWS,
  'keys that are known already': REVISION_ROWS,
}

test('the corpus says everything once', () => {
  const rows = [...Object.values(CHAPTERS).flat(), ...SETTINGS_ROWS]
  assert.ok(rows.length >= 200, `${rows.length} rows`)
  const names = rows.map((row) => row.what)
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  )
})

databaseTestOnce('every row of the corpus holds', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const corpus = await openCorpus(service)
  for (const [chapter, rows] of Object.entries(CHAPTERS))
    await t.test(chapter, async (inside) => {
      for (const row of rows) await inside.test(row.what, () => runRow(corpus, row))
    })
})

databaseTestOnce('every row about settings holds', async (database, t) => {
  const settings = { TOCSIN_DEFAULT_REGION: 'zz', TOCSIN_PARTIAL_REVISIONS: 'true' }
  await using service = await startService(database.url, await temporaryFolder(t), settings)
  const corpus = await openCorpus(service)
  for (const row of SETTINGS_ROWS) await t.test(row.what, () => runRow(corpus, row))
})
