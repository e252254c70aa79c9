// Test: what is odd about a valid file: every finding about one file, and values at the edge of the rules without any.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  EXPORT_DAY,
  EXPORT_START,
  exportKey,
  makeEntries,
  makeExport,
  makeSigner,
  makeZip,
  type TestExport,
} from '../../test/export-files.ts'
import { verifyExport } from './verify-export.ts'

const signer = makeSigner()
const trusted = { publicKey: signer.publicKey, keyId: '310', keyVersion: 'v1' }

async function findingsOf(content: TestExport) {
  const { findings } = await verifyExport(makeExport({ signers: [signer], ...content }), [trusted])
  return findings.map(({ code }) => code)
}

test('values at the edge of the rules are valid', async () => {
  for (const fields of [
    { rollingPeriod: 1 },
    { transmissionRisk: 8 },
    { reportType: 0 },
    { daysSinceOnset: -14 },
    { daysSinceOnset: 14 },
    { rollingStart: EXPORT_START / 600 - 16 * 144 },
    { rollingStart: EXPORT_DAY + 54 },
  ])
    assert.deepEqual(await findingsOf({ keys: [exportKey(1, fields)] }), [], JSON.stringify(fields))
  const oldest = { rollingStart: EXPORT_START / 600 - 34 * 144, reportType: 5 }
  assert.deepEqual(await findingsOf({ revisedKeys: [exportKey(1, oldest)] }), [])
  const first = exportKey(1, { rollingStart: 1 })
  assert.deepEqual(await findingsOf({ keys: [first] }), ['keys_too_old'])
})

test('keys that nobody can have used then, or that phones never needed, are remarked on', async () => {
  const end = EXPORT_START / 600 + 6
  const before = { rollingStart: end - 1, rollingPeriod: 1 }
  assert.deepEqual(await findingsOf({ keys: [exportKey(1, before)] }), [])
  const after = { rollingStart: end, rollingPeriod: 1 }
  for (const list of ['keys', 'revisedKeys'])
    assert.deepEqual(await findingsOf({ [list]: [exportKey(3, after)] }), [
      'keys_still_valid',
      'keys_in_future',
    ])
  for (const [list, days] of [
    ['keys', 16],
    ['revisedKeys', 34],
  ] as const) {
    const old = exportKey(3, { rollingStart: EXPORT_START / 600 - days * 144 - 1 })
    assert.deepEqual(await findingsOf({ [list]: [old] }), ['keys_too_old'])
  }
  assert.deepEqual(await findingsOf({ keys: [exportKey(1, { reportType: 5 })] }), ['keys_revoked'])
})

test('what is odd but not wrong is remarked on', async () => {
  const unsorted = [exportKey(2), exportKey(1)]
  assert.deepEqual(await findingsOf({ keys: unsorted }), ['keys_unsorted'])
  assert.deepEqual(await findingsOf({ revisedKeys: unsorted }), ['keys_unsorted'])
  assert.deepEqual(await findingsOf({ keys: [exportKey(1), exportKey(1)] }), ['keys_repeated'])
  const both = [exportKey(3), exportKey(1), exportKey(2), exportKey(1)]
  assert.deepEqual(await findingsOf({ keys: both }), ['keys_unsorted', 'keys_repeated'])
  const young = exportKey(1, { rollingStart: EXPORT_DAY + 55 })
  assert.deepEqual(await findingsOf({ keys: [young] }), ['keys_still_valid'])
  for (const daysSinceOnset of [15, -15])
    assert.deepEqual(await findingsOf({ keys: [exportKey(1, { daysSinceOnset })] }), [
      'onset_out_of_range',
    ])
  assert.deepEqual(await findingsOf({ header: { batchNum: 1, batchSize: 2 } }), [
    'batch_not_single',
  ])
  assert.deepEqual(await findingsOf({ header: { signatureInfos: [] } }), ['signature_info_differs'])
  const { bin, sig } = makeEntries({ signers: [signer] })
  const zip = makeZip({ 'export.bin': bin, 'export.sig': sig, 'content.sig': sig })
  const { findings } = await verifyExport(zip, [trusted])
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['entry_unknown'],
  )
})
